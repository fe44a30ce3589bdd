// Package v1alpha1 holds the resources of ejustice.dev: JusticeTenant, CourtModule and
// ModuleCatalog. Validation lives beside the fields as CEL; the field comments are what
// `kubectl explain` prints.
//
// +kubebuilder:object:generate=true
// +kubebuilder:ac:generate=true
// +kubebuilder:ac:output:package=applyconfiguration
// +groupName=ejustice.dev
package v1alpha1
