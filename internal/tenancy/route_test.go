package tenancy

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/internal/apply"
)

func TestRoute(t *testing.T) {
	tenant := &v1alpha1.JusticeTenant{}
	tenant.Name, tenant.Spec.Domain = "palestine", "justice.ps.example"
	route, err := Route(tenant, [2]string{"edge", "public"})
	if err != nil {
		t.Fatal(err)
	}
	// As the API server returns it, with its defaults.
	live := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1", "kind": "TLSRoute",
		"metadata": map[string]any{
			"name": "frontdoor", "namespace": "justice-palestine", "annotations": map[string]any{
				v1alpha1.AnnotationAppliedHash: route.GetAnnotations()[v1alpha1.AnnotationAppliedHash],
			},
			"labels": map[string]any{
				v1alpha1.LabelTenant: "palestine", "app.kubernetes.io/managed-by": "ejustice-operator", "app.kubernetes.io/part-of": "ejustice",
			},
		},
		"spec": map[string]any{
			"hostnames":  []any{"justice.ps.example"},
			"parentRefs": []any{map[string]any{"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "edge", "name": "public"}},
			"rules": []any{map[string]any{"backendRefs": []any{
				map[string]any{"group": "", "kind": "Service", "name": "frontdoor", "port": int64(443), "weight": int64(1)},
			}}},
		},
	}}
	if diff := apply.Diff(route, live); diff != "" {
		t.Errorf("differs at %s: %v", diff, route.Object)
	}
	if err := unstructured.SetNestedStringSlice(live.Object, []string{"elsewhere.example"}, "spec", "hostnames"); err != nil {
		t.Fatal(err)
	}
	if diff := apply.Diff(route, live); diff != ".spec.hostnames[0]" {
		t.Errorf("another name makes the difference %q", diff)
	}
}
