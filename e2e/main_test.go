//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/hack/tenant"
	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

const (
	module            = "casemanagement"
	operatorNamespace = "ejustice-system"
	readyWithin       = 4 * time.Minute // cold images and a busy machine; the benchmark measures
)

var cluster *tenant.Cluster

func TestMain(m *testing.M) {
	os.Chdir("..") // samples are named from the top of the repository
	// The tests kill pods on purpose; the tunnels to them need not report it.
	utilruntime.ErrorHandlers = nil
	ctrllog.SetLogger(logr.Discard())
	var err error
	if cluster, err = tenant.Connect(); err != nil {
		fmt.Fprintln(os.Stderr, "end-to-end tests need a cluster with the operator:", err)
		os.Exit(1)
	}
	code := m.Run()
	if err := endSecretsTenant(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// endSecretsTenant removes the tenant that several tests share.
func endSecretsTenant() error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if err := startRemoval(ctx, secretsTenantName); err != nil {
		return err
	}
	return cluster.Await(ctx, 3*time.Minute, func(ctx context.Context) (bool, error) {
		return isGone(ctx, &v1alpha1.JusticeTenant{ObjectMeta: metav1.ObjectMeta{Name: secretsTenantName}})
	})
}

// sample is Palestine's manifest under another name and domain, with few resources.
func sample(t testing.TB, name string) *v1alpha1.JusticeTenant {
	t.Helper()
	var jt v1alpha1.JusticeTenant
	if err := tenant.Read("config/samples/palestine.yaml", &jt); err != nil {
		t.Fatal(err)
	}
	jt.Name = name
	jt.Spec.Domain = name + ".justice.example"
	return &jt
}

// provision applies the tenant and waits until it is Ready.
func provision(t testing.TB, jt *v1alpha1.JusticeTenant) {
	t.Helper()
	apply(t, jt)
	if err := cluster.AwaitReady(t.Context(), jt.Name, readyWithin, nil); err != nil {
		t.Fatal(err)
	}
}

func apply(t testing.TB, object client.Object) {
	t.Helper()
	if err := cluster.Apply(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

// await fails the test unless done within the limit.
func await(t testing.TB, what string, limit time.Duration, done func(context.Context) (bool, error)) {
	t.Helper()
	if err := cluster.Await(t.Context(), limit, done); err != nil {
		t.Fatalf("waiting until %s: %v", what, err)
	}
}

// remove deletes the tenant with everything it owns and waits until it is gone.
func remove(t testing.TB, name string) {
	t.Helper()
	// Not the test's own context: this also runs when that has ended.
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if err := startRemoval(ctx, name); err != nil {
		t.Fatal(err)
	}
	err := cluster.Await(ctx, 3*time.Minute, func(ctx context.Context) (bool, error) {
		gone, err := isGone(ctx, &v1alpha1.JusticeTenant{ObjectMeta: metav1.ObjectMeta{Name: name}})
		if err != nil || !gone {
			return false, err
		}
		return isGone(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.NamespaceFor(name)}})
	})
	if err != nil {
		t.Fatalf("waiting until tenant %s is gone: %v", name, err)
	}
}

// startRemoval confirms and begins the deletion of a tenant. A namespace that an
// earlier run kept by Retain is adopted first, for only a tenant deletes its data.
func startRemoval(ctx context.Context, name string) error {
	var jt v1alpha1.JusticeTenant
	err := cluster.Get(ctx, client.ObjectKey{Name: name}, &jt)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	patch := client.MergeFrom(jt.DeepCopy())
	jt.Spec.DeletionPolicy = v1alpha1.DeletionDelete
	if jt.Annotations == nil {
		jt.Annotations = map[string]string{}
	}
	jt.Annotations[v1alpha1.AnnotationConfirmDeletion] = name
	if err := cluster.Patch(ctx, &jt, patch); err != nil {
		return fmt.Errorf("confirming the deletion of %s: %w", name, err)
	}
	return client.IgnoreNotFound(cluster.Delete(ctx, &jt))
}

func isGone(ctx context.Context, object client.Object) (bool, error) {
	err := cluster.Get(ctx, client.ObjectKeyFromObject(object), object)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	return false, err
}

// courtModule reads the tenant's case-management module.
func courtModule(ctx context.Context, tenantName string) (*v1alpha1.CourtModule, error) {
	var m v1alpha1.CourtModule
	return &m, cluster.Get(ctx, client.ObjectKey{Namespace: v1alpha1.NamespaceFor(tenantName), Name: module}, &m)
}
