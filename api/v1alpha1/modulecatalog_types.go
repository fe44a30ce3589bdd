package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ModuleCatalog is one platform release: for every module its chart, its images by digest
// and the versions it can be upgraded from. Its name is the release's version. Catalogs
// come with the platform; a ministry reads them but does not write them.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,shortName=mcat,categories=ejustice
// +kubebuilder:printcolumn:name="Modules",type=string,JSONPath=`.spec.modules[*].name`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="isSemver(self.metadata.name)",message="metadata.name is the release and must be a semantic version without a leading v, for example 0.1.0"
type ModuleCatalog struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// What the release contains. It never changes: a correction is a new release.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a release never changes: publish a correction as a new ModuleCatalog with a higher version"
	Spec ModuleCatalogSpec `json:"spec"`
}

// ModuleCatalogSpec says what a platform release contains.
type ModuleCatalogSpec struct {
	// The modules of this release.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	Modules []CatalogModule `json:"modules"`
}

// CatalogModule is one module of a release.
type CatalogModule struct {
	// The module's name, for example casemanagement.
	// +required
	Name ModuleName `json:"name"`

	// The module's own version.
	// +required
	Version Version `json:"version"`

	// The Helm chart that installs the module.
	// +required
	Chart CatalogChart `json:"chart"`

	// The container images that the chart runs, each pinned by digest.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=20
	Images []CatalogImage `json:"images,omitempty"`

	// Whether the module keeps data: it then gets a database, credentials for it and a key.
	// +optional
	Database bool `json:"database,omitempty"`

	// The number of the database schema that this version expects. It only ever grows.
	// No effect yet: a later release uses it to decide whether going back is safe.
	// +optional
	// +kubebuilder:validation:Minimum=0
	SchemaVersion int32 `json:"schemaVersion,omitempty"`

	// The module versions from which this version can be reached in one step. An installed
	// module at any other version is not upgraded; its CourtModule says so.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=50
	UpgradableFrom []Version `json:"upgradableFrom,omitempty"`
}

// CatalogChart points at a Helm chart in an OCI registry.
type CatalogChart struct {
	// The chart's OCI reference without tag or digest, for example
	// oci://registry.example.org/ejustice/charts/casemanagement.
	// +required
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^oci://[A-Za-z0-9.-]+(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+$')",message="must be an OCI reference without tag or digest, for example oci://registry.example.org/charts/casemanagement"
	Ref string `json:"ref"`

	// The digest of the chart's manifest, sha256 and 64 hexadecimal digits. The operator
	// installs exactly this content and refuses any other.
	// +required
	// +kubebuilder:validation:MaxLength=71
	// +kubebuilder:validation:XValidation:rule="self.matches('^sha256:[0-9a-f]{64}$')",message="must be sha256: followed by 64 hexadecimal digits"
	Digest string `json:"digest"`
}

// CatalogImage is a container image pinned by digest.
type CatalogImage struct {
	// The name under which the chart finds the image in its values (platform.images).
	// +required
	Name ModuleName `json:"name"`

	// The image with its digest, for example registry.example.org/casemanagement@sha256:….
	// +required
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9.-]+(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+@sha256:[0-9a-f]{64}$')",message="must be an image pinned by digest, for example registry.example.org/casemanagement@sha256:…"
	Ref string `json:"ref"`
}

// ModuleCatalogList is a list of ModuleCatalogs.
//
// +kubebuilder:object:root=true
type ModuleCatalogList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ModuleCatalog `json:"items"`
}
