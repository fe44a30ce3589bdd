package v1alpha1

import (
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// CourtModule is one module installed for a tenant, in the tenant's namespace. The tenant
// creates the CourtModules it lists; the ministry may add others by hand. Deleting a
// CourtModule uninstalls the module and keeps its database.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=cmod,categories=ejustice
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.version`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="URL",type=string,JSONPath=`.status.url`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name == self.spec.module",message="metadata.name must equal spec.module: a tenant runs a module once"
type CourtModule struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// What to install.
	// +required
	Spec CourtModuleSpec `json:"spec"`

	// What is installed.
	// +optional
	Status CourtModuleStatus `json:"status,omitempty"`
}

// CourtModuleSpec says which module to install and how.
type CourtModuleSpec struct {
	// The module's name in the catalog, for example casemanagement. It cannot be changed.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="cannot be changed: delete this CourtModule and create one for the other module"
	Module ModuleName `json:"module"`

	ModuleSettings `json:",inline"`
}

// ModuleSettings are the choices a ministry has for an installed module.
//
// +kubebuilder:validation:XValidation:rule="!has(self.version) || !has(oldSelf.version) || !isSemver(self.version) || !isSemver(oldSelf.version) || semver(self.version).compareTo(semver(oldSelf.version)) >= 0",message="version cannot go down: database changes of a newer version cannot be undone"
type ModuleSettings struct {
	// Pins the module to one version. Without it the module follows the tenant's release.
	// The version must be in a ModuleCatalog; it never goes down.
	// +optional
	Version Version `json:"version,omitempty"`

	// Settings of the module, checked against the schema of its chart. The key platform
	// belongs to the operator and is refused.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Values map[string]apiextensionsv1.JSON `json:"values,omitempty"`

	// How many copies of the module run. Two or more keep it serving while a node is down.
	// +optional
	// +default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=20
	Replicas int32 `json:"replicas,omitempty"`

	// CPU and memory of the module's containers; without it the chart's own small requests.
	// +optional
	Resources *Resources `json:"resources,omitempty"`
}

// CourtModuleStatus says what is installed and how it fares.
type CourtModuleStatus struct {
	// The generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// The version that is installed.
	// +optional
	Version string `json:"version,omitempty"`

	// The digest of the installed chart.
	// +optional
	ChartDigest string `json:"chartDigest,omitempty"`

	// The revision of the Helm release, as `helm history` shows it.
	// +optional
	HelmRevision int32 `json:"helmRevision,omitempty"`

	// Where the module answers inside the cluster.
	// +optional
	URL string `json:"url,omitempty"`

	// Ready, Reconciling and Stalled; the message of Ready says what is missing.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// CourtModuleList is a list of CourtModules.
//
// +kubebuilder:object:root=true
type CourtModuleList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []CourtModule `json:"items"`
}
