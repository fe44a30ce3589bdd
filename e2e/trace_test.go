//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/internal/database"
)

// TestTrace files cases, finds all of it in the trace, then changes one row of the trace as the
// database's superuser, which whoever has the node can: the module notices and says so.
func TestTrace(t *testing.T) {
	jt := secretsTenant(t)
	namespace := v1alpha1.NamespaceFor(jt.Name)
	acknowledged := fileConcurrently(t, namespace, "trace-"+fmt.Sprint(time.Now().Unix()), 20, func(int) {})
	for key, id := range acknowledged {
		if n := superuser(t, jt.Name, "SELECT count(*) FROM trace.entry WHERE action = 'case.file' AND case_id = '"+id+"'"); n != "1" {
			t.Errorf("filing %s is recorded %s times", key, n)
		}
	}
	begin := float64(time.Now().Unix())
	await(t, "the trace is signed and verified", 3*time.Minute, func(context.Context) (bool, error) {
		return traceMetric(t, namespace, "anchored_timestamp_seconds") > begin && traceMetric(t, namespace, "verified_timestamp_seconds") > begin, nil
	})
	if n := traceMetric(t, namespace, "breaks"); n != 0 {
		t.Fatalf("%v breaks in a trace that nobody touched", n)
	}

	var someCase string
	for _, someCase = range acknowledged {
		break
	}
	change := func(from, to string) {
		superuser(t, jt.Name, `ALTER TABLE trace.entry DISABLE TRIGGER ALL;
			UPDATE trace.entry SET action = '`+to+`' WHERE action = '`+from+`' AND case_id = '`+someCase+`';
			ALTER TABLE trace.entry ENABLE TRIGGER ALL; ALTER TABLE trace.entry ENABLE ALWAYS TRIGGER stays`)
	}
	change("case.file", "case.forget")
	t.Cleanup(func() { change("case.forget", "case.file") })
	await(t, "the change is found", 4*time.Minute, func(context.Context) (bool, error) {
		return traceMetric(t, namespace, "breaks") > 0, nil
	})
}

// traceMetric reads one of a module's numbers about its trace.
func traceMetric(t *testing.T, namespace, name string) float64 {
	t.Helper()
	pod, err := cluster.ReadyPod(t.Context(), namespace, module)
	if err != nil {
		t.Fatal(err)
	}
	address, end, err := cluster.Tunnel(t.Context(), namespace, pod.Name, 8081)
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(secretNamed(t, namespace, "frontdoor-tls").Data["ca.crt"])
	caller := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: module + "." + namespace + ".svc"},
	}}
	response, err := caller.Get("https://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if text, found := strings.CutPrefix(lines.Text(), "ejustice_trace_"+name+" "); found {
			value, err := strconv.ParseFloat(text, 64)
			if err != nil {
				t.Fatal(err)
			}
			return value
		}
	}
	t.Fatalf("the module has no metric ejustice_trace_%s", name)
	return 0
}

// superuser does something in a tenant's case-management database as whoever has the node can.
func superuser(t *testing.T, tenantName, sql string) string {
	t.Helper()
	clientset, err := kubernetes.NewForConfig(cluster.Config)
	if err != nil {
		t.Fatal(err)
	}
	request := clientset.CoreV1().RESTClient().Post().Resource("pods").
		Namespace(v1alpha1.NamespaceFor(tenantName)).Name(database.ClusterName+"-1").SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{
			Container: "postgres", Stdout: true, Stderr: true,
			Command: []string{"psql", "-qAt", "-v", "ON_ERROR_STOP=1", "-d", database.NameFor(tenantName, module), "-c", sql},
		}, scheme.ParameterCodec)
	executor, err := remotecommand.NewWebSocketExecutor(cluster.Config, http.MethodGet, request.URL().String())
	if err != nil {
		t.Fatal(err)
	}
	var out, complaint bytes.Buffer
	// Not the test's own context: this also runs when that has ended.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: &out, Stderr: &complaint}); err != nil {
		t.Fatalf("%v: %s", err, complaint.String())
	}
	return strings.TrimSpace(out.String())
}
