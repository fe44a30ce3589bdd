package controllers

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/yaml"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/hack/vaulttest"
	"ejustice.dev/operator/internal/vault"
)

const (
	testRelease   = "0.1.0"
	newerRelease  = "0.2.0"
	testImage     = "registry.example.org/module@sha256:1111111111111111111111111111111111111111111111111111111111111111"
	testPostgres  = "registry.example.org/postgres@sha256:2222222222222222222222222222222222222222222222222222222222222222"
	testNamespace = "ejustice-system"
	settleTimeout = 2 * time.Minute
)

// testGateway is the Gateway that leads to tenants of a release with a front door.
var testGateway = [2]string{"gateway", "public"}

// suite is what all tests of this package share: a real API server with etcd, and a registry.
var suite struct {
	config   *rest.Config
	client   client.Client // an administrator's
	emptier  client.Client // the namespace controller's
	registry *httptest.Server
	chart    v1alpha1.CatalogChart
	vault    *vaulttest.Server
	// token is the file with the operator's token for Vault.
	token string
}

func TestMain(m *testing.M) {
	code, err := runSuite(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runSuite(m *testing.M) (int, error) {
	assets := os.Getenv("EJUSTICE_ASSETS")
	if os.Getenv("KUBEBUILDER_ASSETS") == "" || assets == "" {
		return 1, fmt.Errorf("these tests need a real kube-apiserver and etcd (KUBEBUILDER_ASSETS) and the CloudNativePG manifest (EJUSTICE_ASSETS): run `make test`")
	}
	ctrl.SetLogger(logr.Discard())
	environment := &envtest.Environment{
		CRDDirectoryPaths: []string{
			filepath.Join("..", "config", "crd"), filepath.Join(assets, "manifests", "cnpg.yaml"), filepath.Join(assets, "manifests", "cert-manager-crds.yaml"),
			filepath.Join(assets, "manifests", "gateway-api-crds.yaml"),
		},
		ErrorIfCRDPathMissing: true,
		Scheme:                Scheme(),
	}
	config, err := environment.Start()
	if err != nil {
		return 1, fmt.Errorf("starting kube-apiserver and etcd: %w", err)
	}
	defer func() {
		if err := environment.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stopping kube-apiserver and etcd:", err)
		}
	}()
	config.QPS = -1
	suite.config = config
	if suite.client, err = client.New(config, client.Options{Scheme: Scheme()}); err != nil {
		return 1, err
	}
	if suite.emptier, err = client.New(as("kube-system", "namespace-controller", "system:masters"), client.Options{Scheme: Scheme()}); err != nil {
		return 1, err
	}
	suite.registry = httptest.NewTLSServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer suite.registry.Close()
	if suite.chart, err = pushChart(filepath.Join("testdata", "module")); err != nil {
		return 1, fmt.Errorf("pushing the test chart: %w", err)
	}
	shared := &sharedTB{}
	defer shared.cleanUp()
	if err := startVault(shared); err != nil {
		return 1, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := prepareCluster(ctx); err != nil {
		return 1, err
	}
	go world(ctx)
	return m.Run(), nil
}

// prepareCluster applies the operator's rights, the admission policies, a StorageClass at home
// and two releases.
func prepareCluster(ctx context.Context) error {
	if err := suite.client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: testNamespace}}); err != nil {
		return err
	}
	if err := suite.client.Create(ctx, storageClass("local-lc", "LC")); err != nil {
		return err
	}
	for _, folder := range []string{"rbac", "admission"} {
		files, err := filepath.Glob(filepath.Join("..", "config", folder, "*.yaml"))
		if err != nil || len(files) == 0 {
			return fmt.Errorf("no manifests in config/%s: %w", folder, err)
		}
		for _, file := range files {
			if filepath.Base(file) == "kustomization.yaml" {
				continue
			}
			if err := applyFile(ctx, file); err != nil {
				return err
			}
		}
	}
	for release, from := range map[string][]v1alpha1.Version{testRelease: nil, newerRelease: {testRelease}} {
		if err := suite.client.Create(ctx, testCatalog(release, suite.chart, from...)); err != nil {
			return fmt.Errorf("creating release %s: %w", release, err)
		}
	}
	return nil
}

func applyFile(ctx context.Context, file string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for document := range strings.SplitSeq(string(raw), "\n---\n") {
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), &u.Object); err != nil {
			return fmt.Errorf("reading %s: %w", file, err)
		}
		if err := suite.client.Create(ctx, u); err != nil {
			return fmt.Errorf("applying %s: %w", file, err)
		}
	}
	return nil
}

// storageClass is one whose volumes lie in the jurisdiction; "" declares none.
func storageClass(name, jurisdiction string) *storagev1.StorageClass {
	wait := storagev1.VolumeBindingWaitForFirstConsumer
	class := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Provisioner: "example.org/none", VolumeBindingMode: &wait}
	if jurisdiction != "" {
		class.Labels = map[string]string{v1alpha1.LabelJurisdiction: jurisdiction}
	}
	return class
}

// as is the suite's configuration for a service account with the rights it really has.
func as(namespace, account string, groups ...string) *rest.Config {
	config := rest.CopyConfig(suite.config)
	config.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + namespace + ":" + account,
		Groups:   append(groups, "system:serviceaccounts", "system:serviceaccounts:"+namespace, "system:authenticated"),
	}
	return config
}

// testCatalog is a release with the modules casemanagement and reporting.
func testCatalog(release string, chart v1alpha1.CatalogChart, from ...v1alpha1.Version) *v1alpha1.ModuleCatalog {
	c := &v1alpha1.ModuleCatalog{ObjectMeta: metav1.ObjectMeta{Name: release}}
	for _, module := range []v1alpha1.ModuleName{"casemanagement", "reporting"} {
		c.Spec.Modules = append(c.Spec.Modules, v1alpha1.CatalogModule{
			Name: module, Version: v1alpha1.Version(release), Chart: chart, Database: true,
			Images:         []v1alpha1.CatalogImage{{Name: "module", Ref: testImage}},
			UpgradableFrom: from,
		})
	}
	return c
}

// pushChart packages a chart folder and pushes it to the suite's registry.
func pushChart(folder string) (v1alpha1.CatalogChart, error) {
	ch, err := loader.LoadDir(folder)
	if err != nil {
		return v1alpha1.CatalogChart{}, err
	}
	dir, err := os.MkdirTemp("", "chart")
	if err != nil {
		return v1alpha1.CatalogChart{}, err
	}
	defer os.RemoveAll(dir)
	file, err := chartutil.Save(ch, dir)
	if err != nil {
		return v1alpha1.CatalogChart{}, err
	}
	archive, err := os.ReadFile(file)
	if err != nil {
		return v1alpha1.CatalogChart{}, err
	}
	layer := static.NewLayer(archive, "application/vnd.cncf.helm.chart.content.v1.tar+gzip")
	image, err := mutate.AppendLayers(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), "application/vnd.cncf.helm.config.v1+json"), layer)
	if err != nil {
		return v1alpha1.CatalogChart{}, err
	}
	repository := strings.TrimPrefix(suite.registry.URL, "https://") + "/charts/module"
	digest, err := image.Digest()
	if err != nil {
		return v1alpha1.CatalogChart{}, err
	}
	ref, err := name.ParseReference(repository + "@" + digest.String())
	if err != nil {
		return v1alpha1.CatalogChart{}, err
	}
	if err := remote.Write(ref, image, remote.WithTransport(suite.registry.Client().Transport)); err != nil {
		return v1alpha1.CatalogChart{}, err
	}
	return v1alpha1.CatalogChart{Ref: "oci://" + repository, Digest: digest.String()}, nil
}

// missingChart is a reference to a chart that does not exist.
func missingChart() v1alpha1.CatalogChart {
	sum := sha256.Sum256([]byte("missing"))
	return v1alpha1.CatalogChart{Ref: suite.chart.Ref, Digest: fmt.Sprintf("sha256:%x", sum)}
}

// operator is a running operator whose requests can be counted and cut off.
type operator struct {
	stop     func() // waits until it has stopped
	requests *wire
}

// startOperator runs an operator until the test ends or stop is called.
func startOperator(t *testing.T, requests *wire) *operator {
	t.Helper()
	if requests == nil {
		requests = &wire{}
	}
	config := as(testNamespace, v1alpha1.FieldOwner)
	config.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
		return requests.over(next)
	}
	options := ManagerOptions()
	options.Metrics = metricsserver.Options{BindAddress: "0"}
	skip := true
	options.Controller.SkipNameValidation = &skip
	grace := time.Duration(0)
	options.GracefulShutdownTimeout = &grace
	manager, err := ctrl.NewManager(config, options)
	if err != nil {
		t.Fatalf("making a manager: %v", err)
	}
	secrets, err := vault.New(vault.Config{
		Address: suite.vault.Root.Address(), CAFile: suite.vault.CA, AuthPath: "auth/jwt", Method: "jwt",
		Role: v1alpha1.FieldOwner, TokenFile: suite.token, WrapTransport: requests.over,
	})
	if err != nil {
		t.Fatalf("preparing Vault's client: %v", err)
	}
	err = Setup(manager, Settings{
		Vault: secrets, TrustVaultConnection: true, CertManager: [2]string{"cert-manager", "cert-manager"}, Gateway: testGateway,
		PodCIDRs:      []string{"10.244.0.0/16"},
		PostgresImage: testPostgres, Namespace: testNamespace, MaxConcurrent: 4,
		External:          ExternalServers{Ensure: externalDatabases.ensure, SetVaultPassword: externalDatabases.setVaultPassword},
		RegistryTransport: suite.registry.Client().Transport,
	})
	if err != nil {
		t.Fatalf("setting up the operator: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	requests.onCut(cancel)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := manager.Start(ctx); err != nil && !requests.isCut() && ctx.Err() == nil {
			t.Errorf("the operator stopped: %v", err)
		}
	}()
	stop := func() { cancel(); <-done }
	t.Cleanup(func() { stop(); clear(t) })
	return &operator{stop: stop, requests: requests}
}

// clear takes a test's tenants away once its operator has stopped, so that the operators of later
// tests have none but their own to look after. What they left in Vault stays.
func clear(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	for _, list := range []client.ObjectList{&v1alpha1.CourtModuleList{}, &v1alpha1.JusticeTenantList{}, &corev1.NamespaceList{}} {
		if err := suite.emptier.List(ctx, list); err != nil {
			t.Fatalf("listing what to clear: %v", err)
		}
		err := meta.EachListItem(list, func(item runtime.Object) error {
			o := item.(client.Object)
			if _, is := o.(*corev1.Namespace); is && o.GetLabels()[v1alpha1.LabelTenant] == "" {
				return nil
			}
			before := o.DeepCopyObject().(client.Object)
			o.SetFinalizers(nil)
			if err := suite.emptier.Patch(ctx, o, client.MergeFrom(before)); err != nil {
				return client.IgnoreNotFound(err)
			}
			return client.IgnoreNotFound(suite.emptier.Delete(ctx, o))
		})
		if err != nil {
			t.Fatalf("clearing: %v", err)
		}
	}
}

// wire counts the operator's writes and can cut it off after the n-th.
type wire struct {
	cutAfter int64 // 0: never
	writes   atomic.Int64
	cut      atomic.Bool
	cancel   atomic.Pointer[context.CancelFunc]
	trace    atomic.Pointer[traceLog]
	all      atomic.Int64 // requests except watches and leases
}

func (w *wire) onCut(cancel context.CancelFunc) { w.cancel.Store(&cancel) }
func (w *wire) isCut() bool                     { return w.cut.Load() }

func (w *wire) over(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		if w.cut.Load() {
			return nil, fmt.Errorf("cut off")
		}
		if request.URL.Query().Get("watch") == "" {
			w.all.Add(1)
		}
		if request.Method == http.MethodGet || strings.Contains(request.URL.Path, "/leases/") || strings.HasSuffix(request.URL.Path, "/login") {
			return next.RoundTrip(request)
		}
		count := w.writes.Add(1)
		if w.cutAfter > 0 && count > w.cutAfter {
			return nil, fmt.Errorf("cut off")
		}
		if trace := w.trace.Load(); trace != nil {
			trace.add(request)
		}
		response, err := next.RoundTrip(request)
		if w.cutAfter > 0 && count == w.cutAfter {
			w.cut.Store(true)
			if cancel := w.cancel.Load(); cancel != nil {
				(*cancel)()
			}
			if err == nil {
				response.Body.Close()
			}
			return nil, fmt.Errorf("cut off")
		}
		return response, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// await polls until the condition holds; it says what it last saw when time runs out.
func await(t *testing.T, what string, condition func() (ok bool, saw string)) {
	t.Helper()
	deadline := time.Now().Add(settleTimeout)
	for {
		ok, saw := condition()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come about within %s; last seen: %s", what, settleTimeout, saw)
		}
		time.Sleep(20 * time.Millisecond) // the pace of polling, not a wait for a state
	}
}
