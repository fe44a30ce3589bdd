package controllers

import (
	"fmt"
	"slices"

	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ejustice.dev/operator/api/v1alpha1"
	ejac "ejustice.dev/operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"ejustice.dev/operator/internal/database"
	"ejustice.dev/operator/internal/status"
)

// reportTenant says how the tenant fares. It looks at nothing but the snapshot and what the
// last step failed with, if it did.
func reportTenant(s *tenantSnapshot, failed *failure) v1alpha1.JusticeTenantStatus {
	t := s.tenant
	out := *t.Status.DeepCopy()
	out.ObservedGeneration = t.Generation
	out.Namespace = v1alpha1.NamespaceFor(t.Name)
	if s.namespace != namespaceOurs {
		out.Databases, out.ModulesReady = nil, ""
	} else {
		out.Databases = s.databases
		out.ModulesReady = countReady(s)
	}

	db, modules := databaseVerdict(s, failed), modulesVerdict(s)
	status.Set(&out.Conditions, v1alpha1.ConditionDatabaseReady, t.Generation, db)
	status.Set(&out.Conditions, v1alpha1.ConditionModulesReady, t.Generation, modules)
	out.Keys = s.secrets.keys
	if s.tenant.Stopping() || s.namespace != namespaceOurs {
		out.Keys = t.Status.Keys
	}
	if s.secrets.rotated != "" {
		out.Rotation = s.secrets.rotated
	}
	secrets, certificates := secretsVerdict(s), certificatesVerdict(s)
	status.Set(&out.Conditions, v1alpha1.ConditionSecretsReady, t.Generation, secrets)
	status.Set(&out.Conditions, v1alpha1.ConditionCertificatesReady, t.Generation, certificates)
	status.Set(&out.Conditions, v1alpha1.ConditionIsolated, t.Generation, isolatedVerdict(s))
	status.Set(&out.Conditions, v1alpha1.ConditionResident, t.Generation, residentVerdict(s))
	reportPublished(s, &out.Conditions)
	status.Set(&out.Conditions, v1alpha1.ConditionBackedUp, t.Generation, status.No("NoBackups",
		"no backups are taken yet: this release of the platform has none, back up the database by your own means"))

	phase, overall := tenantVerdict(s, failed, db, modules)
	status.SetPhase(&out.Conditions, t.Generation, phase, overall.Reason, overall.Message)
	if phase == status.Ready {
		out.Release = string(t.Spec.Release)
	}
	status.Sort(out.Conditions)
	return out
}

func tenantVerdict(s *tenantSnapshot, failed *failure, db, modules status.Verdict) (status.Phase, status.Verdict) {
	t := s.tenant
	ns := v1alpha1.NamespaceFor(t.Name)
	switch {
	case !t.DeletionTimestamp.IsZero() && !t.Stopping():
		return status.Stalled, status.No("DeletionNotConfirmed", fmt.Sprintf(
			"deletion would delete all data of this tenant and is not confirmed; nothing is deleted: annotate it with %s=%s to confirm, or set spec.deletionPolicy to Retain to keep the data",
			v1alpha1.AnnotationConfirmDeletion, t.Name))
	case failed != nil && failed.stalled:
		return status.Stalled, failed.verdict
	case failed != nil:
		return status.Reconciling, failed.verdict
	case !t.DeletionTimestamp.IsZero():
		return status.Reconciling, deletionVerdict(s)
	case s.namespace == namespaceForeign:
		return status.Stalled, status.No("NamespaceTaken", fmt.Sprintf(
			"namespace %s exists and does not belong to this tenant: remove that namespace or choose another tenant name", ns))
	case s.namespace == namespaceTerminating:
		return status.Reconciling, status.No("NamespaceTerminating", fmt.Sprintf("namespace %s is still being deleted: the tenant is created once it is gone", ns))
	case s.namespace == namespaceAbsent:
		return status.Reconciling, status.No("Creating", fmt.Sprintf("namespace %s is about to be created", ns))
	case s.releaseProblem != nil:
		return status.Stalled, status.No(s.releaseProblem.Reason, s.releaseProblem.Message)
	case s.inventory != nil && !s.inventory.Resident:
		return status.Stalled, residentVerdict(s)
	case s.secrets.trouble != nil:
		if s.secrets.trouble.Person {
			return status.Stalled, secretsVerdict(s)
		}
		return status.Reconciling, secretsVerdict(s)
	case s.secrets.noIssuer:
		return status.Stalled, certificatesVerdict(s)
	case s.route.missing, s.route.holder != "":
		return status.Stalled, publishedVerdict(s)
	case len(s.secrets.frame) > 0:
		return status.Reconciling, secretsVerdict(s)
	case s.liveCluster == nil && s.tenant.Spec.Database.External == nil && len(s.secrets.unusable) > 0:
		return status.Reconciling, certificatesVerdict(s)
	case db.Status != metav1.ConditionTrue:
		return status.Reconciling, db
	case modules.Status != metav1.ConditionTrue:
		phase := status.Reconciling
		if m := modulesMissing(s); m != nil {
			if stalled, _, _ := conditionOf(m.Status.Conditions, v1alpha1.ConditionStalled); stalled {
				phase = status.Stalled
			}
		}
		return phase, modules
	case certificatesVerdict(s).Status != metav1.ConditionTrue:
		return status.Reconciling, certificatesVerdict(s)
	case !slices.Contains(t.Finalizers, v1alpha1.FinalizerTenant), len(s.frame) > 0, s.cluster != nil, len(s.listed) > 0, len(s.surplus) > 0,
		len(s.secrets.pending) > 0, len(s.secrets.credentials) > 0, len(s.dbs) > 0, len(s.proof) > 0, rotationDue(s) && s.secrets.rotated == "":
		return status.Reconciling, status.No("Updating", "changes are being applied")
	case !published(s):
		return status.Reconciling, publishedVerdict(s)
	}
	return status.Ready, status.Yes("Running", fmt.Sprintf("release %s runs with all modules", t.Spec.Release))
}

func deletionVerdict(s *tenantSnapshot) status.Verdict {
	for i := range s.modules {
		m := &s.modules[i]
		if !moduleStopped(m) {
			_, _, message := conditionOf(m.Status.Conditions, v1alpha1.ConditionReady)
			if stalled, _, _ := conditionOf(m.Status.Conditions, v1alpha1.ConditionStalled); stalled {
				return status.No("Stopping", fmt.Sprintf("module %s cannot be stopped: %s", m.Name, message))
			}
			return status.No("Stopping", fmt.Sprintf("module %s is being stopped", m.Name))
		}
	}
	if s.secrets.trouble != nil {
		return status.No(s.secrets.trouble.Reason, fmt.Sprintf("access in Vault has to be ended first: %s; if Vault is gone for good, annotate the tenant with %s=%s",
			s.secrets.trouble.Message, v1alpha1.AnnotationLeaveVault, s.tenant.Name))
	}
	if s.tenant.Spec.DeletionPolicy == v1alpha1.DeletionDelete {
		return status.No("Deleting", "database, keys and namespace are being deleted")
	}
	return status.No("Stopping", "the database is being stopped; all data is kept, and in Vault the keys that read it")
}

func databaseVerdict(s *tenantSnapshot, failed *failure) status.Verdict {
	t := s.tenant
	missing := databasesMissing(s)
	switch {
	case !t.DeletionTimestamp.IsZero() && t.Stopping():
		return status.No("Stopping", "the tenant is being deleted")
	case s.namespace != namespaceOurs:
		return status.No("Waiting", "the namespace comes first")
	case len(s.needDatabase) == 0:
		return status.Yes("NotNeeded", "no module needs a database")
	case t.Spec.Database.External != nil && missing != "" && failed != nil:
		return failed.verdict
	case t.Spec.Database.External != nil && missing != "":
		return status.No("Preparing", fmt.Sprintf("the database of %s on %s is being prepared", missing, t.Spec.Database.External.Host))
	case t.Spec.Database.External != nil:
		return status.Yes("Serving", "every module has its database on "+t.Spec.Database.External.Host)
	case s.databaseTrouble != nil:
		return *s.databaseTrouble
	case !database.ClusterServes(s.liveCluster):
		return status.No("ClusterNotReady", database.Describe(s.liveCluster))
	case missing != "":
		return status.No("Preparing", fmt.Sprintf("the database of %s and its credentials are being made", missing))
	}
	return status.Yes("Serving", "every module has its database")
}

func modulesVerdict(s *tenantSnapshot) status.Verdict {
	if s.namespace != namespaceOurs {
		return status.No("Waiting", "the namespace comes first")
	}
	if len(s.listed) > 0 {
		return status.No("Creating", "modules are being created")
	}
	m := modulesMissing(s)
	if m == nil {
		return status.Yes("Running", fmt.Sprintf("%s modules are ready", countReady(s)))
	}
	if ready, reason, message := conditionOf(m.Status.Conditions, v1alpha1.ConditionReady); !ready && reason != "" {
		return status.No(reason, fmt.Sprintf("module %s: %s", m.Name, message))
	}
	return status.No("Updating", fmt.Sprintf("module %s is being brought to the wanted version", m.Name))
}

func countReady(s *tenantSnapshot) string {
	ready := 0
	for i := range s.modules {
		if moduleReady(s, &s.modules[i]) {
			ready++
		}
	}
	return fmt.Sprintf("%d/%d", ready, len(s.modules))
}

// tenantStatusConfig is the typed form in which the status is applied.
func tenantStatusConfig(t *v1alpha1.JusticeTenant, s v1alpha1.JusticeTenantStatus) *ejac.JusticeTenantApplyConfiguration {
	config := ejac.JusticeTenantStatus().
		WithObservedGeneration(s.ObservedGeneration).
		WithNamespace(s.Namespace).
		WithModulesReady(s.ModulesReady).
		WithDatabases(s.Databases...).
		WithKeys(s.Keys...).
		WithConditions(conditionConfigs(s.Conditions)...)
	if s.Release != "" {
		config.WithRelease(s.Release)
	}
	if s.Rotation != "" {
		config.WithRotation(s.Rotation)
	}
	return ejac.JusticeTenant(t.Name).WithStatus(config)
}

func conditionConfigs(conditions []metav1.Condition) []*metav1ac.ConditionApplyConfiguration {
	out := make([]*metav1ac.ConditionApplyConfiguration, 0, len(conditions))
	for _, c := range conditions {
		out = append(out, metav1ac.Condition().
			WithType(c.Type).WithStatus(c.Status).WithReason(c.Reason).WithMessage(c.Message).
			WithObservedGeneration(c.ObservedGeneration).WithLastTransitionTime(c.LastTransitionTime))
	}
	return out
}
