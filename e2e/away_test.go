//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/hack/tenant"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// load is people at work: they file cases, look at the list and read documents, and try nothing
// twice.
type load struct {
	cm        *tenant.CaseManagement
	stop      context.CancelFunc
	clients   sync.WaitGroup
	mu        sync.Mutex
	filed     map[string]string
	requests  int
	failures  []string
	namespace string
}

// loadPause is how long a client takes between two requests.
const loadPause = 100 * time.Millisecond

// startLoad works on the tenant through the address of its front door's Service, as people from
// outside do.
func startLoad(t *testing.T, namespace, run string) *load {
	t.Helper()
	var service corev1.Service
	if err := cluster.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: v1alpha1.ModuleFrontDoor}, &service); err != nil {
		t.Fatal(err)
	}
	site, err := cluster.PublicSite(t.Context(), namespace)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	l := &load{
		cm:   &tenant.CaseManagement{BaseURL: "https://" + site.Domain, HTTP: site.Client(service.Spec.ClusterIP + ":443")},
		stop: stop, filed: map[string]string{}, namespace: namespace,
	}
	for n := range 4 {
		l.clients.Go(func() { l.work(ctx, fmt.Sprintf("%s-%d", run, n)) })
	}
	return l
}

func (l *load) work(ctx context.Context, name string) {
	ticker := time.NewTicker(loadPause)
	defer ticker.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		// Not ctx: what is under way at the end is finished.
		l.once(context.WithoutCancel(ctx), fmt.Sprintf("%s-%d", name, i), i)
	}
}

func (l *load) once(ctx context.Context, key string, i int) {
	switch i % 3 {
	case 0:
		filed, err := l.cm.File(ctx, key, filing(i))
		l.note("filing", err)
		if err == nil {
			l.mu.Lock()
			l.filed[key] = filed.ID
			l.mu.Unlock()
		}
	case 1:
		l.note("listing", l.expect(ctx, "/?lang=en"))
	case 2:
		l.note("reading a document", l.readDocument(ctx))
	}
}

// readDocument reads the document of some case that was filed in this run.
func (l *load) readDocument(ctx context.Context) error {
	l.mu.Lock()
	var id string
	for _, id = range l.filed {
		break
	}
	l.mu.Unlock()
	if id == "" {
		return nil
	}
	documents, err := l.cm.Documents(ctx, id)
	if err != nil {
		return err
	}
	return l.expect(ctx, "/api/v1/cases/"+id+"/documents/"+documents[0])
}

func (l *load) expect(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, l.cm.BaseURL+path, nil)
	if err != nil {
		return err
	}
	response, err := l.cm.HTTP.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, response.Status)
	}
	return nil
}

func (l *load) note(what string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests++
	if err != nil {
		l.failures = append(l.failures, fmt.Sprintf("%s %s: %v", time.Now().Format(time.TimeOnly), what, err))
	}
}

// end stops the load and fails the test if a request failed or an acknowledged case is gone.
func (l *load) end(t *testing.T) {
	t.Helper()
	l.stop()
	l.clients.Wait()
	t.Logf("%d requests, %d failed, %d cases filed", l.requests, len(l.failures), len(l.filed))
	for i, failure := range l.failures {
		if i == 20 {
			t.Error("… and more")
			break
		}
		t.Error(failure)
	}
	if l.requests < 100 || len(l.filed) == 0 {
		t.Error("too few requests to prove anything")
	}
	onFile := map[string]bool{}
	for _, c := range list(t, l.namespace) {
		onFile[c.ID] = true
	}
	for key, id := range l.filed {
		if !onFile[id] {
			t.Errorf("case %s (%s) was acknowledged and is gone", id, key)
		}
	}
}

// vaultAway is how long Vault is away; EJUSTICE_VAULT_AWAY shortens it for a quick look.
func vaultAway(t *testing.T) time.Duration {
	given := os.Getenv("EJUSTICE_VAULT_AWAY")
	if given == "" {
		return 5 * time.Minute
	}
	d, err := time.ParseDuration(given)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestVaultAway takes Vault away under load. Nobody notices while credentials last, the
// condition says what is wrong, and everything heals when it is back.
func TestVaultAway(t *testing.T) {
	jt := secretsTenant(t)
	namespace := v1alpha1.NamespaceFor(jt.Name)
	l := startLoad(t, namespace, "away")
	scaleVault(t, 0)
	t.Cleanup(func() { scaleVault(t, 1) })
	begin := time.Now()
	await(t, "the tenant says that Vault does not answer", 4*time.Minute, func(ctx context.Context) (bool, error) {
		c, err := conditionOf(ctx, jt.Name, v1alpha1.ConditionSecretsReady)
		return err == nil && c.Status == metav1.ConditionFalse && c.Reason == "VaultUnreachable", err
	})
	m, err := courtModule(t.Context(), jt.Name)
	if err != nil || !slices.ContainsFunc(m.Status.Conditions, func(c metav1.Condition) bool {
		return c.Type == v1alpha1.ConditionReady && c.Status == metav1.ConditionTrue
	}) {
		t.Errorf("the module is not Ready while Vault is away: %v", err)
	}
	wait, cancel := context.WithTimeout(t.Context(), vaultAway(t)-time.Since(begin))
	defer cancel()
	<-wait.Done() // a span has to pass for Vault to have been away for it
	scaleVault(t, 1)
	await(t, "the tenant is Ready again", 5*time.Minute, func(ctx context.Context) (bool, error) {
		c, err := conditionOf(ctx, jt.Name, v1alpha1.ConditionReady)
		return err == nil && c.Status == metav1.ConditionTrue, err
	})
	t.Logf("Vault was away for %.0f s", time.Since(begin).Seconds())
	l.end(t)
}

// scaleVault takes the cluster's Vault away or brings it back, and waits for that.
func scaleVault(t *testing.T, replicas int32) {
	t.Helper()
	// Not the test's own context: it also runs when that has ended.
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	var server appsv1.StatefulSet
	if err := cluster.Get(ctx, client.ObjectKey{Namespace: "vault", Name: "vault"}, &server); err != nil {
		t.Fatal(err)
	}
	patch := client.MergeFrom(server.DeepCopy())
	server.Spec.Replicas = &replicas
	if err := cluster.Patch(ctx, &server, patch); err != nil {
		t.Fatal(err)
	}
	err := cluster.Await(ctx, 3*time.Minute, func(ctx context.Context) (bool, error) {
		if err := cluster.Get(ctx, client.ObjectKeyFromObject(&server), &server); err != nil {
			return false, err
		}
		return server.Status.Replicas == replicas && server.Status.ReadyReplicas == replicas, nil
	})
	if err != nil {
		t.Fatalf("scaling Vault to %d: %v", replicas, err)
	}
}

// TestRotationUnderLoad asks for new keys, credentials and certificates while people work.
func TestRotationUnderLoad(t *testing.T) {
	jt := secretsTenant(t)
	namespace := v1alpha1.NamespaceFor(jt.Name)
	db := &postgres{namespace: namespace, database: "e2e_secrets_casemanagement"}
	defer db.close()
	usersBefore, certificatesBefore := databaseUsers(t, db, jt.Name), certificateRevisions(t, namespace)
	l := startLoad(t, namespace, "rotation")

	word := time.Now().UTC().Format("2006-01-02T15-04-05")
	rotate(t, jt.Name, word)
	await(t, "keys and credentials are rotated", 2*time.Minute, func(ctx context.Context) (bool, error) {
		var live v1alpha1.JusticeTenant
		err := cluster.Get(ctx, client.ObjectKey{Name: jt.Name}, &live)
		return live.Status.Rotation == word, err
	})
	await(t, "every certificate is a new one", 3*time.Minute, func(context.Context) (bool, error) {
		now := certificateRevisions(t, namespace)
		for name, revision := range certificatesBefore {
			if now[name] <= revision {
				return false, fmt.Errorf("certificate %s still has revision %d", name, revision)
			}
		}
		return len(certificatesBefore) >= 5, nil
	})
	await(t, "the module has another user of the database, and the old one is gone", 4*time.Minute, func(context.Context) (bool, error) {
		now := databaseUsers(t, db, jt.Name)
		for _, user := range usersBefore {
			if slices.Contains(now, user) {
				return false, fmt.Errorf("user %s is still there", user)
			}
		}
		return len(now) > 0, nil
	})
	await(t, "every data key is wrapped by the new version of the tenant's key", 2*time.Minute, func(context.Context) (bool, error) {
		oldest := oldestKeyVersion(t, db, jt.Name)
		return oldest >= 2, fmt.Errorf("version %d", oldest)
	})
	if err := cluster.AwaitReady(t.Context(), jt.Name, readyWithin, nil); err != nil {
		t.Error(err)
	}
	l.end(t)
}

func rotate(t *testing.T, name, word string) {
	t.Helper()
	var live v1alpha1.JusticeTenant
	if err := cluster.Get(t.Context(), client.ObjectKey{Name: name}, &live); err != nil {
		t.Fatal(err)
	}
	patch := client.MergeFrom(live.DeepCopy())
	live.Annotations = map[string]string{v1alpha1.AnnotationRotate: word}
	if err := cluster.Patch(t.Context(), &live, patch); err != nil {
		t.Fatal(err)
	}
}

// databaseUsers are the users that Vault has made for modules and that still exist.
func databaseUsers(t *testing.T, db *postgres, tenantName string) []string {
	t.Helper()
	conn, end, err := db.connect(t.Context(), attempt{user: "vault", database: "postgres", certificate: issuedCertificate(t, tenantName)})
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	var users []string
	if err := conn.QueryRow(t.Context(), `SELECT coalesce(array_agg(DISTINCT usename::text), '{}') FROM pg_stat_activity
		WHERE usename LIKE 'v-kubernet-%'`).Scan(&users); err != nil {
		t.Fatal(err)
	}
	return users
}

func oldestKeyVersion(t *testing.T, db *postgres, tenantName string) int {
	t.Helper()
	user, password := issuedUser(t, tenantName)
	conn, end, err := db.connect(t.Context(), attempt{user: user, password: password})
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	var version int
	if err := conn.QueryRow(t.Context(), `SELECT coalesce(min(key_version), 0) FROM data_key`).Scan(&version); err != nil {
		t.Fatal(err)
	}
	return version
}

// certificateRevisions counts for each certificate how often it was issued.
func certificateRevisions(t *testing.T, namespace string) map[string]int64 {
	t.Helper()
	list := &unstructured.UnstructuredList{}
	list.SetAPIVersion("cert-manager.io/v1")
	list.SetKind("CertificateList")
	if err := cluster.List(t.Context(), list, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	revisions := map[string]int64{}
	for _, certificate := range list.Items {
		revision, _, _ := unstructured.NestedInt64(certificate.Object, "status", "revision")
		revisions[certificate.GetName()] = revision
	}
	return revisions
}
