package controllers

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/release"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/internal/database"
)

// newTenant is a tenant that lists casemanagement.
func newTenant(name string) *v1alpha1.JusticeTenant {
	return &v1alpha1.JusticeTenant{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.JusticeTenantSpec{
			Country:      "LC",
			DisplayNames: map[string]v1alpha1.DisplayName{"en": "Courts of Saint Lucia"},
			Languages:    []v1alpha1.LanguageTag{"en"},
			TimeZone:     "America/St_Lucia",
			Domain:       name + ".justice.example",
			Release:      testRelease,
			Modules: []v1alpha1.TenantModule{{
				Name:           "casemanagement",
				ModuleSettings: v1alpha1.ModuleSettings{Values: values("greeting", `"good day"`)},
			}},
		},
	}
}

func values(key, json string) map[string]apiextensionsv1.JSON {
	return map[string]apiextensionsv1.JSON{key: {Raw: []byte(json)}}
}

func create(t *testing.T, o client.Object) {
	t.Helper()
	if err := suite.client.Create(t.Context(), o); err != nil {
		t.Fatalf("creating %s: %v", o.GetName(), err)
	}
}

// change edits an object as an administrator would.
func change[T client.Object](t *testing.T, key client.ObjectKey, object T, edit func(T)) {
	t.Helper()
	if err := suite.client.Get(t.Context(), key, object); err != nil {
		t.Fatalf("reading %s: %v", key.Name, err)
	}
	before := object.DeepCopyObject().(client.Object)
	edit(object)
	if err := suite.client.Patch(t.Context(), object, client.MergeFrom(before)); err != nil {
		t.Fatalf("changing %s: %v", key.Name, err)
	}
}

func tenantKey(name string) client.ObjectKey { return client.ObjectKey{Name: name} }

func moduleKey(tenant string) client.ObjectKey {
	return client.ObjectKey{Namespace: v1alpha1.NamespaceFor(tenant), Name: "casemanagement"}
}

// awaitTenant waits until a condition of the tenant has the status and its message holds the
// text.
func awaitTenant(t *testing.T, name, conditionType string, want metav1.ConditionStatus, text string) *v1alpha1.JusticeTenant {
	t.Helper()
	tenant := &v1alpha1.JusticeTenant{}
	await(t, fmt.Sprintf("tenant %s: %s=%s %q", name, conditionType, want, text), func() (bool, string) {
		if err := suite.client.Get(context.Background(), tenantKey(name), tenant); err != nil {
			return false, err.Error()
		}
		return hasCondition(tenant.Status.Conditions, tenant.Generation, conditionType, want, text)
	})
	return tenant
}

func awaitModule(t *testing.T, tenant, conditionType string, want metav1.ConditionStatus, text string) *v1alpha1.CourtModule {
	t.Helper()
	m := &v1alpha1.CourtModule{}
	await(t, fmt.Sprintf("module of %s: %s=%s %q", tenant, conditionType, want, text), func() (bool, string) {
		if err := suite.client.Get(context.Background(), moduleKey(tenant), m); err != nil {
			return false, err.Error()
		}
		return hasCondition(m.Status.Conditions, m.Generation, conditionType, want, text)
	})
	return m
}

func hasCondition(conditions []metav1.Condition, generation int64, conditionType string, want metav1.ConditionStatus, text string) (bool, string) {
	saw := "no such condition"
	for _, c := range conditions {
		if c.Type == conditionType {
			saw = fmt.Sprintf("%s=%s %s: %s (generation %d of %d)", c.Type, c.Status, c.Reason, c.Message, c.ObservedGeneration, generation)
			if c.Status == want && strings.Contains(c.Message, text) && c.ObservedGeneration == generation {
				return true, saw
			}
		}
	}
	return false, saw
}

func awaitReady(t *testing.T, name string) *v1alpha1.JusticeTenant {
	t.Helper()
	return awaitTenant(t, name, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
}

func awaitGone(t *testing.T, key client.ObjectKey, o client.Object) {
	t.Helper()
	await(t, fmt.Sprintf("removal of %T %s", o, key), func() (bool, string) {
		err := suite.client.Get(context.Background(), key, o)
		return apierrors.IsNotFound(err), fmt.Sprint(err)
	})
}

func awaitGreeting(t *testing.T, tenant, want string) {
	t.Helper()
	await(t, "greeting "+want, func() (bool, string) {
		d := &appsv1.Deployment{}
		if err := suite.client.Get(context.Background(), moduleKey(tenant), d); err != nil {
			return false, err.Error()
		}
		got := d.Spec.Template.Spec.Containers[0].Env[0].Value
		return got == want, got
	})
}

func remove(t *testing.T, o client.Object) {
	t.Helper()
	if err := suite.client.Delete(t.Context(), o); err != nil {
		t.Fatalf("deleting %s: %v", o.GetName(), err)
	}
}

func get(t *testing.T, tenant string, kind schema.GroupVersionKind, name string, into *unstructured.Unstructured) {
	t.Helper()
	into.SetGroupVersionKind(kind)
	if err := suite.client.Get(t.Context(), client.ObjectKey{Namespace: v1alpha1.NamespaceFor(tenant), Name: name}, into); err != nil {
		t.Fatalf("reading %s %s: %v", kind.Kind, name, err)
	}
}

// quiesce waits until the operator has been silent for a while.
func quiesce(t *testing.T, o *operator) {
	t.Helper()
	const silence = 700 * time.Millisecond
	last, since := o.requests.all.Load(), time.Now()
	await(t, "silence", func() (bool, string) {
		if count := o.requests.all.Load(); count != last {
			last, since = count, time.Now()
		}
		return time.Since(since) > silence, "requests still come"
	})
}

// awaitReconciled waits until a fresh operator has looked at everything.
func awaitReconciled(t *testing.T, o *operator) {
	t.Helper()
	await(t, "the first look", func() (bool, string) { return o.requests.all.Load() > 20, "few requests so far" })
	quiesce(t, o)
}

// poke changes objects of a tenant in ways that are nobody's business but wake the operator.
func poke(t *testing.T, tenant string) {
	t.Helper()
	ns := v1alpha1.NamespaceFor(tenant)
	mark := func(o client.Object) {
		annotations := o.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations["example.org/poke"] = "yes"
		o.SetAnnotations(annotations)
	}
	change(t, tenantKey(tenant), &v1alpha1.JusticeTenant{}, func(o *v1alpha1.JusticeTenant) { mark(o) })
	change(t, moduleKey(tenant), &v1alpha1.CourtModule{}, func(o *v1alpha1.CourtModule) { mark(o) })
	change(t, moduleKey(tenant), &corev1.Service{}, func(o *corev1.Service) { mark(o) })
	change(t, client.ObjectKey{Name: ns}, &corev1.Namespace{}, func(o *corev1.Namespace) { mark(o) })
	change(t, client.ObjectKey{Namespace: ns, Name: "tenant"}, &corev1.ResourceQuota{}, func(o *corev1.ResourceQuota) { mark(o) })
	var cluster unstructured.Unstructured
	cluster.SetGroupVersionKind(database.ClusterKind)
	change(t, client.ObjectKey{Namespace: ns, Name: database.ClusterName}, &cluster, func(o *unstructured.Unstructured) { mark(o) })
}

// traceLog collects requests for a test's complaint.
type traceLog struct {
	mu    sync.Mutex
	lines []string
}

func (l *traceLog) add(r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, r.Method+" "+r.URL.Path)
}

func (l *traceLog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = nil
}

func (l *traceLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, ", ")
}

// hold keeps the world from making anything in the namespace ready.
func hold(namespace string) { paused.Store(namespace, true) }

func restrictedPod() corev1.PodSpec {
	return corev1.PodSpec{
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: ptr.To(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers: []corev1.Container{{
			Name: "postgres", Image: testPostgres,
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: ptr.To(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
		}},
	}
}

// setReleaseStatus puts the newest revision of a release into a status, as a crash would.
func setReleaseStatus(t *testing.T, namespace, name string, status release.Status) {
	t.Helper()
	flags := genericclioptions.NewConfigFlags(false)
	flags.Namespace = &namespace
	flags.WrapConfigFn = func(*rest.Config) *rest.Config { return rest.CopyConfig(suite.config) }
	config := &action.Configuration{}
	if err := config.Init(flags, namespace, "secret", func(string, ...any) {}); err != nil {
		t.Fatal(err)
	}
	last, err := config.Releases.Last(name)
	if err != nil {
		t.Fatal(err)
	}
	last.SetStatus(status, "as after a crash")
	if err := config.Releases.Update(last); err != nil {
		t.Fatal(err)
	}
}
