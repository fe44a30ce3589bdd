//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/hack/tenant"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	scaleTenants      = 20
	scaleLimitMiB     = 128
	restWatched       = 45 * time.Second
	externalNamespace = "e2e-external-database"
	operatorUser      = "system:serviceaccount:ejustice-system:ejustice-operator"
)

// TestTwentyTenants keeps twenty tenants on one external PostgreSQL, and holds
// the operator to what it promises there: little memory, and no write at rest.
func TestTwentyTenants(t *testing.T) {
	names := make([]string, scaleTenants)
	for i := range names {
		names[i] = fmt.Sprintf("scale-%02d", i)
	}
	t.Cleanup(func() { removeAll(t, names) })
	removeAll(t, names)
	startExternalDatabase(t)

	begin := time.Now()
	for _, name := range names {
		apply(t, onExternalDatabase(t, name))
	}
	for _, name := range names {
		if err := cluster.AwaitReady(t.Context(), name, 8*time.Minute, nil); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d tenants on an external database Ready after %.0f s", scaleTenants, time.Since(begin).Seconds())

	t.Run("the operator at rest writes nothing", func(t *testing.T) {
		if writes := writesAtRest(t); len(writes) > 0 {
			t.Errorf("%d writes in %s at rest:\n%s", len(writes), restWatched, strings.Join(writes, "\n"))
		}
	})
	t.Run("Vault changes its own password on the external database", func(t *testing.T) {
		word := time.Now().UTC().Format("2006-01-02T15-04-05")
		rotate(t, names[0], word)
		await(t, "the rotation is carried out", time.Minute, func(ctx context.Context) (bool, error) {
			var live v1alpha1.JusticeTenant
			err := cluster.Get(ctx, client.ObjectKey{Name: names[0]}, &live)
			return live.Status.Rotation == word, err
		})
		if err := cluster.AwaitReady(t.Context(), names[0], readyWithin, nil); err != nil {
			t.Error(err)
		}
	})
	t.Run("the operator needs less than 128 MiB", func(t *testing.T) {
		for pod, mib := range operatorMemory(t) {
			t.Logf("%s: %d MiB resident", pod, mib)
			if mib >= scaleLimitMiB {
				t.Errorf("%s: %d MiB resident, more than %d", pod, mib, scaleLimitMiB)
			}
		}
	})
}

// startExternalDatabase runs a PostgreSQL that the operator does not manage. It
// stays between runs.
func startExternalDatabase(t *testing.T) {
	t.Helper()
	apply(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: externalNamespace}})
	server := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster",
		"metadata": map[string]any{"name": "server", "namespace": externalNamespace},
		"spec": map[string]any{
			"instances": int64(1), "imageName": postgresImage(t), "enableSuperuserAccess": true,
			"storage":    map[string]any{"size": "2Gi"},
			"postgresql": map[string]any{"parameters": map[string]any{"max_connections": "400"}},
		},
	}}
	if err := cluster.Client.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(server), tenant.Owner, client.ForceOwnership); err != nil {
		t.Fatal(err)
	}
	await(t, "the external database runs", readyWithin, func(ctx context.Context) (bool, error) {
		return conditionReady(ctx, server)
	})
	// The operator reads the administrator's credentials from its own namespace.
	var superuser corev1.Secret
	if err := cluster.Get(t.Context(), client.ObjectKey{Namespace: externalNamespace, Name: "server-superuser"}, &superuser); err != nil {
		t.Fatal(err)
	}
	apply(t, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "e2e-external-admin", Namespace: operatorNamespace},
		Type:       corev1.SecretTypeBasicAuth,
		Data:       map[string][]byte{"username": superuser.Data["username"], "password": superuser.Data["password"]},
	})
}

// conditionReady reads what an object's own controller says of it.
func conditionReady(ctx context.Context, object *unstructured.Unstructured) (bool, error) {
	live := object.DeepCopy()
	if err := cluster.Get(ctx, client.ObjectKeyFromObject(object), live); err != nil {
		return false, err
	}
	conditions, _, err := unstructured.NestedSlice(live.Object, "status", "conditions")
	for _, c := range conditions {
		if c, ok := c.(map[string]any); ok && c["type"] == "Ready" && c["status"] == "True" {
			return true, nil
		}
	}
	return false, err
}

func postgresImage(t testing.TB) string {
	t.Helper()
	file := os.Getenv("EJUSTICE_IMAGES")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("EJUSTICE_IMAGES must name the list of the cluster's images, with a postgresql in it: %v", err)
	}
	var images map[string]string
	if err := json.Unmarshal(b, &images); err != nil {
		t.Fatalf("reading %s: %v", file, err)
	}
	return images["postgresql"]
}

func onExternalDatabase(t *testing.T, name string) *v1alpha1.JusticeTenant {
	jt := sample(t, name)
	jt.Spec.Database = v1alpha1.Database{External: &v1alpha1.ExternalDatabase{
		Host: "server-rw." + externalNamespace + ".svc", SSLMode: "require",
		AdminSecretRef: v1alpha1.SecretReference{Name: "e2e-external-admin"},
	}}
	return jt
}

// writesAtRest returns the operator's writes to the API in a span in which
// nobody changed anything, as the apiserver's audit log has them.
func writesAtRest(t *testing.T) (writes []string) {
	t.Helper()
	file, err := os.Open(os.Getenv("EJUSTICE_AUDIT_LOG"))
	if err != nil {
		t.Fatalf("EJUSTICE_AUDIT_LOG must name the apiserver's audit log of writes: %v", err)
	}
	defer file.Close()
	if !auditSees(t, file) {
		t.Fatal("the audit log has no write of the operator at all: the policy leaves them out")
	}
	wait, cancel := context.WithTimeout(t.Context(), restWatched)
	defer cancel()
	<-wait.Done() // a span has to pass for there to be nothing in it
	operatorWrites(t, file, func(line string) { writes = append(writes, line) })
	return writes
}

// auditSees reads to the log's end and says whether it recorded the operator.
func auditSees(t *testing.T, file *os.File) (seen bool) {
	operatorWrites(t, file, func(string) { seen = true })
	return seen
}

func operatorWrites(t *testing.T, file *os.File, each func(string)) {
	t.Helper()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event struct {
			Verb       string                    `json:"verb"`
			RequestURI string                    `json:"requestURI"`
			User       struct{ Username string } `json:"user"`
			Response   struct{ Code int }        `json:"responseStatus"`
		}
		if json.Unmarshal(lines.Bytes(), &event) == nil && event.User.Username == operatorUser {
			each(event.Verb + " " + event.RequestURI + " " + strconv.Itoa(event.Response.Code))
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

// operatorMemory returns each operator pod's resident memory in MiB, from its
// own metrics.
func operatorMemory(t *testing.T) map[string]int {
	t.Helper()
	clientset, err := kubernetes.NewForConfig(cluster.Config)
	if err != nil {
		t.Fatal(err)
	}
	var pods corev1.PodList
	if err := cluster.List(t.Context(), &pods, client.InNamespace(operatorNamespace), client.MatchingLabels{"app.kubernetes.io/name": "ejustice-operator"}); err != nil {
		t.Fatal(err)
	}
	memory := map[string]int{}
	for _, pod := range pods.Items {
		metrics, err := clientset.CoreV1().Pods(operatorNamespace).ProxyGet("http", pod.Name, "8080", "/metrics", nil).DoRaw(t.Context())
		if err != nil {
			t.Fatalf("reading the metrics of %s: %v", pod.Name, err)
		}
		bytes, err := metric(string(metrics), "process_resident_memory_bytes")
		if err != nil {
			t.Fatalf("%s: %v", pod.Name, err)
		}
		memory[pod.Name] = int(bytes / (1 << 20))
	}
	return memory
}

func metric(text, name string) (float64, error) {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, errors.New("there is no metric " + name)
}

func removeAll(t *testing.T, names []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Minute)
	defer cancel()
	var removals errgroup.Group
	for _, name := range names {
		removals.Go(func() error { return startRemoval(ctx, name) })
	}
	if err := removals.Wait(); err != nil {
		t.Fatal(err)
	}
	err := cluster.Await(ctx, 6*time.Minute, func(ctx context.Context) (bool, error) {
		var left v1alpha1.JusticeTenantList
		if err := cluster.List(ctx, &left); err != nil {
			return false, err
		}
		for _, jt := range left.Items {
			if strings.HasPrefix(jt.Name, "scale-") {
				ready := meta.FindStatusCondition(jt.Status.Conditions, v1alpha1.ConditionReady)
				if ready == nil {
					return false, fmt.Errorf("%s is still there", jt.Name)
				}
				return false, fmt.Errorf("%s is still there: %s", jt.Name, ready.Message)
			}
		}
		return true, nil
	})
	if err != nil {
		t.Fatalf("removing the tenants: %v", err)
	}
}
