//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/hack/tenant"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// TestGateway reaches two tenants at one address. Each answers for its own name, with its own
// certificate; who asks for anybody else, or in an old way, gets no answer from either.
func TestGateway(t *testing.T) {
	const a, b, thief = "e2e-host-a", "e2e-host-b", "e2e-host-thief"
	nsA, nsB := v1alpha1.NamespaceFor(a), v1alpha1.NamespaceFor(b)
	for _, name := range []string{a, b, thief} {
		remove(t, name)
		t.Cleanup(func() { remove(t, name) })
	}
	for _, name := range []string{a, b} {
		apply(t, sample(t, name))
	}
	for _, name := range []string{a, b} {
		provision(t, sample(t, name))
	}
	ip, err := cluster.GatewayAddress(t.Context(), nsA)
	if err != nil {
		t.Fatal(err)
	}
	if ip == "" {
		t.Skip("the operator is told of no Gateway")
	}
	address := net.JoinHostPort(ip, "443")
	siteA, siteB := publicSite(t, nsA), publicSite(t, nsB)

	t.Run("each name leads to its own tenant", func(t *testing.T) {
		for _, site := range []*tenant.Site{siteA, siteB} {
			response, body := ask(t, site, address, site.Domain)
			leaf := response.TLS.PeerCertificates[0]
			if response.StatusCode != http.StatusOK || leaf.VerifyHostname(site.Domain) != nil || len(leaf.DNSNames) != 1 {
				t.Errorf("%s: status %d, certificate for %q: %s", site.Domain, response.StatusCode, leaf.DNSNames, body)
			}
			if got := response.Header.Get("Strict-Transport-Security"); !strings.HasPrefix(got, "max-age=31536000") {
				t.Errorf("%s: Strict-Transport-Security %q", site.Domain, got)
			}
			if response.TLS.Version != tls.VersionTLS13 || response.ProtoMajor != 2 {
				t.Errorf("%s: %s, %s", site.Domain, tls.VersionName(response.TLS.Version), response.Proto)
			}
		}
	})

	t.Run("what is filed at one is not on file at the other", func(t *testing.T) {
		file := func(site *tenant.Site) *tenant.CaseManagement {
			return &tenant.CaseManagement{BaseURL: "https://" + site.Domain, HTTP: site.Client(address)}
		}
		if _, err := file(siteA).File(t.Context(), "gateway-1", filing(1)); err != nil {
			t.Fatal(err)
		}
		for site, want := range map[*tenant.Site]int{siteA: 1, siteB: 0} {
			cases, err := file(site).List(t.Context(), "")
			if err != nil || len(cases) != want {
				t.Errorf("%s has %d cases, want %d: %v", site.Domain, len(cases), want, err)
			}
		}
	})

	t.Run("over one tenant's connection the other's name is refused", func(t *testing.T) {
		if response, body := ask(t, siteA, address, siteB.Domain); response.StatusCode != http.StatusMisdirectedRequest {
			t.Errorf("status %d: %s", response.StatusCode, body)
		}
	})

	t.Run("old versions of TLS are refused by the tenant", func(t *testing.T) {
		conn, err := tls.Dial("tcp", address, &tls.Config{
			ServerName: siteA.Domain, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11, InsecureSkipVerify: true,
		})
		if err == nil {
			conn.Close()
			t.Fatalf("%s is spoken", tls.VersionName(conn.ConnectionState().Version))
		}
		if !strings.Contains(err.Error(), "protocol version") {
			t.Errorf("err = %v, want the tenant's own refusal", err)
		}
	})

	t.Run("who names nobody known hears nothing", func(t *testing.T) {
		for _, name := range []string{"nobody.justice.example", "x." + siteA.Domain, ""} {
			conn, err := tls.Dial("tcp", address, &tls.Config{ServerName: name, InsecureSkipVerify: true})
			if err == nil {
				conn.Close()
				t.Errorf("%q is answered with a certificate for %q", name, conn.ConnectionState().PeerCertificates[0].DNSNames)
			}
			if err != nil && strings.Contains(err.Error(), "remote error") { // a TLS alert
				t.Errorf("%q is answered: %v", name, err)
			}
		}
		requireSilence(t, address, "GET / HTTP/1.1\r\nHost: "+siteA.Domain+"\r\nConnection: close\r\n\r\n")
	})

	t.Run("nothing answers on the port of plain HTTP", func(t *testing.T) {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort(ip, "80"), 3*time.Second)
		if err == nil {
			conn.Close()
			t.Error("port 80 answers")
		}
	})

	t.Run("a later route for a tenant's name gets nothing", func(t *testing.T) {
		route := wayIn(nsA, gatewayOf(t, nsA), siteB.Domain)
		if err := cluster.Create(t.Context(), route); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cluster.Delete(context.Background(), route) })
		await(t, "the Gateway refuses the route", time.Minute, func(ctx context.Context) (bool, error) {
			if err := cluster.Get(ctx, client.ObjectKeyFromObject(route), route); err != nil || len(route.Status.Parents) == 0 {
				return false, err
			}
			return meta.IsStatusConditionFalse(route.Status.Parents[0].Conditions, string(gatewayv1.RouteConditionAccepted)), nil
		})
		// The certificate is checked: an answer of A's would fail.
		if response, body := ask(t, siteB, address, siteB.Domain); response.StatusCode != http.StatusOK {
			t.Errorf("status %d: %s", response.StatusCode, body)
		}
	})

	t.Run("a tenant that asks for another's domain is told, and gets nothing", func(t *testing.T) {
		jt := sample(t, thief)
		jt.Spec.Domain = siteA.Domain
		apply(t, jt)
		await(t, "the tenant is told", 2*time.Minute, func(ctx context.Context) (bool, error) {
			c, err := conditionOf(ctx, thief, v1alpha1.ConditionPublished)
			return err == nil && c.Status == metav1.ConditionFalse && strings.Contains(c.Message, "spec.domain") && strings.Contains(c.Message, a), err
		})
		if gone, err := isGone(t.Context(), &gatewayv1.TLSRoute{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.NamespaceFor(thief), Name: v1alpha1.ModuleFrontDoor}}); !gone || err != nil {
			t.Errorf("it has a route: %v", err)
		}
	})

	t.Run("another Gateway pod takes over", func(t *testing.T) {
		var before corev1.PodList
		if err := cluster.List(t.Context(), &before, client.InNamespace("gateway"), client.MatchingLabels{"app": "gateway"}); err != nil || len(before.Items) == 0 {
			t.Skip("the Gateway is not the local cluster's:", err)
		}
		for i := range before.Items {
			if err := cluster.Delete(t.Context(), &before.Items[i]); err != nil {
				t.Fatal(err)
			}
		}
		await(t, "the tenant answers through another pod", time.Minute, func(ctx context.Context) (bool, error) {
			ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
			defer cancel()
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+siteA.Domain+"/api/v1/courts", nil)
			if err != nil {
				return false, err
			}
			connection := siteA.Client(address)
			defer connection.CloseIdleConnections()
			response, err := connection.Do(request)
			if err != nil {
				return false, err
			}
			response.Body.Close()
			for i := range before.Items {
				if gone, err := isGone(ctx, &before.Items[i]); !gone {
					return false, err
				}
			}
			return response.StatusCode == http.StatusOK, nil
		})
	})
}

func publicSite(t *testing.T, namespace string) *tenant.Site {
	t.Helper()
	site, err := cluster.PublicSite(t.Context(), namespace)
	if err != nil {
		t.Fatal(err)
	}
	return site
}

// ask sends a request over a connection of its own that names the site, for the host.
func ask(t *testing.T, site *tenant.Site, address, host string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+site.Domain+"/api/v1/courts", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = host
	connection := site.Client(address)
	defer connection.CloseIdleConnections()
	response, err := connection.Do(request)
	if err != nil {
		t.Fatalf("asking %s for %s: %v", site.Domain, host, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

// requireSilence wants the connection closed without a byte.
func requireSilence(t *testing.T, address, said string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(15 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, said); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if len(answer) != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("plain HTTP is answered with %q, %v", answer, err)
	}
}

// gatewayOf is how the tenant's own route names its Gateway.
func gatewayOf(t *testing.T, namespace string) gatewayv1.ParentReference {
	t.Helper()
	var route gatewayv1.TLSRoute
	if err := cluster.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: v1alpha1.ModuleFrontDoor}, &route); err != nil {
		t.Fatal(err)
	}
	return route.Spec.ParentRefs[0]
}

// wayIn is a route that leads the name to the front door of the namespace.
func wayIn(namespace string, gateway gatewayv1.ParentReference, name string) *gatewayv1.TLSRoute {
	backend := gatewayv1.BackendRef{BackendObjectReference: gatewayv1.BackendObjectReference{
		Name: v1alpha1.ModuleFrontDoor, Port: ptr.To(gatewayv1.PortNumber(443)),
	}}
	return &gatewayv1.TLSRoute{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "e2e-way-in"},
		Spec: gatewayv1.TLSRouteSpec{
			CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{gateway}},
			Hostnames:       []gatewayv1.Hostname{gatewayv1.Hostname(name)},
			Rules:           []gatewayv1.TLSRouteRule{{BackendRefs: []gatewayv1.BackendRef{backend}}},
		},
	}
}
