package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// JusticeTenant is one country's (or province's) e-justice platform. Applying it creates
// the namespace justice-<name> with its limits, roles, database and modules. Deleting it
// stops the modules and keeps the data, unless deletionPolicy says otherwise.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=jt,categories=ejustice
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Release",type=string,JSONPath=`.status.release`
// +kubebuilder:printcolumn:name="Modules",type=string,JSONPath=`.status.modulesReady`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Country",type=string,JSONPath=`.spec.country`,priority=1
// +kubebuilder:printcolumn:name="Namespace",type=string,JSONPath=`.status.namespace`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$')",message="metadata.name must be at most 40 lower-case letters, digits and hyphens and start with a letter, for example saint-lucia"
type JusticeTenant struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// What the country wants to run.
	// +required
	Spec JusticeTenantSpec `json:"spec"`

	// How it fares.
	// +optional
	Status JusticeTenantStatus `json:"status,omitempty"`
}

// DeletionPolicy says what happens to the data when the tenant is deleted.
//
// +kubebuilder:validation:XValidation:rule="self == 'Retain' || self == 'Delete'",message="must be Retain (keep all data) or Delete (delete all data once confirmed)"
// +kubebuilder:validation:MaxLength=16
type DeletionPolicy string

const (
	// DeletionRetain keeps namespace, database, documents and Secrets.
	DeletionRetain DeletionPolicy = "Retain"
	// DeletionDelete deletes everything once the deletion is confirmed.
	DeletionDelete DeletionPolicy = "Delete"
)

// JusticeTenantSpec says what the country wants to run.
//
// +kubebuilder:validation:XValidation:rule="size(self.languages) == 0 || self.languages[0] in self.displayNames",message="displayNames must have an entry for the first language in languages"
// +kubebuilder:validation:XValidation:rule="!isSemver(self.release) || !isSemver(oldSelf.release) || semver(self.release).compareTo(semver(oldSelf.release)) >= 0",message="release cannot go down: database changes of a newer release cannot be undone; choose the same or a newer release"
type JusticeTenantSpec struct {
	// The country, as its ISO 3166-1 alpha-2 code, for example PS. It cannot be changed.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="country cannot be changed: data of one country never becomes that of another"
	Country CountryCode `json:"country"`

	// The name people see, by language: {ar: …, en: …}. The first of languages is required.
	// +required
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=20
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.matches('^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$'))",message="the keys must be BCP 47 language tags, for example en, fr, ar or pt-BR"
	DisplayNames map[string]DisplayName `json:"displayNames"`

	// The languages of the platform as BCP 47 tags; the first is the default.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=20
	Languages []LanguageTag `json:"languages"`

	// The time zone as in the IANA database, for example Asia/Hebron. Days, years of case
	// numbers and deadlines are counted in it.
	// +required
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$') && self != 'Local' && timestamp('2026-01-01T00:00:00Z').getHours(self) >= 0",message="must be an IANA time zone, for example Asia/Hebron, Africa/Abidjan or America/St_Lucia"
	TimeZone string `json:"timeZone"`

	// The DNS name under which the platform is reached, for example justice.gov.lc.
	// +required
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?([.][a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)+$')",message="must be a DNS name in lower case without scheme or port, for example justice.gov.lc"
	Domain string `json:"domain"`

	// Where the tenant's data may lie. Without it: in its own country only.
	// +optional
	Residency *Residency `json:"residency,omitempty"`

	// The platform release to follow: the name of a ModuleCatalog, for example 0.1.0.
	// It never goes down.
	// +required
	Release Version `json:"release"`

	// The modules to install. Removing one uninstalls it and keeps its database.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=20
	Modules []TenantModule `json:"modules,omitempty"`

	// How people sign in. No effect yet: sign-in comes with a later release.
	// +optional
	Identity *Identity `json:"identity,omitempty"`

	// Who certifies the tenant's domain to browsers: a cert-manager issuer for an ACME service
	// or the country's own authority. Default: the operator's publicIssuer.
	// +optional
	PublicIssuer *IssuerReference `json:"publicIssuer,omitempty"`

	// The PostgreSQL database: one of our own in the country, or an external one.
	// +optional
	// +default={}
	Database Database `json:"database,omitempty"`

	// When backups are taken and how long they are kept. No effect yet: no backups are
	// taken by this release, and the condition BackedUp says so.
	// +optional
	Backup *Backup `json:"backup,omitempty"`

	// When upgrades may run, in the tenant's time zone. No effect yet: upgrades run as soon
	// as release or version changes.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=14
	MaintenanceWindows []MaintenanceWindow `json:"maintenanceWindows,omitempty"`

	// What the tenant may use of the cluster in total.
	// +optional
	// +default={}
	Quota Quota `json:"quota,omitempty"`

	// What happens to the data when this tenant is deleted. Retain keeps namespace,
	// database, documents and Secrets, and a tenant of the same name takes them up again.
	// Delete deletes them, but only once the annotation ejustice.dev/confirm-deletion holds
	// the tenant's name; databases on an external server are left to the ministry even then.
	// +optional
	// +default="Retain"
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// DisplayName is a name as people see it.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=200
type DisplayName string

// Residency says where data may lie.
type Residency struct {
	// Countries (ISO 3166-1 alpha-2) whose nodes may run the tenant's pods and hold its
	// volumes. A node and a StorageClass state their country with the label
	// ejustice.dev/jurisdiction. Default: the tenant's own country.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=10
	Jurisdictions []CountryCode `json:"jurisdictions,omitempty"`

	// The StorageClass of the embedded database's volumes; it must be labelled with one of
	// the jurisdictions. Default: the first by name that is, in the order of jurisdictions.
	// A database that exists keeps the class it was made with.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="must be the name of a StorageClass, for example local-ps"
	StorageClass string `json:"storageClass,omitempty"`
}

// TenantModule is a module that the tenant lists.
type TenantModule struct {
	// The module's name in the catalog, for example casemanagement.
	// +required
	Name ModuleName `json:"name"`

	ModuleSettings `json:",inline"`
}

// Identity says how people sign in.
type Identity struct {
	// The ministry's OpenID Connect issuer, for example https://login.justice.gov.lc.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() == 'https' && url(self).getHost() != ''",message="must be an https address, for example https://login.justice.gov.lc"
	IssuerURL string `json:"issuerURL,omitempty"`
}

// IssuerReference names a cert-manager issuer.
type IssuerReference struct {
	// ClusterIssuer, or Issuer for one in the tenant's namespace.
	// +optional
	// +default="ClusterIssuer"
	// +kubebuilder:validation:Enum=ClusterIssuer;Issuer
	Kind string `json:"kind,omitempty"`

	// The issuer's name, for example letsencrypt.
	// +required
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="must be the name of a cert-manager issuer, for example letsencrypt"
	Name string `json:"name"`
}

// Database says where the tenant's databases live. Either fill in external, or the other
// fields (all of which have defaults).
//
// +kubebuilder:validation:XValidation:rule="!has(self.external) || !(has(self.instances) || has(self.storage) || has(self.resources))",message="external and instances, storage or resources exclude each other: those size the embedded database only"
// +kubebuilder:validation:XValidation:rule="has(self.external) == has(oldSelf.external)",message="cannot switch between the embedded and an external database: data would be left behind; create a new tenant and move the data"
// +kubebuilder:validation:XValidation:rule="(has(self.storage) && !isQuantity(string(self.storage))) || (has(oldSelf.storage) && !isQuantity(string(oldSelf.storage))) || quantity(has(self.storage) ? string(self.storage) : '5Gi').compareTo(quantity(has(oldSelf.storage) ? string(oldSelf.storage) : '5Gi')) >= 0",message="storage cannot shrink: volumes can only grow"
type Database struct {
	// How many PostgreSQL instances run, one of them primary. Default 1; two or more keep
	// the database serving while a node is down.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=5
	Instances int32 `json:"instances,omitempty"`

	// The size of each instance's volume, for example 20Gi. Default 5Gi. It can only grow.
	// +optional
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && quantity(string(self)).isGreaterThan(quantity('0'))",message="must be a positive quantity, for example 5Gi"
	Storage *intstr.IntOrString `json:"storage,omitempty"`

	// CPU and memory of each instance. Default 50m CPU and 256Mi memory set aside.
	// +optional
	Resources *Resources `json:"resources,omitempty"`

	// A PostgreSQL server that the ministry runs itself. The operator creates one database
	// and one owner role a module on it.
	// +optional
	External *ExternalDatabase `json:"external,omitempty"`
}

// ExternalDatabase is a PostgreSQL server outside the operator's care.
type ExternalDatabase struct {
	// The server's host name or address.
	// +required
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9]([-A-Za-z0-9.:]*[A-Za-z0-9])?$')",message="must be a host name or an IP address without port, for example postgres.moj.example"
	Host string `json:"host"`

	// The server's port.
	// +optional
	// +default=5432
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`

	// How the connection is protected: disable, require, verify-ca or verify-full.
	// +optional
	// +default="verify-full"
	// +kubebuilder:validation:Enum=disable;require;verify-ca;verify-full
	SSLMode string `json:"sslMode,omitempty"`

	// The Secret with username and password of a role that may create roles and databases.
	// +required
	AdminSecretRef SecretReference `json:"adminSecretRef"`
}

// SecretReference names a Secret in the operator's namespace. It cannot name another
// namespace: whoever may create tenants must not thereby read any Secret of the cluster.
type SecretReference struct {
	// The Secret's name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// The Secret's namespace. It must be the operator's namespace, which is the default.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
}

// Backup says when backups are taken and how long they are kept.
type Backup struct {
	// When, as five cron fields in the tenant's time zone, for example "0 2 * * *".
	// +required
	// +kubebuilder:validation:MaxLength=100
	// +kubebuilder:validation:XValidation:rule="self.split(' ').size() == 5 && self.split(' ')[0].matches('^([*]|[0-5]?[0-9](-[0-5]?[0-9])?)(/[1-9][0-9]?)?(,([*]|[0-5]?[0-9](-[0-5]?[0-9])?)(/[1-9][0-9]?)?)*$') && self.split(' ')[1].matches('^([*]|([01]?[0-9]|2[0-3])(-([01]?[0-9]|2[0-3]))?)(/[1-9][0-9]?)?(,([*]|([01]?[0-9]|2[0-3])(-([01]?[0-9]|2[0-3]))?)(/[1-9][0-9]?)?)*$') && self.split(' ')[2].matches('^([*]|(0?[1-9]|[12][0-9]|3[01])(-(0?[1-9]|[12][0-9]|3[01]))?)(/[1-9][0-9]?)?(,([*]|(0?[1-9]|[12][0-9]|3[01])(-(0?[1-9]|[12][0-9]|3[01]))?)(/[1-9][0-9]?)?)*$') && self.split(' ')[3].matches('^([*]|(0?[1-9]|1[0-2])(-(0?[1-9]|1[0-2]))?)(/[1-9][0-9]?)?(,([*]|(0?[1-9]|1[0-2])(-(0?[1-9]|1[0-2]))?)(/[1-9][0-9]?)?)*$') && self.split(' ')[4].matches('^([*]|[0-7](-[0-7])?)(/[1-9][0-9]?)?(,([*]|[0-7](-[0-7])?)(/[1-9][0-9]?)?)*$')",message="must be five cron fields (minute hour day month weekday), for example '0 2 * * *' for every night at two"
	Schedule string `json:"schedule"`

	// How many days a backup is kept.
	// +optional
	// +default=30
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3650
	RetentionDays int32 `json:"retentionDays,omitempty"`
}

// MaintenanceWindow is a time span in which upgrades may run.
type MaintenanceWindow struct {
	// The days on which the window opens; without it every day.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=7
	Days []Weekday `json:"days,omitempty"`

	// When the window opens, as HH:MM in the tenant's time zone, for example 22:00.
	// +required
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([01][0-9]|2[0-3]):[0-5][0-9]$')",message="must be a time of day as HH:MM, for example 22:00"
	Start string `json:"start"`

	// How long it stays open, from 15m to 24h, for example 4h or 1h30m.
	// +required
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,2}h)?([0-9]{1,4}m)?$') && size(self) > 0 && duration(self) >= duration('15m') && duration(self) <= duration('24h')",message="must be from 15m to 24h, for example 4h or 1h30m"
	Duration string `json:"duration"`
}

// Weekday is a day of the week.
//
// +kubebuilder:validation:Enum=Monday;Tuesday;Wednesday;Thursday;Friday;Saturday;Sunday
type Weekday string

// Quota bounds what all pods of the tenant may use together.
type Quota struct {
	// CPU that all pods together may request.
	// +optional
	// +default="8"
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && quantity(string(self)).isGreaterThan(quantity('0'))",message="must be a positive quantity, for example 8 or 500m"
	CPU *intstr.IntOrString `json:"cpu,omitempty"`

	// Memory that all pods together may request.
	// +optional
	// +default="16Gi"
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && quantity(string(self)).isGreaterThan(quantity('0'))",message="must be a positive quantity, for example 16Gi"
	Memory *intstr.IntOrString `json:"memory,omitempty"`

	// Storage that all volumes together may request.
	// +optional
	// +default="200Gi"
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && quantity(string(self)).isGreaterThan(quantity('0'))",message="must be a positive quantity, for example 200Gi"
	Storage *intstr.IntOrString `json:"storage,omitempty"`

	// How many pods may exist at once.
	// +optional
	// +default=60
	// +kubebuilder:validation:Minimum=1
	Pods int32 `json:"pods,omitempty"`
}

// JusticeTenantStatus says how the tenant fares.
type JusticeTenantStatus struct {
	// The generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// The tenant's namespace.
	// +optional
	Namespace string `json:"namespace,omitempty"`

	// The release that every module of the tenant runs; it changes when all have arrived.
	// +optional
	Release string `json:"release,omitempty"`

	// How many modules are Ready, of how many, for example 1/1.
	// +optional
	ModulesReady string `json:"modulesReady,omitempty"`

	// The modules whose database exists and can be used.
	// +optional
	// +listType=set
	Databases []string `json:"databases,omitempty"`

	// The modules whose key in Vault was made. A key that is gone is never made anew, because
	// the new one would not decrypt what is stored.
	// +optional
	// +listType=set
	Keys []string `json:"keys,omitempty"`

	// The word of the annotation ejustice.dev/rotate that was last carried out.
	// +optional
	Rotation string `json:"rotation,omitempty"`

	// Ready, Reconciling, Stalled, Isolated, Resident, SecretsReady, CertificatesReady,
	// DatabaseReady, ModulesReady and BackedUp; the message of Ready says what is missing.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// JusticeTenantList is a list of JusticeTenants.
//
// +kubebuilder:object:root=true
type JusticeTenantList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []JusticeTenant `json:"items"`
}
