package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/template"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"
)

// TestInACluster runs it with the rights of its own manifest against a real API server.
func TestInACluster(t *testing.T) {
	assets := os.Getenv("EJUSTICE_ASSETS")
	if os.Getenv("KUBEBUILDER_ASSETS") == "" || assets == "" {
		t.Fatal("needs a kube-apiserver, etcd and the definitions of Gateway API: run make test-unit")
	}
	environment := &envtest.Environment{CRDDirectoryPaths: []string{filepath.Join(assets, "manifests", "gateway-api-crds.yaml")}, ErrorIfCRDPathMissing: true}
	config, err := environment.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Error(err)
		}
	})
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, gatewayv1.Install} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	admin, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	applyManifest(t, admin)

	front := door(t, "a")
	w := newWorld()
	service := &w.services[0]
	service.Spec.ClusterIP = "" // the API server chooses
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "a", Labels: map[string]string{"ejustice.dev/tenant": "a"}}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "b"}}, // no tenant's
		service,
	} {
		if err := admin.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	for i := range w.routes {
		w.routes[i].CreationTimestamp, w.routes[i].Generation = metav1.Time{}, 0
		if err := admin.Create(t.Context(), &w.routes[i]); err != nil {
			t.Fatal(err)
		}
	}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	backend := net.JoinHostPort(service.Spec.ClusterIP, "443")
	p := &proxy{patience: time.Second, dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		if address != backend {
			return nil, fmt.Errorf("led to %s, want %s", address, backend)
		}
		return (&net.Dialer{}).DialContext(ctx, network, front.Listener.Addr().String())
	}}
	account := rest.CopyConfig(config)
	account.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:gateway:gateway", Groups: []string{"system:serviceaccounts", "system:authenticated"},
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.follow(ctx, account, listener, "0", "192.0.2.1") }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})

	await(t, "a's route is accepted", func() (bool, any) {
		accepted, word := accepted(t, admin, &w.routes[0])
		return accepted == metav1.ConditionTrue, word
	})
	await(t, "b's route is not", func() (bool, any) {
		accepted, word := accepted(t, admin, &w.routes[1])
		return accepted == metav1.ConditionFalse && strings.Contains(word, "NotAllowedByListeners"), word
	})
	gateway := &gatewayv1.Gateway{}
	await(t, "the Gateway is programmed", func() (bool, any) {
		if err := admin.Get(t.Context(), client.ObjectKey{Namespace: "gateway", Name: "public"}, gateway); err != nil {
			return false, err
		}
		s := gateway.Status
		return meta.IsStatusConditionTrue(s.Conditions, "Programmed") && len(s.Addresses) == 1 && s.Addresses[0].Value == "192.0.2.1" &&
			len(s.Listeners) == 1 && s.Listeners[0].AttachedRoutes == 1, s
	})
	people := clientOf(front, listener.Addr().String())
	defer people.CloseIdleConnections()
	if got := fetch(t, people, "https://a.example.com/"); got != "a 0" {
		t.Errorf("answer %q", got)
	}
	requireSilence(t, listener.Addr().String(), greetingFor(t, "b.example.com"))

	// Another name, and the old one leads nowhere any more.
	before := w.routes[0].DeepCopy()
	w.routes[0].Spec.Hostnames[0] = "new.example.com"
	if err := admin.Patch(t.Context(), &w.routes[0], client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	await(t, "the new name is led", func() (bool, any) {
		hosts := *p.hosts.Load()
		return hosts["new.example.com"] == backend && len(hosts) == 1, hosts
	})
	requireSilence(t, listener.Addr().String(), greetingFor(t, "a.example.com"))

	// It has no right to a Secret.
	own, err := client.New(account, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	if err := own.List(t.Context(), &corev1.SecretList{}); err == nil {
		t.Error("it may list Secrets")
	}
}

// applyManifest applies what the local cluster applies.
func applyManifest(t *testing.T, admin client.Client) {
	t.Helper()
	manifest, err := template.ParseFiles(filepath.Join("..", "..", "manifests", "gateway.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var filled bytes.Buffer
	if err := manifest.Execute(&filled, map[string]string{"Image": "x", "ClusterIP": "10.0.0.30", "APIServer": "192.0.2.9"}); err != nil {
		t.Fatal(err)
	}
	for document := range strings.SplitSeq(filled.String(), "\n---\n") {
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), &u.Object); err != nil {
			t.Fatal(err)
		}
		if err := admin.Create(t.Context(), u, &client.CreateOptions{Raw: &metav1.CreateOptions{FieldValidation: "Strict"}}); err != nil {
			t.Fatalf("%s %s: %v", u.GetKind(), u.GetName(), err)
		}
	}
}

// accepted is what is said about the route.
func accepted(t *testing.T, admin client.Client, route *gatewayv1.TLSRoute) (metav1.ConditionStatus, string) {
	t.Helper()
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(route), route); err != nil {
		return "", err.Error()
	}
	for _, parent := range route.Status.Parents {
		c := ptr.Deref(meta.FindStatusCondition(parent.Conditions, "Accepted"), metav1.Condition{})
		return c.Status, c.Reason + " " + c.Message
	}
	return "", "nothing"
}

func fetch(t *testing.T, people *http.Client, url string) string {
	t.Helper()
	response, err := people.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func await(t *testing.T, what string, condition func() (ok bool, saw any)) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		ok, saw := condition()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 30s; last seen: %v", what, saw)
		}
		time.Sleep(20 * time.Millisecond) // the pace of polling, not a wait for a state
	}
}
