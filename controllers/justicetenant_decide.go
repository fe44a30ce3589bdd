package controllers

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/internal/apply"
	"ejustice.dev/operator/internal/database"
	"ejustice.dev/operator/internal/vault"
)

// tenantAction is one thing to do for a tenant.
type tenantAction string

const (
	tenantAddFinalizer    tenantAction = "AddFinalizer"    // keep the object until the data is safe
	tenantApply           tenantAction = "Apply"           // write the step's objects
	tenantRemoveModules   tenantAction = "RemoveModules"   // delete the named CourtModules
	tenantChangeVault     tenantAction = "ChangeVault"     // make what Vault lacks
	tenantRenew           tenantAction = "Renew"           // new certificates of the present authority
	tenantRotate          tenantAction = "Rotate"          // new keys, credentials and certificates
	tenantLockVault       tenantAction = "LockVault"       // end everybody's access to the tenant's secrets
	tenantDestroyVault    tenantAction = "DestroyVault"    // destroy the tenant's secrets and keys
	tenantEnsureExternal  tenantAction = "EnsureExternal"  // make the named modules' external databases
	tenantDeleteDatabase  tenantAction = "DeleteDatabase"  // delete the embedded cluster
	tenantAwaitPods       tenantAction = "AwaitPods"       // the last programs are ending
	tenantDeleteNamespace tenantAction = "DeleteNamespace" // delete the namespace
	tenantRelease         tenantAction = "Release"         // let the object go
	tenantWait            tenantAction = "Wait"            // something must come first
	tenantSettled         tenantAction = "Settled"         // nothing to do
)

// tenantStep is the next step for a tenant and what it works on.
type tenantStep struct {
	action  tenantAction
	objects []apply.Object
	names   []string
	changes []vault.Change
}

// decideTenant chooses the one next step. It looks at nothing but the snapshot.
func decideTenant(s *tenantSnapshot) tenantStep {
	if !s.tenant.DeletionTimestamp.IsZero() {
		return decideTenantDeletion(s)
	}
	switch {
	case s.namespace == namespaceForeign, s.namespace == namespaceTerminating:
		return tenantStep{action: tenantWait}
	case !slices.Contains(s.tenant.Finalizers, v1alpha1.FinalizerTenant):
		return tenantStep{action: tenantAddFinalizer}
	case len(s.frame) > 0:
		return tenantStep{action: tenantApply, objects: s.frame}
	case len(s.secrets.frame) > 0:
		return tenantStep{action: tenantChangeVault, changes: s.secrets.frame}
	case len(s.secrets.pending) > 0:
		return tenantStep{action: tenantApply, objects: s.secrets.pending}
	case len(s.secrets.stale) > 0:
		return tenantStep{action: tenantRenew}
	case s.cluster != nil:
		return tenantStep{action: tenantApply, objects: []apply.Object{*s.cluster}}
	case len(s.dbs) > 0:
		return tenantStep{action: tenantApply, objects: s.dbs}
	case len(s.listed) > 0:
		return tenantStep{action: tenantApply, objects: s.listed}
	case len(s.route.pending) > 0:
		return tenantStep{action: tenantApply, objects: s.route.pending}
	case len(s.surplus) > 0:
		return tenantStep{action: tenantRemoveModules, names: s.surplus}
	case len(s.unverified) > 0:
		return tenantStep{action: tenantEnsureExternal, names: s.unverified}
	case len(s.secrets.credentials) > 0:
		return tenantStep{action: tenantChangeVault, changes: s.secrets.credentials}
	case len(s.proof) > 0:
		return tenantStep{action: tenantApply, objects: s.proof}
	case rotationDue(s) && tenantIsReady(s):
		return tenantStep{action: tenantRotate}
	case !tenantIsReady(s), !published(s):
		return tenantStep{action: tenantWait}
	}
	return tenantStep{action: tenantSettled}
}

// decideTenantDeletion stops the modules first, then the database, then lets go. With
// policy Retain the namespace and everything in it stays.
func decideTenantDeletion(s *tenantSnapshot) tenantStep {
	t := s.tenant
	switch {
	case !slices.Contains(t.Finalizers, v1alpha1.FinalizerTenant):
		return tenantStep{action: tenantSettled}
	case !t.Stopping():
		return tenantStep{action: tenantWait}
	case s.namespace == namespaceAbsent, s.namespace == namespaceForeign:
		return tenantStep{action: tenantRelease}
	case s.namespace == namespaceTerminating:
		return tenantStep{action: tenantWait}
	case t.Spec.DeletionPolicy == v1alpha1.DeletionDelete:
		return decideDelete(s)
	}
	return decideRetain(s)
}

func decideRetain(s *tenantSnapshot) tenantStep {
	for i := range s.modules {
		if !moduleStopped(&s.modules[i]) {
			return tenantStep{action: tenantWait}
		}
	}
	// While the database still runs: the users that Vault made are dropped in it.
	if step, done := lockVault(s); !done {
		return step
	}
	if s.hibernation != nil {
		return tenantStep{action: tenantApply, objects: []apply.Object{*s.hibernation}}
	}
	return tenantStep{action: tenantRelease}
}

// lockVault ends access to the tenant's secrets, if that is not done yet and Vault answers.
func lockVault(s *tenantSnapshot) (tenantStep, bool) {
	switch {
	case s.secrets.trouble != nil:
		return tenantStep{action: tenantWait}, false
	case !s.secrets.locked:
		return tenantStep{action: tenantLockVault}, false
	}
	return tenantStep{}, true
}

func decideDelete(s *tenantSnapshot) tenantStep {
	if len(s.modules) > 0 {
		var remaining []string
		for i := range s.modules {
			if s.modules[i].DeletionTimestamp.IsZero() {
				remaining = append(remaining, s.modules[i].Name)
			}
		}
		if len(remaining) > 0 {
			return tenantStep{action: tenantRemoveModules, names: remaining}
		}
		return tenantStep{action: tenantWait}
	}
	if step, done := lockVault(s); !done {
		return step
	}
	if s.liveCluster != nil {
		if s.liveCluster.GetDeletionTimestamp() == nil {
			return tenantStep{action: tenantDeleteDatabase}
		}
		return tenantStep{action: tenantWait}
	}
	// Kubernetes asks a namespace whose pods still end only after half their grace period
	// again, which for a database is a quarter of an hour; and policies may go before pods.
	if s.podsLeft {
		return tenantStep{action: tenantAwaitPods}
	}
	if !s.secrets.destroyed {
		return tenantStep{action: tenantDestroyVault}
	}
	return tenantStep{action: tenantDeleteNamespace}
}

// moduleStopped reports whether nothing of the module runs any more.
func moduleStopped(m *v1alpha1.CourtModule) bool {
	_, reason, _ := conditionOf(m.Status.Conditions, v1alpha1.ConditionReady)
	return reason == reasonStopped && m.Status.HelmRevision == 0
}

// tenantIsReady reports whether database and modules are as wanted and lie at home.
func tenantIsReady(s *tenantSnapshot) bool {
	return s.releaseProblem == nil && resident(s) && secretsVerdict(s).Status == metav1.ConditionTrue &&
		certificatesVerdict(s).Status == metav1.ConditionTrue && databasesMissing(s) == "" && databaseServes(s) && modulesMissing(s) == nil
}

func resident(s *tenantSnapshot) bool { return s.inventory != nil && s.inventory.Resident }

func databaseServes(s *tenantSnapshot) bool {
	return s.tenant.Spec.Database.External != nil || len(s.needDatabase) == 0 || database.ClusterServes(s.liveCluster)
}

// databasesMissing names the first module without a usable database.
func databasesMissing(s *tenantSnapshot) string {
	for _, module := range s.needDatabase {
		if !slices.Contains(s.databases, module) {
			return module
		}
	}
	return ""
}

// modulesMissing returns the first module that is not Ready at the wanted version.
func modulesMissing(s *tenantSnapshot) *v1alpha1.CourtModule {
	for i := range s.modules {
		if !moduleReady(s, &s.modules[i]) {
			return &s.modules[i]
		}
	}
	return nil
}

func moduleReady(s *tenantSnapshot, m *v1alpha1.CourtModule) bool {
	ready, _, _ := conditionOf(m.Status.Conditions, v1alpha1.ConditionReady)
	version, known := s.versions[m.Name]
	return ready && m.Status.ObservedGeneration == m.Generation && (!known || m.Status.Version == version)
}
