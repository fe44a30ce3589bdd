package controllers

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/internal/apply"
	"ejustice.dev/operator/internal/catalog"
	"ejustice.dev/operator/internal/helm"
	"ejustice.dev/operator/internal/residency"
	"ejustice.dev/operator/internal/status"
	"ejustice.dev/operator/internal/vault"
)

var someObject = apply.FromContent(map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "x"}})

// settledTenant is a snapshot in which nothing is left to do.
func settledTenant() *tenantSnapshot {
	t := newTenant("x")
	t.Finalizers = []string{v1alpha1.FinalizerTenant}
	m := v1alpha1.CourtModule{ObjectMeta: metav1.ObjectMeta{Name: "casemanagement"}}
	m.Status.Version = testRelease
	m.Status.HelmRevision = 1
	status.SetPhase(&m.Status.Conditions, 0, status.Ready, "Running", "runs")
	return &tenantSnapshot{
		tenant: t, namespace: namespaceOurs,
		needDatabase: []string{"casemanagement"}, databases: []string{"casemanagement"},
		liveCluster: servingCluster(), modules: []v1alpha1.CourtModule{m},
		versions:  map[string]string{"casemanagement": testRelease},
		inventory: &residency.Inventory{Resident: true},
		secrets:   secretsState{credentialsSeen: true, locked: true, destroyed: true},
	}
}

func servingCluster() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{"status": map[string]any{
		"readyInstances": int64(1), "conditions": []any{map[string]any{"type": "Ready", "status": "True"}},
	}}}
}

func deleting(t *v1alpha1.JusticeTenant) { now := metav1.Now(); t.DeletionTimestamp = &now }

func stopModule(s *tenantSnapshot) {
	m := &s.modules[0]
	m.Status.HelmRevision = 0
	status.SetPhase(&m.Status.Conditions, 0, status.Stalled, reasonStopped, "stopped")
}

func TestDecideTenant(t *testing.T) {
	deleteConfirmed := func(s *tenantSnapshot) {
		deleting(s.tenant)
		s.tenant.Spec.DeletionPolicy = v1alpha1.DeletionDelete
		s.tenant.Annotations = map[string]string{v1alpha1.AnnotationConfirmDeletion: "x"}
	}
	tests := []struct {
		name string
		edit func(*tenantSnapshot)
		want tenantAction
	}{
		{"settled", func(*tenantSnapshot) {}, tenantSettled},
		{"no finalizer", func(s *tenantSnapshot) { s.tenant.Finalizers = nil }, tenantAddFinalizer},
		{"foreign namespace", func(s *tenantSnapshot) { s.namespace = namespaceForeign; s.frame = []apply.Object{someObject} }, tenantWait},
		{"terminating namespace", func(s *tenantSnapshot) { s.namespace = namespaceTerminating; s.frame = []apply.Object{someObject} }, tenantWait},
		{"frame differs", func(s *tenantSnapshot) { s.frame = []apply.Object{someObject}; s.cluster = &someObject }, tenantApply},
		{"Vault before the certificates", func(s *tenantSnapshot) {
			s.secrets.frame, s.secrets.pending = []vault.Change{{}}, []apply.Object{someObject}
		}, tenantChangeVault},
		{"certificates before the cluster", func(s *tenantSnapshot) {
			s.secrets.pending, s.cluster = []apply.Object{someObject}, &someObject
		}, tenantApply},
		{"users of the database missing", func(s *tenantSnapshot) { s.secrets.credentials = []vault.Change{{}} }, tenantChangeVault},
		{"Vault away", func(s *tenantSnapshot) { s.secrets.trouble = &vault.Error{} }, tenantWait},
		{"a certificate not issued", func(s *tenantSnapshot) { s.secrets.complaints = []string{"x"} }, tenantWait},
		{"rotation asked for", func(s *tenantSnapshot) {
			s.tenant.Annotations = map[string]string{v1alpha1.AnnotationRotate: "now"}
			s.tenant.Status.Release = testRelease
		}, tenantRotate},
		{"rotation done", func(s *tenantSnapshot) {
			s.tenant.Annotations = map[string]string{v1alpha1.AnnotationRotate: "now"}
			s.tenant.Status.Release, s.tenant.Status.Rotation = testRelease, "now"
		}, tenantSettled},
		{"cluster differs", func(s *tenantSnapshot) { s.cluster = &someObject }, tenantApply},
		{"database missing", func(s *tenantSnapshot) { s.dbs = []apply.Object{someObject} }, tenantApply},
		{"module missing", func(s *tenantSnapshot) { s.listed = []apply.Object{someObject} }, tenantApply},
		{"module no longer listed", func(s *tenantSnapshot) { s.surplus = []string{"old"} }, tenantRemoveModules},
		{"external database unknown", func(s *tenantSnapshot) { s.unverified = []string{"casemanagement"} }, tenantEnsureExternal},
		{"report out of date", func(s *tenantSnapshot) { s.proof = []apply.Object{someObject}; s.databases = nil }, tenantApply},
		{"something lies abroad", func(s *tenantSnapshot) { s.inventory.Resident = false }, tenantWait},
		{"database not ready", func(s *tenantSnapshot) { s.databases = nil }, tenantWait},
		{"cluster down", func(s *tenantSnapshot) { s.liveCluster = nil }, tenantWait},
		{"module of another version", func(s *tenantSnapshot) { s.versions["casemanagement"] = "9.0.0" }, tenantWait},
		{"release missing", func(s *tenantSnapshot) { s.releaseProblem = &catalog.Problem{} }, tenantWait},

		{"retain: modules first", func(s *tenantSnapshot) { deleting(s.tenant); s.hibernation = &someObject }, tenantWait},
		{"retain: then Vault", func(s *tenantSnapshot) {
			deleting(s.tenant)
			stopModule(s)
			s.hibernation, s.secrets.locked = &someObject, false
		}, tenantLockVault},
		{"retain: not without Vault", func(s *tenantSnapshot) {
			deleting(s.tenant)
			stopModule(s)
			s.secrets.trouble = &vault.Error{}
		}, tenantWait},
		{"retain: then the database", func(s *tenantSnapshot) { deleting(s.tenant); stopModule(s); s.hibernation = &someObject }, tenantApply},
		{"retain: then let go", func(s *tenantSnapshot) { deleting(s.tenant); stopModule(s) }, tenantRelease},
		{"retain: never deletes", func(s *tenantSnapshot) { deleting(s.tenant); s.modules = nil }, tenantRelease},
		{"delete unconfirmed", func(s *tenantSnapshot) {
			deleting(s.tenant)
			s.tenant.Spec.DeletionPolicy = v1alpha1.DeletionDelete
		}, tenantWait},
		{"delete confirmed for another name", func(s *tenantSnapshot) {
			deleteConfirmed(s)
			s.tenant.Annotations[v1alpha1.AnnotationConfirmDeletion] = "y"
		}, tenantWait},
		{"delete: modules first", deleteConfirmed, tenantRemoveModules},
		{"delete: wait for modules", func(s *tenantSnapshot) {
			deleteConfirmed(s)
			now := metav1.Now()
			s.modules[0].DeletionTimestamp = &now
		}, tenantWait},
		{"delete: then access in Vault", func(s *tenantSnapshot) { deleteConfirmed(s); s.modules = nil; s.secrets.locked = false }, tenantLockVault},
		{"delete: then the database", func(s *tenantSnapshot) { deleteConfirmed(s); s.modules = nil }, tenantDeleteDatabase},
		{"delete: then the last pods end", func(s *tenantSnapshot) {
			deleteConfirmed(s)
			s.modules, s.liveCluster, s.podsLeft = nil, nil, true
		}, tenantAwaitPods},
		{"delete: then the keys", func(s *tenantSnapshot) {
			deleteConfirmed(s)
			s.modules, s.liveCluster, s.secrets.destroyed = nil, nil, false
		}, tenantDestroyVault},
		{"delete: then the namespace", func(s *tenantSnapshot) { deleteConfirmed(s); s.modules = nil; s.liveCluster = nil }, tenantDeleteNamespace},
		{"delete: wait for the namespace", func(s *tenantSnapshot) { deleteConfirmed(s); s.namespace = namespaceTerminating }, tenantWait},
		{"delete: then let go", func(s *tenantSnapshot) { deleteConfirmed(s); s.namespace = namespaceAbsent }, tenantRelease},
		{"delete: a foreign namespace stays", func(s *tenantSnapshot) { deleteConfirmed(s); s.namespace = namespaceForeign }, tenantRelease},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			s := settledTenant()
			tc.edit(s)
			if got := decideTenant(s).action; got != tc.want {
				t.Errorf("decideTenant = %s, want %s", got, tc.want)
			}
		})
	}
}

// settledModule is a snapshot in which nothing is left to do.
func settledModule() *moduleSnapshot {
	m := &v1alpha1.CourtModule{ObjectMeta: metav1.ObjectMeta{Name: "casemanagement", Finalizers: []string{v1alpha1.FinalizerModule}}}
	return &moduleSnapshot{
		module: m, tenantName: "x", tenant: newTenant("x"), databaseReady: true, inputs: "same",
		entry:   &v1alpha1.CatalogModule{Version: testRelease},
		release: &helm.Release{Revision: 1, State: helm.Deployed, Inputs: "same", Version: testRelease},
	}
}

func TestDecideModule(t *testing.T) {
	remove := func(s *moduleSnapshot) { now := metav1.Now(); s.module.DeletionTimestamp = &now }
	impossible := func(s *moduleSnapshot) { s.problem = &catalog.Problem{Reason: "X", Message: "x"} }
	drift := func(s *moduleSnapshot) { s.drifted = []apply.Object{someObject} }
	tests := []struct {
		name string
		edit func(*moduleSnapshot)
		want moduleAction
	}{
		{"settled", func(*moduleSnapshot) {}, moduleSettled},
		{"no finalizer", func(s *moduleSnapshot) { s.module.Finalizers = nil }, moduleAddFinalizer},
		{"not installed", func(s *moduleSnapshot) { s.release = nil }, moduleInstall},
		{"not installed, no database", func(s *moduleSnapshot) { s.release = nil; s.databaseReady = false }, moduleWait},
		{"not installed, no certificate", func(s *moduleSnapshot) { s.release = nil; s.certificateMissing = "x" }, moduleWait},
		{"installed, database away", func(s *moduleSnapshot) { s.databaseReady = false }, moduleSettled},
		{"inputs changed", func(s *moduleSnapshot) { s.inputs = "new" }, moduleUpgrade},
		{"failed", func(s *moduleSnapshot) { s.release.State = helm.Failed }, moduleUpgrade},
		{"cut off", func(s *moduleSnapshot) { s.release.State = helm.Pending; s.inputs = "new" }, moduleUnlock},
		{"cut off and not in the catalog", func(s *moduleSnapshot) { s.release.State = helm.Pending; impossible(s) }, moduleUnlock},
		{"cut off while uninstalling", func(s *moduleSnapshot) { s.release.State = helm.Uninstalling }, moduleUninstall},
		{"drift", drift, moduleCorrect},
		{"drift goes with a change", func(s *moduleSnapshot) { drift(s); s.inputs = "new" }, moduleUpgrade},
		{"drift while the wish is impossible", func(s *moduleSnapshot) { drift(s); impossible(s) }, moduleCorrect},
		{"impossible wish", impossible, moduleWait},
		{"not serving yet", func(s *moduleSnapshot) { v := status.No("Starting", "x"); s.workloads = &v }, moduleWait},
		{"deleted, installed", remove, moduleUninstall},
		{"deleted while cut off", func(s *moduleSnapshot) { remove(s); s.release.State = helm.Pending }, moduleUninstall},
		{"deleted, uninstalled", func(s *moduleSnapshot) { remove(s); s.release = nil }, moduleRelease},
		{"deleted, let go", func(s *moduleSnapshot) { remove(s); s.module.Finalizers = nil }, moduleSettled},
		{"tenant gone", func(s *moduleSnapshot) { s.tenant = nil }, moduleUninstall},
		{"tenant going", func(s *moduleSnapshot) { deleting(s.tenant) }, moduleUninstall},
		{"tenant going unconfirmed", func(s *moduleSnapshot) {
			deleting(s.tenant)
			s.tenant.Spec.DeletionPolicy = v1alpha1.DeletionDelete
		}, moduleSettled},
		{"tenant gone, uninstalled", func(s *moduleSnapshot) { s.tenant = nil; s.release = nil }, moduleSettled},
		{"no tenant's namespace", func(s *moduleSnapshot) { s.tenant = nil; s.tenantName = ""; s.release = nil }, moduleSettled},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			s := settledModule()
			tc.edit(s)
			if got := decideModule(s); got != tc.want {
				t.Errorf("decideModule = %s, want %s", got, tc.want)
			}
		})
	}
}

func TestIsolatedVerdict(t *testing.T) {
	enforced, open := status.Yes("Enforced", "x"), status.No("NotEnforced", "y")
	policy := apply.FromContent(map[string]any{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": map[string]any{"name": "default-deny"}})
	tests := []struct {
		name string
		edit func(*tenantSnapshot)
		want string
	}{
		{"nobody has tried", func(*tenantSnapshot) {}, "Probing"},
		{"enforced", func(s *tenantSnapshot) { s.isolation = &enforced }, "Enforced"},
		{"not enforced", func(s *tenantSnapshot) { s.isolation = &open }, "NotEnforced"},
		{"enforced, but a policy is missing", func(s *tenantSnapshot) { s.isolation = &enforced; s.frame = []apply.Object{policy} }, "Closing"},
		{"enforced, something else is missing", func(s *tenantSnapshot) { s.isolation = &enforced; s.frame = []apply.Object{someObject} }, "Enforced"},
		{"an earlier run's answer stands", func(s *tenantSnapshot) {
			status.Set(&s.tenant.Status.Conditions, v1alpha1.ConditionIsolated, 0, enforced)
		}, "Enforced"},
		{"no namespace", func(s *tenantSnapshot) { s.isolation = &enforced; s.namespace = namespaceAbsent }, "Waiting"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			s := settledTenant()
			tc.edit(s)
			got := isolatedVerdict(s)
			if got.Reason != tc.want || (got.Status == metav1.ConditionTrue) != (tc.want == "Enforced") {
				t.Errorf("verdict %s %s, want %s", got.Status, got.Reason, tc.want)
			}
		})
	}
}
