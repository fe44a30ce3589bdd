package v1alpha1

// Labels, annotations and finalizers that the operator sets or reads.
const (
	// LabelTenant carries the tenant's name on every object of the tenant.
	LabelTenant = "ejustice.dev/tenant"
	// LabelModule carries the module's name on every object of a module.
	LabelModule = "ejustice.dev/module"
	// LabelTenantListed is "true" on CourtModules that the JusticeTenant lists; the tenant
	// changes and removes only those.
	LabelTenantListed = "ejustice.dev/tenant-listed"
	// LabelVault is "true" on the namespace that Vault runs in: tenants' network policies let
	// it reach their databases, and modules reach it.
	LabelVault = "ejustice.dev/vault"
	// LabelJurisdiction on a Node or a StorageClass names the country (ISO 3166-1 alpha-2)
	// in which the node stands or the volumes lie.
	LabelJurisdiction = "ejustice.dev/jurisdiction"

	// AnnotationConfirmDeletion on a JusticeTenant with deletionPolicy Delete must hold the
	// tenant's own name before anything is deleted.
	AnnotationConfirmDeletion = "ejustice.dev/confirm-deletion"
	// AnnotationAppliedHash on an object holds a hash of what the operator last applied.
	AnnotationAppliedHash = "ejustice.dev/applied-hash"

	// AnnotationJurisdictions on a tenant's namespace lists the countries in which its pods
	// may run, joined by commas; admission policies go by it.
	AnnotationJurisdictions = "ejustice.dev/jurisdictions"
	// AnnotationStorageClasses on a tenant's namespace lists the StorageClasses its volume
	// claims may name, joined by commas; admission policies go by it.
	AnnotationStorageClasses = "ejustice.dev/storage-classes"
	// AnnotationRegistries on a tenant's namespace lists the registries its images may come
	// from, joined by commas; admission policies go by it.
	AnnotationRegistries = "ejustice.dev/registries"

	// AnnotationRotate on a JusticeTenant asks for new versions of keys, credentials and
	// certificates: any new word, a date for example, starts it once.
	AnnotationRotate = "ejustice.dev/rotate"

	// AnnotationLeaveVault on a JusticeTenant that is being deleted must hold the tenant's own
	// name; then nothing is taken away in Vault. It is the way out when Vault is gone for good.
	AnnotationLeaveVault = "ejustice.dev/leave-vault"

	// FinalizerTenant keeps a JusticeTenant until its workloads are stopped.
	FinalizerTenant = "ejustice.dev/tenant"
	// FinalizerModule keeps a CourtModule until its Helm release is uninstalled.
	FinalizerModule = "ejustice.dev/uninstall"
)

// FieldOwner is the operator's name in managedFields and in app.kubernetes.io/managed-by.
const FieldOwner = "ejustice-operator"

// Condition types. Ready, Reconciling and Stalled follow kstatus.
const (
	// ConditionReady is True when the object does what its spec says.
	ConditionReady = "Ready"
	// ConditionReconciling is True while the operator is still working.
	ConditionReconciling = "Reconciling"
	// ConditionStalled is True when only a person can help; the message says how.
	ConditionStalled = "Stalled"
	// ConditionDatabaseReady is True when every module has its database.
	ConditionDatabaseReady = "DatabaseReady"
	// ConditionModulesReady is True when every CourtModule of the tenant is Ready.
	ConditionModulesReady = "ModulesReady"
	// ConditionIsolated is True when network policies close the tenant and a forbidden
	// connection, tried, has failed.
	ConditionIsolated = "Isolated"
	// ConditionResident is True when all that the tenant has lies in its jurisdictions.
	ConditionResident = "Resident"
	// ConditionSecretsReady is True when the tenant's keys, credentials and the rights to them
	// are in Vault as they should be.
	ConditionSecretsReady = "SecretsReady"
	// ConditionCertificatesReady is True when every certificate of the tenant is issued and
	// none is about to end.
	ConditionCertificatesReady = "CertificatesReady"
	// ConditionPublished is True when the cluster's Gateway leads the tenant's domain to it. It is
	// not there where the operator is told of no Gateway.
	ConditionPublished = "Published"
	// ConditionBackedUp tells whether the tenant's data is backed up.
	ConditionBackedUp = "BackedUp"
)

// ModuleFrontDoor is the module through which people come in. A tenant of a release that has
// it gets it without listing it.
const ModuleFrontDoor = "frontdoor"

// NamespaceFor returns the namespace of a tenant.
func NamespaceFor(tenant string) string { return "justice-" + tenant }

// Module returns the module entry of the given name, or nil.
func (c *ModuleCatalog) Module(module string) *CatalogModule {
	for i := range c.Spec.Modules {
		if string(c.Spec.Modules[i].Name) == module {
			return &c.Spec.Modules[i]
		}
	}
	return nil
}

// DeletionConfirmed reports whether the tenant's confirmation annotation holds its own name.
func (t *JusticeTenant) DeletionConfirmed() bool {
	return t.Annotations[AnnotationConfirmDeletion] == t.Name
}

// Stopping reports whether the tenant's modules must stop: the tenant is being deleted and
// nothing holds that back. An unconfirmed deletion with policy Delete changes nothing.
func (t *JusticeTenant) Stopping() bool {
	if t.DeletionTimestamp.IsZero() {
		return false
	}
	return t.Spec.DeletionPolicy != DeletionDelete || t.DeletionConfirmed()
}

// Rotation is the word that last asked for rotation, or "".
func (t *JusticeTenant) Rotation() string { return t.Annotations[AnnotationRotate] }

// KindOrDefault is the kind of the issuer: ClusterIssuer unless said otherwise.
func (r *IssuerReference) KindOrDefault() string {
	if r.Kind == "" {
		return "ClusterIssuer"
	}
	return r.Kind
}

// StorageClass returns the StorageClass that the tenant wants for its database, or "".
func (t *JusticeTenant) StorageClass() string {
	if t.Spec.Residency == nil {
		return ""
	}
	return t.Spec.Residency.StorageClass
}

// Jurisdictions returns the countries in which the tenant's data may lie.
func (t *JusticeTenant) Jurisdictions() []string {
	if t.Spec.Residency == nil || len(t.Spec.Residency.Jurisdictions) == 0 {
		return []string{string(t.Spec.Country)}
	}
	out := make([]string, 0, len(t.Spec.Residency.Jurisdictions))
	for _, j := range t.Spec.Residency.Jurisdictions {
		out = append(out, string(j))
	}
	return out
}
