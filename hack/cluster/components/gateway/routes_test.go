package main

import (
	"maps"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// newWorld has one gateway for labelled namespaces, and tenants a and b with a route each.
func newWorld() *world {
	from := gatewayv1.NamespacesFromSelector
	w := &world{gateways: []gatewayv1.Gateway{{
		ObjectMeta: metav1.ObjectMeta{Namespace: "gateway", Name: "public", Generation: 3},
		Spec: gatewayv1.GatewaySpec{Listeners: []gatewayv1.Listener{{
			Name: "tls", Protocol: gatewayv1.TLSProtocolType, Port: 443,
			TLS: &gatewayv1.ListenerTLSConfig{Mode: ptr.To(gatewayv1.TLSModePassthrough)},
			AllowedRoutes: &gatewayv1.AllowedRoutes{Namespaces: &gatewayv1.RouteNamespaces{
				From: &from, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"tenant": "yes"}},
			}},
		}}},
	}}}
	for i, name := range []string{"a", "b"} {
		w.namespaces = append(w.namespaces, corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"tenant": "yes"}}})
		w.services = append(w.services, corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "frontdoor"},
			Spec:       corev1.ServiceSpec{ClusterIP: "10.0.0." + string(rune('1'+i)), Ports: []corev1.ServicePort{{Port: 443}}},
		})
		w.routes = append(w.routes, gatewayv1.TLSRoute{
			ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "frontdoor", Generation: 7, CreationTimestamp: metav1.Unix(int64(1000+i), 0)},
			Spec: gatewayv1.TLSRouteSpec{
				CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{{Namespace: ptr.To(gatewayv1.Namespace("gateway")), Name: "public"}}},
				Hostnames:       []gatewayv1.Hostname{gatewayv1.Hostname(name + ".example.com")},
				Rules: []gatewayv1.TLSRouteRule{{BackendRefs: []gatewayv1.BackendRef{{
					BackendObjectReference: gatewayv1.BackendObjectReference{Name: "frontdoor", Port: ptr.To(gatewayv1.PortNumber(443))},
				}}}},
			},
		})
	}
	return w
}

func TestDecide(t *testing.T) {
	const doorA, doorB = "10.0.0.1:443", "10.0.0.2:443"
	both := table{"a.example.com": doorA, "b.example.com": doorB}
	onlyA := table{"a.example.com": doorA}
	tests := []struct {
		name string
		edit func(*world)
		want table
		says string // about b's route: the reason of the condition that is not True; "" when both are
	}{
		{"two tenants", func(*world) {}, both, ""},
		{"a taken name", func(w *world) { w.routes[1].Spec.Hostnames[0] = "a.example.com" }, onlyA, "HostnameTaken"},
		{"a taken name, listed first", func(w *world) {
			w.routes[1].Spec.Hostnames[0] = "a.example.com"
			w.routes[0], w.routes[1] = w.routes[1], w.routes[0]
		}, onlyA, "HostnameTaken"},
		{"one of two names taken", func(w *world) {
			w.routes[1].Spec.Hostnames = append(w.routes[1].Spec.Hostnames, "a.example.com")
		}, onlyA, "HostnameTaken"},
		{"a namespace that may not", func(w *world) { w.namespaces[1].Labels = nil }, onlyA, "NotAllowedByListeners"},
		{"no Service", func(w *world) { w.services = w.services[:1] }, onlyA, "BackendNotFound"},
		{"another port", func(w *world) { w.services[1].Spec.Ports[0].Port = 80 }, onlyA, "BackendNotFound"},
		{"a Service without an address", func(w *world) { w.services[1].Spec.ClusterIP = corev1.ClusterIPNone }, onlyA, "BackendNotFound"},
		{"somebody else's Service", func(w *world) {
			w.routes[1].Spec.Rules[0].BackendRefs[0].Namespace = ptr.To(gatewayv1.Namespace("a"))
		}, onlyA, "RefNotPermitted"},
		{"all names", func(w *world) { w.routes[1].Spec.Hostnames[0] = "*.example.com" }, onlyA, "UnsupportedValue"},
		{"the listener's names", func(w *world) {
			w.gateways[0].Spec.Listeners[0].Hostname = ptr.To(gatewayv1.Hostname("*.example.com"))
		}, both, ""},
		{"not the listener's name", func(w *world) {
			w.gateways[0].Spec.Listeners[0].Hostname = ptr.To(gatewayv1.Hostname("a.example.com"))
		}, onlyA, "NoMatchingListenerHostname"},
		{"no such listener", func(w *world) {
			w.routes[1].Spec.ParentRefs[0].SectionName = ptr.To(gatewayv1.SectionName("other"))
		}, onlyA, "NoMatchingParent"},
		{"a listener that would decrypt", func(w *world) {
			w.gateways[0].Spec.Listeners[0].TLS.Mode = ptr.To(gatewayv1.TLSModeTerminate)
		}, table{}, "NoMatchingParent"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld()
			tc.edit(w)
			if got := w.decide("192.0.2.1"); !maps.Equal(got, tc.want) {
				t.Errorf("table %v, want %v", got, tc.want)
			}
			if got := complaint(t, w.routes[1]); got != tc.says {
				t.Errorf("b's route: %q, want %q", got, tc.says)
			}
			before := []gatewayv1.TLSRoute{*w.routes[0].DeepCopy(), *w.routes[1].DeepCopy()}
			gateways := w.gateways[0].DeepCopy()
			w.decide("192.0.2.1")
			if !equality.Semantic.DeepEqual(before, w.routes) || !equality.Semantic.DeepEqual(*gateways, w.gateways[0]) {
				t.Error("a second look says something else")
			}
		})
	}
}

// complaint is the reason of the first condition that is not True.
func complaint(t *testing.T, route gatewayv1.TLSRoute) string {
	t.Helper()
	if len(route.Status.Parents) != 1 || route.Status.Parents[0].ControllerName != controllerName {
		t.Fatalf("said %+v, want one word of ours", route.Status.Parents)
	}
	for _, kind := range []gatewayv1.RouteConditionType{gatewayv1.RouteConditionAccepted, gatewayv1.RouteConditionResolvedRefs} {
		c := meta.FindStatusCondition(route.Status.Parents[0].Conditions, string(kind))
		if c == nil || c.ObservedGeneration != 7 {
			t.Fatalf("%s: %+v", kind, c)
		}
		if c.Status != metav1.ConditionTrue {
			return c.Reason
		}
	}
	return ""
}

func TestWhatOthersSayStays(t *testing.T) {
	w := newWorld()
	other := gatewayv1.RouteParentStatus{ControllerName: "example.org/other", ParentRef: gatewayv1.ParentReference{Name: "other"}}
	w.routes[0].Status.Parents = []gatewayv1.RouteParentStatus{other}
	w.routes[1].Spec.ParentRefs[0].Name = "elsewhere"
	if got := w.decide(""); len(got) != 1 {
		t.Errorf("table %v, want a's name alone", got)
	}
	if p := w.routes[0].Status.Parents; len(p) != 2 || !equality.Semantic.DeepEqual(p[0], other) {
		t.Errorf("a's route: %+v", p)
	}
	if p := w.routes[1].Status.Parents; len(p) != 0 {
		t.Errorf("of another's route it is said: %+v", p)
	}
}

func TestGatewayStatus(t *testing.T) {
	w := newWorld()
	w.decide("192.0.2.1")
	g := w.gateways[0].Status
	if !meta.IsStatusConditionTrue(g.Conditions, "Accepted") || !meta.IsStatusConditionTrue(g.Conditions, "Programmed") ||
		len(g.Addresses) != 1 || g.Addresses[0].Value != "192.0.2.1" || g.Listeners[0].AttachedRoutes != 2 {
		t.Errorf("status %+v", g)
	}
	w.gateways[0].Spec.Listeners[0].Protocol = gatewayv1.HTTPProtocolType
	w.decide("192.0.2.1")
	c := meta.FindStatusCondition(w.gateways[0].Status.Conditions, "Programmed")
	if c.Status != metav1.ConditionFalse || !strings.Contains(c.Message, "listener tls") || time.Since(c.LastTransitionTime.Time) > time.Minute {
		t.Errorf("Programmed: %+v", c)
	}
}
