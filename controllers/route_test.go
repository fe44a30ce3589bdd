package controllers

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/internal/apply"
	"ejustice.dev/operator/internal/status"
)

// withDoor is a tenant of a release that has a front door.
func withDoor(t *testing.T, name string) *v1alpha1.JusticeTenant {
	t.Helper()
	const release = "0.8.0"
	catalog := testCatalog(release, suite.chart)
	door := *catalog.Spec.Modules[0].DeepCopy()
	door.Name = v1alpha1.ModuleFrontDoor // of the same chart, which wants a database
	catalog.Spec.Modules = append(catalog.Spec.Modules, door)
	if err := client.IgnoreAlreadyExists(suite.client.Create(t.Context(), catalog)); err != nil {
		t.Fatal(err)
	}
	tenant := newTenant(name)
	tenant.Spec.Release = release
	tenant.Spec.PublicIssuer = &v1alpha1.IssuerReference{Name: "country"}
	return tenant
}

func routeKey(tenant string) client.ObjectKey {
	return client.ObjectKey{Namespace: v1alpha1.NamespaceFor(tenant), Name: v1alpha1.ModuleFrontDoor}
}

func awaitRoute(t *testing.T, tenant, domain string) *gatewayv1.TLSRoute {
	t.Helper()
	route := &gatewayv1.TLSRoute{}
	await(t, "a route of "+tenant+" for "+domain, func() (bool, string) {
		if err := suite.client.Get(t.Context(), routeKey(tenant), route); err != nil {
			return false, err.Error()
		}
		return len(route.Spec.Hostnames) == 1 && string(route.Spec.Hostnames[0]) == domain, "other names"
	})
	return route
}

// A tenant's domain leads to its front door; what the Gateway says about that is told.
func TestPublished(t *testing.T) {
	const name, namespace = "published", "justice-published"
	operator := startOperator(t, nil)
	gatewayWords.Store(namespace, "")
	create(t, withDoor(t, name))
	awaitTenant(t, name, v1alpha1.ConditionPublished, metav1.ConditionFalse, "Gateway gateway/public has not taken up the route of published.justice.example")
	awaitTenant(t, name, v1alpha1.ConditionReady, metav1.ConditionFalse, "has not taken up the route")

	gatewayWords.Store(namespace, "NotAllowedByListeners")
	awaitTenant(t, name, v1alpha1.ConditionReady, metav1.ConditionFalse, "does not lead published.justice.example here: NotAllowedByListeners: as told")

	gatewayWords.Delete(namespace)
	awaitTenant(t, name, v1alpha1.ConditionPublished, metav1.ConditionTrue, "")
	awaitReady(t, name)
	route := awaitRoute(t, name, "published.justice.example")
	parent, backend := route.Spec.ParentRefs[0], route.Spec.Rules[0].BackendRefs[0]
	if string(*parent.Namespace) != "gateway" || parent.Name != "public" || backend.Name != "frontdoor" || *backend.Port != 443 || backend.Namespace != nil {
		t.Errorf("the route leads from %+v to %+v", parent, backend)
	}

	quiesce(t, operator)
	writes := operator.requests.writes.Load()
	poke(t, name)
	quiesce(t, operator)
	if more := operator.requests.writes.Load() - writes; more != 0 {
		t.Errorf("%d writes for a settled tenant", more)
	}

	remove(t, route)
	await(t, "another route", func() (bool, string) {
		again := &gatewayv1.TLSRoute{}
		err := suite.client.Get(t.Context(), routeKey(name), again)
		return err == nil && again.UID != route.UID, "none"
	})
}

func TestNoRouteWithoutFrontDoor(t *testing.T) {
	startOperator(t, nil)
	create(t, newTenant("doorless"))
	tenant := awaitReady(t, "doorless")
	if ok, saw := hasCondition(tenant.Status.Conditions, tenant.Generation, v1alpha1.ConditionPublished, metav1.ConditionTrue, ""); saw != "no such condition" {
		t.Errorf("published: %t, %s", ok, saw)
	}
	if err := suite.client.Get(t.Context(), routeKey("doorless"), &gatewayv1.TLSRoute{}); client.IgnoreNotFound(err) != nil || err == nil {
		t.Errorf("route of a tenant without front door: %v", err)
	}
}

// A domain belongs to one tenant, and nobody takes it away by asking for it.
func TestDomainTaken(t *testing.T) {
	const first, second = "domain-a", "domain-b"
	const domain = first + ".justice.example"
	startOperator(t, nil)
	create(t, withDoor(t, first))
	awaitReady(t, first)
	thief := withDoor(t, second)
	thief.Spec.Domain = domain
	create(t, thief)
	taken := "spec.domain: " + domain + " belongs to tenant " + first + " already"
	awaitTenant(t, second, v1alpha1.ConditionStalled, metav1.ConditionTrue, taken)
	awaitTenant(t, second, v1alpha1.ConditionPublished, metav1.ConditionFalse, taken)
	if err := suite.client.Get(t.Context(), routeKey(second), &gatewayv1.TLSRoute{}); err == nil {
		t.Error("the second tenant has a route for the first one's domain")
	}

	change(t, tenantKey(second), &v1alpha1.JusticeTenant{}, func(o *v1alpha1.JusticeTenant) { o.Spec.Domain = second + ".justice.example" })
	awaitReady(t, second)

	// The older tenant has no right to the younger one's domain either.
	change(t, tenantKey(first), &v1alpha1.JusticeTenant{}, func(o *v1alpha1.JusticeTenant) { o.Spec.Domain = second + ".justice.example" })
	awaitTenant(t, first, v1alpha1.ConditionStalled, metav1.ConditionTrue, "belongs to tenant "+second+" already")
	awaitRoute(t, first, domain)
	awaitTenant(t, second, v1alpha1.ConditionPublished, metav1.ConditionTrue, "")
}

func TestPublishedVerdict(t *testing.T) {
	tests := []struct {
		name string
		edit func(*routeState)
		want string // reason; "": the condition is not there
	}{
		{"no Gateway", func(r *routeState) { r.gateway = "" }, ""},
		{"led", func(*routeState) {}, "Routed"},
		{"no Gateway API", func(r *routeState) { r.missing, r.answered = true, false }, "GatewayAPIMissing"},
		{"another tenant's domain", func(r *routeState) { r.holder = "other" }, "DomainTaken"},
		{"route to be written", func(r *routeState) { r.pending = []apply.Object{someObject} }, "Routing"},
		{"no answer", func(r *routeState) { r.answered = false }, "NotRouted"},
		{"refused", func(r *routeState) { r.refusal = "x" }, "NotRouted"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			s := settledTenant()
			s.route = routeState{gateway: "gateway/public", answered: true}
			status.Set(&s.tenant.Status.Conditions, v1alpha1.ConditionPublished, 0, status.Yes("Earlier", "x"))
			tc.edit(&s.route)
			report := reportTenant(s, nil)
			_, reason, _ := conditionOf(report.Conditions, v1alpha1.ConditionPublished)
			well, _, _ := conditionOf(report.Conditions, v1alpha1.ConditionReady)
			stuck, _, _ := conditionOf(report.Conditions, v1alpha1.ConditionStalled)
			if reason != tc.want || well != (tc.want == "" || tc.want == "Routed") || stuck != (tc.want == "GatewayAPIMissing" || tc.want == "DomainTaken") {
				t.Errorf("reason %q, Ready %t, Stalled %t, want reason %q", reason, well, stuck, tc.want)
			}
		})
	}
}

// A cluster without Gateway API is told from one where the route is only not there yet.
func TestGatewayAPIMissing(t *testing.T) {
	bare := &envtest.Environment{}
	config, err := bare.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bare.Stop(); err != nil {
			t.Error(err)
		}
	})
	c, err := client.New(config, client.Options{Scheme: Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	s := settledTenant()
	s.frontDoor = true
	r := &JusticeTenantReconciler{Client: c, Live: c, Gateway: testGateway}
	if err := r.readRoute(t.Context(), s); err != nil || !s.route.missing {
		t.Errorf("missing %t, err = %v", s.route.missing, err)
	}
}

func TestPublishedStaysWhileNobodyCanTell(t *testing.T) {
	s := settledTenant()
	s.namespace = namespaceAbsent
	status.Set(&s.tenant.Status.Conditions, v1alpha1.ConditionPublished, 0, status.Yes("Routed", "x"))
	if is, _, _ := conditionOf(reportTenant(s, nil).Conditions, v1alpha1.ConditionPublished); !is {
		t.Error("the condition is taken away before anybody has looked")
	}
}

func TestGatewaySays(t *testing.T) {
	accepted := metav1.Condition{Type: "Accepted", Status: metav1.ConditionTrue, Reason: "Accepted", ObservedGeneration: 2}
	resolved := metav1.Condition{Type: "ResolvedRefs", Status: metav1.ConditionTrue, Reason: "ResolvedRefs", ObservedGeneration: 2}
	with := func(c metav1.Condition, edit func(*metav1.Condition)) metav1.Condition { edit(&c); return c }
	no := func(c *metav1.Condition) { c.Status, c.Reason, c.Message = metav1.ConditionFalse, "Because", "of this" }
	tests := []struct {
		name       string
		conditions []metav1.Condition
		answered   bool
		refusal    string
	}{
		{"nothing", nil, false, ""},
		{"yes", []metav1.Condition{accepted, resolved}, true, ""},
		{"yes, of no generation", []metav1.Condition{with(accepted, func(c *metav1.Condition) { c.ObservedGeneration = 0 }), resolved}, true, ""},
		{"yes to an earlier state", []metav1.Condition{with(accepted, func(c *metav1.Condition) { c.ObservedGeneration = 1 }), resolved}, false, ""},
		{"half an answer", []metav1.Condition{accepted}, false, ""},
		{"no", []metav1.Condition{with(accepted, no), resolved}, true, "Because: of this"},
		{"no front door", []metav1.Condition{accepted, with(resolved, no)}, true, "Because: of this"},
		{"no without a word", []metav1.Condition{with(accepted, func(c *metav1.Condition) { no(c); c.Message = "" }), resolved}, true, "Because: no further word"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			route := &gatewayv1.TLSRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "justice-x", Generation: 2}}
			ref := gatewayv1.ParentReference{Namespace: ptr.To(gatewayv1.Namespace("gateway")), Name: "public"}
			route.Status.Parents = []gatewayv1.RouteParentStatus{
				{ParentRef: gatewayv1.ParentReference{Name: "public"}, Conditions: []metav1.Condition{with(accepted, no), resolved}},
				{ParentRef: ref, Conditions: tc.conditions},
			}
			answered, refusal := gatewaySays(route, testGateway)
			if answered != tc.answered || refusal != tc.refusal {
				t.Errorf("answered %t, refusal %q, want %t, %q", answered, refusal, tc.answered, tc.refusal)
			}
		})
	}
}

func TestCompareClaims(t *testing.T) {
	at := func(seconds int64) *metav1.Time { return ptr.To(metav1.NewTime(time.Unix(seconds, 0))) }
	of := func(name string, made int64, routed *metav1.Time) domainClaim {
		return domainClaim{&v1alpha1.JusticeTenant{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: *at(made)}}, routed}
	}
	tests := []struct {
		name          string
		first, second domainClaim
	}{
		{"the older tenant", of("b", 1, nil), of("a", 2, nil)},
		{"of two of one second, the name", of("a", 1, nil), of("b", 1, nil)},
		{"who has a route", of("b", 2, at(9)), of("a", 1, nil)},
		{"the older route", of("b", 2, at(3)), of("a", 1, at(4))},
		{"of two routes of one second, the older tenant", of("b", 1, at(3)), of("a", 2, at(3))},
	}
	for _, tc := range tests {
		if got := compareClaims(tc.first, tc.second); got >= 0 {
			t.Errorf("%s: %d", tc.name, got)
		}
		if got := compareClaims(tc.second, tc.first); got <= 0 {
			t.Errorf("%s, the other way round: %d", tc.name, got)
		}
	}
}

// routeObject is a route as somebody might want one.
func routeObject(namespace string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1", "kind": "TLSRoute",
		"metadata": map[string]any{"namespace": namespace, "name": "way-in"},
		"spec": map[string]any{
			"hostnames": []any{"other.justice.example"},
			"rules":     []any{map[string]any{"backendRefs": []any{map[string]any{"name": "door", "port": int64(443)}}}},
		},
	}}
}
