package controllers

import (
	"fmt"

	"ejustice.dev/operator/api/v1alpha1"
	ejac "ejustice.dev/operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"ejustice.dev/operator/internal/certificates"
	"ejustice.dev/operator/internal/helm"
	"ejustice.dev/operator/internal/status"
)

const (
	reasonStopped       = "Stopped"
	reasonValuesInvalid = "ValuesInvalid"
)

// reportModule says how the module fares. It looks at nothing but the snapshot and the
// failure of the last step, if there was one.
func reportModule(s *moduleSnapshot, failed *failure) v1alpha1.CourtModuleStatus {
	m := s.module
	out := *m.Status.DeepCopy()
	out.ObservedGeneration = m.Generation
	if s.release == nil {
		out.Version, out.ChartDigest, out.HelmRevision, out.URL = "", "", 0, ""
	} else {
		out.Version = s.release.Version
		out.HelmRevision = int32(s.release.Revision)
		out.URL = moduleURL(s)
		if s.entry != nil && s.release.Inputs == s.inputs && s.release.State == helm.Deployed {
			out.ChartDigest = s.entry.Chart.Digest
		}
	}
	phase, verdict := moduleVerdict(s, failed)
	status.SetPhase(&out.Conditions, m.Generation, phase, verdict.Reason, verdict.Message)
	status.Sort(out.Conditions)
	return out
}

// moduleURL is where the module answers: the front door to everybody, the others to those of
// its peers that may call it.
func moduleURL(s *moduleSnapshot) string {
	if s.module.Name == v1alpha1.ModuleFrontDoor && s.tenant != nil {
		return "https://" + s.tenant.Spec.Domain
	}
	return fmt.Sprintf("https://%s:8443", certificates.ModuleName(s.module.Namespace, s.module.Name))
}

func moduleVerdict(s *moduleSnapshot, failed *failure) (status.Phase, status.Verdict) {
	m := s.module
	switch {
	case failed != nil && failed.stalled:
		return status.Stalled, withOld(s, failed.verdict)
	case failed != nil:
		return status.Reconciling, withOld(s, failed.verdict)
	case !m.DeletionTimestamp.IsZero():
		return status.Reconciling, status.No("Uninstalling", "the module is being uninstalled; its database is kept")
	case s.tenantName == "":
		return status.Stalled, status.No("NotATenantNamespace", fmt.Sprintf(
			"namespace %s belongs to no JusticeTenant: create this CourtModule in a namespace justice-<tenant>", m.Namespace))
	case s.tenant == nil || s.tenant.Stopping():
		if s.release != nil {
			return status.Reconciling, status.No("Stopping", fmt.Sprintf("tenant %s is deleted: the module is being stopped", s.tenantName))
		}
		return status.Stalled, status.No(reasonStopped, fmt.Sprintf(
			"tenant %s is deleted and its data is kept: apply the JusticeTenant again to start the module", s.tenantName))
	case s.problem != nil:
		return status.Stalled, withOld(s, status.No(s.problem.Reason, s.problem.Message))
	case s.release == nil && !s.databaseReady:
		return status.Reconciling, status.No("DatabaseNotReady", "the module's database is not ready yet")
	case s.release == nil && s.certificateMissing != "":
		return status.Reconciling, status.No("CertificateNotReady", s.certificateMissing)
	case s.release == nil:
		return status.Reconciling, status.No("Installing", "the module is being installed")
	case s.release.State != helm.Deployed || s.release.Inputs != s.inputs:
		return status.Reconciling, status.No("Updating", "changes are being rolled out")
	case s.workloads != nil:
		return status.Reconciling, *s.workloads
	case len(s.drifted) > 0:
		return status.Reconciling, status.No("Correcting", fmt.Sprintf("%s was changed by someone else and is being put back", s.drifted[0]))
	}
	return status.Ready, status.Yes("Running", fmt.Sprintf("version %s runs", s.release.Version))
}

// withOld adds that the installed version still serves, when it does.
func withOld(s *moduleSnapshot, v status.Verdict) status.Verdict {
	if s.release != nil && s.release.Version != "" && s.workloads == nil && len(s.drifted) == 0 {
		v.Message += fmt.Sprintf("; version %s still serves", s.release.Version)
	}
	return v
}

// moduleStatusConfig is the typed form in which the status is applied.
func moduleStatusConfig(m *v1alpha1.CourtModule, s v1alpha1.CourtModuleStatus) *ejac.CourtModuleApplyConfiguration {
	return ejac.CourtModule(m.Name, m.Namespace).WithStatus(ejac.CourtModuleStatus().
		WithObservedGeneration(s.ObservedGeneration).
		WithVersion(s.Version).
		WithChartDigest(s.ChartDigest).
		WithHelmRevision(s.HelmRevision).
		WithURL(s.URL).
		WithConditions(conditionConfigs(s.Conditions)...))
}
