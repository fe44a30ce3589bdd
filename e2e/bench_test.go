//go:build e2e

package e2e

import (
	"context"
	"testing"
	"time"

	"ejustice.dev/operator/hack/tenant"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// BenchmarkTenantReady measures the time from applying a tenant to Ready, in
// seconds, beside what CloudNativePG alone takes to a healthy database of the
// same size in the same run: that is the floor, and the ratio is the claim.
func BenchmarkTenantReady(b *testing.B) {
	const name = "bench"
	var floor, whole float64
	for range b.N {
		remove(b, name)
		floor += bareDatabase(b)
		begin := time.Now()
		provision(b, sample(b, name))
		whole += time.Since(begin).Seconds()
	}
	remove(b, name)
	b.ReportMetric(whole/float64(b.N), "tenant-s")
	b.ReportMetric(floor/float64(b.N), "cloudnative-pg-s")
	b.ReportMetric(whole/floor, "ratio")
	b.ReportMetric(0, "ns/op") // whole seconds are what matters here
}

// bareDatabase times a CloudNativePG cluster like the tenant's, and removes it.
func bareDatabase(b *testing.B) float64 {
	b.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "bench-floor"}}
	await(b, "the last run's database is gone", 2*time.Minute, func(ctx context.Context) (bool, error) {
		return isGone(ctx, namespace.DeepCopy())
	})
	apply(b, namespace)
	server := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster",
		"metadata": map[string]any{"name": "database", "namespace": namespace.Name},
		"spec": map[string]any{
			"instances": int64(1), "imageName": postgresImage(b),
			"storage": map[string]any{"size": "2Gi"},
		},
	}}
	begin := time.Now()
	if err := cluster.Client.Apply(b.Context(), client.ApplyConfigurationFromUnstructured(server), tenant.Owner, client.ForceOwnership); err != nil {
		b.Fatal(err)
	}
	await(b, "the bare database is healthy", readyWithin, func(ctx context.Context) (bool, error) {
		return conditionReady(ctx, server)
	})
	took := time.Since(begin).Seconds()
	if err := cluster.Delete(b.Context(), namespace); err != nil {
		b.Fatal(err)
	}
	return took
}
