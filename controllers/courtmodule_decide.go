package controllers

import (
	"slices"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/internal/helm"
)

// moduleAction is one thing to do for a module.
type moduleAction string

const (
	moduleAddFinalizer moduleAction = "AddFinalizer" // keep the object until it is uninstalled
	moduleInstall      moduleAction = "Install"      // make the first revision
	moduleUpgrade      moduleAction = "Upgrade"      // make the next revision
	moduleUnlock       moduleAction = "Unlock"       // mark a revision that was cut off as failed
	moduleUninstall    moduleAction = "Uninstall"    // remove the release; the database stays
	moduleCorrect      moduleAction = "Correct"      // put back what someone changed
	moduleRelease      moduleAction = "Release"      // let the object go
	moduleWait         moduleAction = "Wait"         // something must come first
	moduleSettled      moduleAction = "Settled"      // nothing to do
)

// decideModule chooses the one next step. It looks at nothing but the snapshot.
func decideModule(s *moduleSnapshot) moduleAction {
	if !s.module.DeletionTimestamp.IsZero() {
		return decideModuleDeletion(s)
	}
	if s.tenant == nil || s.tenant.Stopping() {
		return decideModuleStop(s)
	}
	release := s.release
	switch {
	case !slices.Contains(s.module.Finalizers, v1alpha1.FinalizerModule):
		return moduleAddFinalizer
	case release != nil && release.State == helm.Pending:
		return moduleUnlock
	case release != nil && release.State == helm.Uninstalling:
		return moduleUninstall
	case s.problem != nil && release != nil && release.State == helm.Deployed && len(s.drifted) > 0:
		return moduleCorrect // what runs keeps running, whatever the new wish lacks
	case s.problem != nil:
		return moduleWait
	case release == nil && (!s.databaseReady || s.certificateMissing != ""):
		return moduleWait
	case release == nil:
		return moduleInstall
	case release.Inputs != s.inputs, release.State == helm.Failed:
		return moduleUpgrade
	case len(s.drifted) > 0:
		return moduleCorrect
	case s.workloads != nil:
		return moduleWait
	}
	return moduleSettled
}

func decideModuleDeletion(s *moduleSnapshot) moduleAction {
	switch {
	case !slices.Contains(s.module.Finalizers, v1alpha1.FinalizerModule):
		return moduleSettled
	case s.release != nil:
		return moduleUninstall
	}
	return moduleRelease
}

// decideModuleStop is for a module whose tenant is gone or going: nothing runs, and the
// object stays, so that the module comes back with the tenant.
func decideModuleStop(s *moduleSnapshot) moduleAction {
	if s.release != nil {
		return moduleUninstall
	}
	return moduleSettled
}
