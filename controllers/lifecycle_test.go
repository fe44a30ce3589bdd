package controllers

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/release"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/internal/database"
	"ejustice.dev/operator/internal/vault"
)

func TestProvision(t *testing.T) {
	startOperator(t, nil)
	create(t, newTenant("provision"))
	tenant := awaitReady(t, "provision")
	if got := tenant.Status.ModulesReady; got != "1/1" {
		t.Errorf("modulesReady = %q, want 1/1", got)
	}
	if got := tenant.Status.Release; got != testRelease {
		t.Errorf("release = %q, want %s", got, testRelease)
	}
	if ok, saw := hasCondition(tenant.Status.Conditions, tenant.Generation, v1alpha1.ConditionBackedUp, metav1.ConditionFalse, "no backups are taken yet"); !ok {
		t.Errorf("BackedUp must say that nothing is backed up, saw %s", saw)
	}
	m := awaitModule(t, "provision", v1alpha1.ConditionReady, metav1.ConditionTrue, "0.1.0")
	if want := "https://casemanagement.justice-provision.svc:8443"; m.Status.URL != want {
		t.Errorf("url = %q, want %s", m.Status.URL, want)
	}
	if m.Status.ChartDigest != suite.chart.Digest {
		t.Errorf("chartDigest = %q, want %s", m.Status.ChartDigest, suite.chart.Digest)
	}

	var cluster unstructured.Unstructured
	get(t, "provision", database.ClusterKind, database.ClusterName, &cluster)
	owner, _, _ := unstructured.NestedString(cluster.Object, "spec", "bootstrap", "initdb", "owner")
	if owner != "provision_casemanagement" {
		t.Errorf("initdb owner = %q: it must be a module's role, or a further user exists", owner)
	}
	if class, _, _ := unstructured.NestedString(cluster.Object, "spec", "storage", "storageClass"); class != "local-lc" {
		t.Errorf("storage class = %q, want the one in Saint Lucia", class)
	}
	terms, _, _ := unstructured.NestedSlice(cluster.Object, "spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
	if !strings.Contains(fmt.Sprint(terms), "ejustice.dev/jurisdiction") || !strings.Contains(fmt.Sprint(terms), "LC") {
		t.Errorf("the database may leave its jurisdiction: %v", terms)
	}
	hba, _, _ := unstructured.NestedStringSlice(cluster.Object, "spec", "postgresql", "pg_hba")
	if want := "hostssl provision_casemanagement +provision_casemanagement all scram-sha-256"; !slices.Contains(hba, want) || hba[len(hba)-1] != "host all all all reject" {
		t.Errorf("pg_hba = %q, want %q, and the rest refused", hba, want)
	}

	deployment := &appsv1.Deployment{}
	if err := suite.client.Get(t.Context(), moduleKey("provision"), deployment); err != nil {
		t.Fatal(err)
	}
	if got := deployment.Spec.Template.Spec.Containers[0].Image; got != testImage {
		t.Errorf("image = %s, want the one of the catalog", got)
	}
	if deployment.Labels[v1alpha1.LabelTenant] != "provision" || deployment.Labels[v1alpha1.LabelModule] != "casemanagement" {
		t.Errorf("labels = %v", deployment.Labels)
	}
}

// A settled tenant must cost the API server no write, whatever wakes the operator.
func TestSettledTenantMakesNoWrites(t *testing.T) {
	operator := startOperator(t, nil)
	create(t, newTenant("settled"))
	awaitReady(t, "settled")
	var traced traceLog
	operator.requests.trace.Store(&traced)
	quiesce(t, operator)
	before := operator.requests.writes.Load()
	traced.reset()
	// Wake it by foreign changes of everything it watches and by a restart.
	poke(t, "settled")
	quiesce(t, operator)
	operator.stop()
	again := startOperator(t, nil)
	again.requests.trace.Store(&traced)
	awaitReconciled(t, again)
	if writes := operator.requests.writes.Load() - before + again.requests.writes.Load(); writes != 0 {
		t.Errorf("%d writes in a steady state, want none: %s", writes, traced.String())
	}
}

func TestDriftIsCorrected(t *testing.T) {
	startOperator(t, nil)
	create(t, newTenant("drift"))
	awaitReady(t, "drift")
	ns := v1alpha1.NamespaceFor("drift")

	change(t, moduleKey("drift"), &appsv1.Deployment{}, func(d *appsv1.Deployment) {
		d.Spec.Template.Spec.Containers[0].Image = "registry.example.org/other@sha256:" + strings.Repeat("3", 64)
	})
	change(t, client.ObjectKey{Namespace: ns, Name: "casemanagement-config"}, &corev1.ConfigMap{}, func(c *corev1.ConfigMap) {
		c.Data["greeting"] = "changed"
	})
	change(t, client.ObjectKey{Namespace: ns, Name: "tenant"}, &corev1.ResourceQuota{}, func(q *corev1.ResourceQuota) {
		q.Spec.Hard[corev1.ResourcePods] = resource.MustParse("1")
	})
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "casemanagement"}}
	if err := suite.client.Delete(t.Context(), service); err != nil {
		t.Fatal(err)
	}

	await(t, "correction", func() (bool, string) {
		d, c, q, s := &appsv1.Deployment{}, &corev1.ConfigMap{}, &corev1.ResourceQuota{}, &corev1.Service{}
		if err := errors.Join(
			suite.client.Get(t.Context(), moduleKey("drift"), d),
			suite.client.Get(t.Context(), moduleKey("drift"), s),
			suite.client.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "casemanagement-config"}, c),
			suite.client.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "tenant"}, q)); err != nil {
			return false, err.Error()
		}
		image, greeting, pods := d.Spec.Template.Spec.Containers[0].Image, c.Data["greeting"], q.Spec.Hard.Pods().String()
		return image == testImage && greeting == "good day" && pods == "60", fmt.Sprintf("image %s, greeting %s, pods %s", image, greeting, pods)
	})
	m := awaitModule(t, "drift", v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	if m.Status.HelmRevision != 1 {
		t.Errorf("correcting drift made Helm revision %d, want still 1", m.Status.HelmRevision)
	}
}

func TestValuesRollOut(t *testing.T) {
	startOperator(t, nil)
	create(t, newTenant("values"))
	awaitReady(t, "values")
	setGreeting := func(json string) {
		change(t, tenantKey("values"), &v1alpha1.JusticeTenant{}, func(tenant *v1alpha1.JusticeTenant) {
			tenant.Spec.Modules[0].Values = values("greeting", json)
		})
	}
	setGreeting(`"welcome"`)
	awaitGreeting(t, "values", "welcome")
	awaitReady(t, "values")

	// Values that the chart's schema refuses: said plainly, and the old ones still serve.
	setGreeting(`"much too long a greeting for this module"`)
	awaitModule(t, "values", v1alpha1.ConditionStalled, metav1.ConditionTrue, "greeting")
	awaitModule(t, "values", v1alpha1.ConditionReady, metav1.ConditionFalse, "version 0.1.0 still serves")
	awaitTenant(t, "values", v1alpha1.ConditionStalled, metav1.ConditionTrue, "casemanagement: values do not fit")
	awaitGreeting(t, "values", "welcome")

	setGreeting(`"hello again"`)
	awaitGreeting(t, "values", "hello again")
	awaitReady(t, "values")

	// Many changes do not fill etcd with history.
	for i := range 6 {
		setGreeting(fmt.Sprintf(`"greeting %d"`, i))
		awaitGreeting(t, "values", fmt.Sprintf("greeting %d", i))
	}
	awaitReady(t, "values")
	history := &corev1.SecretList{}
	if err := suite.client.List(t.Context(), history, client.InNamespace("justice-values"), client.MatchingLabels{"owner": "helm"}); err != nil {
		t.Fatal(err)
	}
	if len(history.Items) > 5 {
		t.Errorf("%d revisions are kept, want at most 5", len(history.Items))
	}
}

func TestBrokenChart(t *testing.T) {
	startOperator(t, nil)
	create(t, newTenant("broken"))
	awaitReady(t, "broken")
	create(t, testCatalog("0.3.0", missingChart(), testRelease))
	setRelease := func(release v1alpha1.Version) {
		change(t, tenantKey("broken"), &v1alpha1.JusticeTenant{}, func(tenant *v1alpha1.JusticeTenant) { tenant.Spec.Release = release })
	}
	setRelease("0.3.0")
	awaitModule(t, "broken", v1alpha1.ConditionReady, metav1.ConditionFalse, "the chart cannot be fetched")
	m := awaitModule(t, "broken", v1alpha1.ConditionReady, metav1.ConditionFalse, "version 0.1.0 still serves")
	if m.Status.Version != testRelease || m.Status.HelmRevision != 1 {
		t.Errorf("version %s revision %d, want the old one untouched", m.Status.Version, m.Status.HelmRevision)
	}
	tenant := awaitTenant(t, "broken", v1alpha1.ConditionReady, metav1.ConditionFalse, "the chart cannot be fetched")
	if tenant.Status.Release != testRelease {
		t.Errorf("status.release = %s, want %s until the new one runs", tenant.Status.Release, testRelease)
	}
	create(t, testCatalog("0.3.1", suite.chart, testRelease))
	setRelease("0.3.1")
	tenant = awaitReady(t, "broken")
	if tenant.Status.Release != "0.3.1" {
		t.Errorf("status.release = %s, want 0.3.1", tenant.Status.Release)
	}
}

// A version that cannot be reached is not installed, and the message says which way leads there.
func TestUpgradePath(t *testing.T) {
	startOperator(t, nil)
	create(t, newTenant("path"))
	awaitReady(t, "path")
	create(t, testCatalog("0.9.0", suite.chart, newerRelease))
	change(t, tenantKey("path"), &v1alpha1.JusticeTenant{}, func(tenant *v1alpha1.JusticeTenant) { tenant.Spec.Release = "0.9.0" })
	m := awaitModule(t, "path", v1alpha1.ConditionStalled, metav1.ConditionTrue, "upgrade to one of 0.2.0 first")
	if m.Status.Version != testRelease {
		t.Errorf("version = %s, want %s", m.Status.Version, testRelease)
	}
}

// A Helm operation that was cut off leaves a pending revision; the next look goes on from it.
func TestPendingReleaseIsRecovered(t *testing.T) {
	operator := startOperator(t, nil)
	create(t, newTenant("pending"))
	awaitReady(t, "pending")
	operator.stop()
	setReleaseStatus(t, "justice-pending", "casemanagement", release.StatusPendingUpgrade)
	startOperator(t, nil)
	await(t, "a new deployed revision", func() (bool, string) {
		m := &v1alpha1.CourtModule{}
		if err := suite.client.Get(t.Context(), moduleKey("pending"), m); err != nil {
			return false, err.Error()
		}
		return m.Status.HelmRevision == 2, fmt.Sprintf("revision %d", m.Status.HelmRevision)
	})
	awaitReady(t, "pending")
}

// A chart may not bring objects that the operator does not install.
func TestStrayKindIsRefused(t *testing.T) {
	startOperator(t, nil)
	tenant := newTenant("stray")
	tenant.Spec.Modules[0].Values["strayKind"] = apiextensionsv1.JSON{Raw: []byte("true")}
	create(t, tenant)
	awaitModule(t, "stray", v1alpha1.ConditionStalled, metav1.ConditionTrue, "contains a Secret")
}

func TestModuleRemoval(t *testing.T) {
	startOperator(t, nil)
	create(t, newTenant("removal"))
	awaitReady(t, "removal")
	// A module that the ministry adds by hand stays when the tenant's list changes.
	create(t, &v1alpha1.CourtModule{
		ObjectMeta: metav1.ObjectMeta{Namespace: "justice-removal", Name: "reporting"},
		Spec:       v1alpha1.CourtModuleSpec{Module: "reporting"},
	})
	await(t, "the added module", func() (bool, string) {
		tenant := &v1alpha1.JusticeTenant{}
		if err := suite.client.Get(t.Context(), tenantKey("removal"), tenant); err != nil {
			return false, err.Error()
		}
		return tenant.Status.ModulesReady == "2/2", tenant.Status.ModulesReady
	})
	change(t, tenantKey("removal"), &v1alpha1.JusticeTenant{}, func(tenant *v1alpha1.JusticeTenant) { tenant.Spec.Modules = nil })
	awaitGone(t, moduleKey("removal"), &v1alpha1.CourtModule{})
	awaitGone(t, moduleKey("removal"), &appsv1.Deployment{})
	var db unstructured.Unstructured
	get(t, "removal", database.DatabaseKind, "casemanagement-database", &db)
	if inVault(t, keyPath("removal")) == nil {
		t.Error("removing the module removed its key")
	}
	tenant := awaitReady(t, "removal")
	if tenant.Status.ModulesReady != "1/1" {
		t.Errorf("modulesReady = %s, want the module added by hand only", tenant.Status.ModulesReady)
	}
	// Listed again, it comes back to the same database.
	change(t, tenantKey("removal"), &v1alpha1.JusticeTenant{}, func(tenant *v1alpha1.JusticeTenant) {
		tenant.Spec.Modules = newTenant("removal").Spec.Modules
	})
	awaitModule(t, "removal", v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	if got := inVault(t, keyPath("removal"))["latest_version"]; fmt.Sprint(got) != "1" {
		t.Errorf("adding the module again made version %v of its key", got)
	}
}

func TestRetainAndReadopt(t *testing.T) {
	startOperator(t, nil)
	create(t, newTenant("retain"))
	awaitReady(t, "retain")
	var before unstructured.Unstructured
	get(t, "retain", database.ClusterKind, database.ClusterName, &before)

	remove(t, newTenant("retain"))
	awaitGone(t, tenantKey("retain"), &v1alpha1.JusticeTenant{})
	awaitGone(t, moduleKey("retain"), &appsv1.Deployment{})
	var kept unstructured.Unstructured
	get(t, "retain", database.ClusterKind, database.ClusterName, &kept)
	if kept.GetUID() != before.GetUID() || !database.Hibernates(&kept) {
		t.Errorf("the database must be kept and stopped; annotations %v", kept.GetAnnotations())
	}
	awaitModule(t, "retain", v1alpha1.ConditionReady, metav1.ConditionFalse, "apply the JusticeTenant again")

	create(t, newTenant("retain"))
	awaitReady(t, "retain")
	var after unstructured.Unstructured
	get(t, "retain", database.ClusterKind, database.ClusterName, &after)
	if after.GetUID() != before.GetUID() || database.Hibernates(&after) {
		t.Errorf("the database must be taken up again; annotations %v", after.GetAnnotations())
	}
	if got := inVault(t, keyPath("retain"))["latest_version"]; fmt.Sprint(got) != "1" {
		t.Errorf("the key has version %v: it must be the one from before", got)
	}
}

func TestDeleteNeedsConfirmation(t *testing.T) {
	startOperator(t, nil)
	tenant := newTenant("delete")
	tenant.Spec.DeletionPolicy = v1alpha1.DeletionDelete
	create(t, tenant)
	awaitReady(t, "delete")
	remove(t, tenant)
	awaitTenant(t, "delete", v1alpha1.ConditionStalled, metav1.ConditionTrue, "ejustice.dev/confirm-deletion=delete")
	if err := suite.client.Get(t.Context(), moduleKey("delete"), &appsv1.Deployment{}); err != nil {
		t.Fatalf("an unconfirmed deletion must change nothing: %v", err)
	}
	change(t, tenantKey("delete"), &v1alpha1.JusticeTenant{}, func(tenant *v1alpha1.JusticeTenant) {
		tenant.Annotations = map[string]string{v1alpha1.AnnotationConfirmDeletion: "delete"}
	})
	awaitGone(t, tenantKey("delete"), &v1alpha1.JusticeTenant{})
	awaitGone(t, client.ObjectKey{Name: "justice-delete"}, &corev1.Namespace{})
}

func TestForeignNamespaceIsLeftAlone(t *testing.T) {
	startOperator(t, nil)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "justice-foreign"}}
	create(t, ns)
	create(t, newTenant("foreign"))
	awaitTenant(t, "foreign", v1alpha1.ConditionStalled, metav1.ConditionTrue, "does not belong to this tenant")
	if err := suite.client.Get(t.Context(), client.ObjectKeyFromObject(ns), ns); err != nil {
		t.Fatal(err)
	}
	if len(ns.Annotations) > 0 || ns.Labels[v1alpha1.LabelTenant] != "" {
		t.Errorf("the namespace was touched: %v %v", ns.Labels, ns.Annotations)
	}
	remove(t, newTenant("foreign"))
	awaitGone(t, tenantKey("foreign"), &v1alpha1.JusticeTenant{})
	if err := suite.client.Get(t.Context(), client.ObjectKeyFromObject(ns), ns); err != nil {
		t.Errorf("the namespace is gone: %v", err)
	}
}

func TestModuleOutsideATenant(t *testing.T) {
	startOperator(t, nil)
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "justice-nobody"}})
	create(t, &v1alpha1.CourtModule{
		ObjectMeta: metav1.ObjectMeta{Namespace: "justice-nobody", Name: "casemanagement"},
		Spec:       v1alpha1.CourtModuleSpec{Module: "casemanagement"},
	})
	m := awaitModule(t, "nobody", v1alpha1.ConditionStalled, metav1.ConditionTrue, "belongs to no JusticeTenant")
	if err := suite.client.Delete(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	awaitGone(t, moduleKey("nobody"), &v1alpha1.CourtModule{})
}

func TestMissingRelease(t *testing.T) {
	startOperator(t, nil)
	tenant := newTenant("norelease")
	tenant.Spec.Release = "7.0.0"
	create(t, tenant)
	awaitTenant(t, "norelease", v1alpha1.ConditionStalled, metav1.ConditionTrue, "release 7.0.0 is not installed on this cluster")
	create(t, testCatalog("7.0.0", suite.chart))
	awaitReady(t, "norelease")
}

// No node in the jurisdiction: the tenant says so in plain words and names no pod.
func TestNoNodeInJurisdiction(t *testing.T) {
	startOperator(t, nil)
	hold("justice-nonode")
	create(t, newTenant("nonode"))
	await(t, "the cluster", func() (bool, string) {
		var u unstructured.Unstructured
		u.SetGroupVersionKind(database.ClusterKind)
		err := suite.client.Get(t.Context(), client.ObjectKey{Namespace: "justice-nonode", Name: database.ClusterName}, &u)
		return err == nil, fmt.Sprint(err)
	})
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "justice-nonode", Name: "database-1-initdb", Labels: map[string]string{"cnpg.io/cluster": database.ClusterName}},
		Spec:       restrictedPod(),
	}
	create(t, pod)
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: "0/2 nodes are available"}}
	if err := suite.client.Status().Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	awaitTenant(t, "nonode", v1alpha1.ConditionDatabaseReady, metav1.ConditionFalse, "no node labelled ejustice.dev/jurisdiction=LC is Ready")
}

func TestExternalDatabase(t *testing.T) {
	startOperator(t, nil)
	tenant := newTenant("external")
	tenant.Spec.Database.External = &v1alpha1.ExternalDatabase{
		Host: "postgres.example.org", Port: 5433, SSLMode: "verify-full", AdminSecretRef: v1alpha1.SecretReference{Name: "admin"},
	}
	create(t, tenant)
	awaitTenant(t, "external", v1alpha1.ConditionDatabaseReady, metav1.ConditionFalse, "Secret admin with username and password does not exist in namespace ejustice-system")
	externalDatabases.setBroken(errors.New("connection refused"))
	create(t, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: testNamespace, Name: "admin"},
		Data:       map[string][]byte{"username": []byte("root"), "password": []byte("hidden")},
	})
	got := awaitTenant(t, "external", v1alpha1.ConditionDatabaseReady, metav1.ConditionFalse, "connection refused")
	for _, c := range got.Status.Conditions {
		if strings.Contains(c.Message, "hidden") {
			t.Errorf("a condition shows a password: %s", c.Message)
		}
	}
	externalDatabases.setBroken(nil)
	awaitReady(t, "external")
	if _, ok := externalDatabases.owner("external_casemanagement"); !ok {
		t.Error("the owner role was not made")
	}
	awaitTenant(t, "external", v1alpha1.ConditionResident, metav1.ConditionTrue, "where the external database postgres.example.org stands is not proven")
	connection := inVault(t, vault.Mount("external")+"/database/config/database")["connection_details"].(map[string]any)
	if want := "postgresql://{{username}}:{{password}}@postgres.example.org:5433/postgres?sslmode=verify-full"; connection["connection_url"] != want || connection["username"] != "vault_external" {
		t.Errorf("Vault connects as %v to %v, want %s", connection["username"], connection["connection_url"], want)
	}
	// The administrator's Secret may go: then nothing in the cluster opens the database.
	remove(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: testNamespace, Name: "admin"}})
	wake(t, "external")
	change(t, tenantKey("external"), &v1alpha1.JusticeTenant{}, func(o *v1alpha1.JusticeTenant) { o.Spec.Modules[0].Values = values("greeting", `"no admin"`) })
	awaitGreeting(t, "external", "no admin")
	awaitReady(t, "external")
}
