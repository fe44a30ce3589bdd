package controllers

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/internal/apply"
	"ejustice.dev/operator/internal/status"
	"ejustice.dev/operator/internal/tenancy"
)

var routeKind = schema.GroupVersionKind{Group: gatewayv1.GroupName, Version: "v1", Kind: "TLSRoute"}

// routeState is how the tenant's domain is led to its front door.
type routeState struct {
	// gateway is the Gateway that shall lead it, as namespace/name; "" when none shall.
	gateway string
	// missing is true when the API server does not know routes.
	missing bool
	// holder is another tenant that has the domain already.
	holder string
	// pending is the route when it needs writing.
	pending []apply.Object
	// refusal is what the Gateway says against the route; answered is whether it has said anything.
	refusal  string
	answered bool
}

// readRoute compares the tenant's route with what is wanted and looks what the Gateway says.
// That the cluster has no Gateway API is a fact among others: the rest of the tenant goes on.
func (r *JusticeTenantReconciler) readRoute(ctx context.Context, s *tenantSnapshot) error {
	if r.Gateway[1] == "" || !s.hasFrontDoor() || s.tenant.Stopping() {
		return nil
	}
	s.route.gateway = r.Gateway[0] + "/" + r.Gateway[1]
	route, err := r.liveRoute(ctx, s.tenant)
	if meta.IsNoMatchError(err) {
		s.route.missing = true
		return nil
	}
	if err != nil {
		return err
	}
	if s.route.holder, err = r.domainHolder(ctx, s.tenant, route); err != nil || s.route.holder != "" {
		return err
	}
	want, err := tenancy.Route(s.tenant, r.Gateway)
	if err != nil {
		return err
	}
	if s.route.pending, err = apply.Pending(ctx, r.Live, []apply.Object{want}); err != nil {
		return err
	}
	if route != nil {
		s.route.answered, s.route.refusal = gatewaySays(route, r.Gateway)
	}
	return nil
}

// hasFrontDoor reports whether people come in through a front door of the tenant's own.
func (s *tenantSnapshot) hasFrontDoor() bool {
	return slices.ContainsFunc(tenancy.Modules(s.tenant, s.frontDoor), func(m v1alpha1.TenantModule) bool {
		return m.Name == v1alpha1.ModuleFrontDoor
	})
}

// liveRoute reads the tenant's route; nil when it has none.
func (r *JusticeTenantReconciler) liveRoute(ctx context.Context, t *v1alpha1.JusticeTenant) (*gatewayv1.TLSRoute, error) {
	route := &gatewayv1.TLSRoute{}
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: v1alpha1.NamespaceFor(t.Name), Name: v1alpha1.ModuleFrontDoor}, route)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("reading the route of tenant %s: %w", t.Name, err)
	}
	if err != nil {
		return nil, nil
	}
	return route, nil
}

// domainClaim is one tenant's hold on a domain.
type domainClaim struct {
	tenant *v1alpha1.JusticeTenant
	// routed is since when the tenant has a route for the domain; nil when it has none.
	routed *metav1.Time
}

// domainHolder names another tenant that has this one's domain; "" when none has. The tenant
// itself was read through the cache's watch, so whoever was created before it is in the cache.
func (r *JusticeTenantReconciler) domainHolder(ctx context.Context, t *v1alpha1.JusticeTenant, own *gatewayv1.TLSRoute) (string, error) {
	tenants := &v1alpha1.JusticeTenantList{}
	if err := r.List(ctx, tenants); err != nil {
		return "", fmt.Errorf("listing the tenants: %w", err)
	}
	claims := []domainClaim{{t, routedSince(own, t.Spec.Domain)}}
	for i := range tenants.Items {
		other := &tenants.Items[i]
		if other.Name == t.Name || other.Spec.Domain != t.Spec.Domain {
			continue
		}
		route, err := r.liveRoute(ctx, other)
		if err != nil {
			return "", err
		}
		claims = append(claims, domainClaim{other, routedSince(route, t.Spec.Domain)})
	}
	if first := slices.MinFunc(claims, compareClaims).tenant; first.Name != t.Name {
		return first.Name, nil
	}
	return "", nil
}

func routedSince(route *gatewayv1.TLSRoute, domain string) *metav1.Time {
	if route == nil || !slices.Contains(route.Spec.Hostnames, gatewayv1.Hostname(domain)) {
		return nil
	}
	return &route.CreationTimestamp
}

// compareClaims puts first who has the domain: as Gateways do, whose route is the oldest; before
// there is a route, whose tenant is. So nobody takes another's domain by changing its own.
func compareClaims(a, b domainClaim) int {
	if (a.routed == nil) != (b.routed == nil) {
		if a.routed != nil {
			return -1
		}
		return 1
	}
	older := func(a, b metav1.Time) int { return a.Compare(b.Time) }
	first := 0
	if a.routed != nil {
		first = older(*a.routed, *b.routed)
	}
	return cmp.Or(first, older(a.tenant.CreationTimestamp, b.tenant.CreationTimestamp), cmp.Compare(a.tenant.Name, b.tenant.Name))
}

// gatewaySays finds the Gateway's answer in the route's status: none, for an earlier state of the
// route either, or what it has against it.
func gatewaySays(route *gatewayv1.TLSRoute, gateway [2]string) (answered bool, refusal string) {
	for _, parent := range route.Status.Parents {
		namespace := route.Namespace
		if parent.ParentRef.Namespace != nil {
			namespace = string(*parent.ParentRef.Namespace)
		}
		if namespace != gateway[0] || string(parent.ParentRef.Name) != gateway[1] {
			continue
		}
		for _, about := range []gatewayv1.RouteConditionType{gatewayv1.RouteConditionAccepted, gatewayv1.RouteConditionResolvedRefs} {
			c := meta.FindStatusCondition(parent.Conditions, string(about))
			switch {
			case c == nil, c.ObservedGeneration != 0 && c.ObservedGeneration < route.Generation:
				return false, ""
			case c.Status != metav1.ConditionTrue:
				return true, fmt.Sprintf("%s: %s", c.Reason, cmp.Or(c.Message, "no further word"))
			}
		}
		return true, ""
	}
	return false, ""
}

// published reports whether people reach the tenant by its domain, as far as that is the
// operator's to see to.
func published(s *tenantSnapshot) bool {
	return s.route.gateway == "" || publishedVerdict(s).Status == metav1.ConditionTrue
}

// publishedVerdict says whether the Gateway leads the tenant's domain to it.
func publishedVerdict(s *tenantSnapshot) status.Verdict {
	domain := s.tenant.Spec.Domain
	switch {
	case s.route.missing:
		return status.No("GatewayAPIMissing", "Gateway API with TLSRoute is not installed on this cluster: install it, or take the setting gateway away from the operator")
	case s.route.holder != "":
		return status.No("DomainTaken", fmt.Sprintf("spec.domain: %s belongs to tenant %s already: give one of the two another", domain, s.route.holder))
	case len(s.route.pending) > 0:
		return status.No("Routing", "the route of "+domain+" is being written")
	case !s.route.answered:
		return status.No("NotRouted", fmt.Sprintf("Gateway %s has not taken up the route of %s: see that it exists and that its controller runs", s.route.gateway, domain))
	case s.route.refusal != "":
		return status.No("NotRouted", fmt.Sprintf("Gateway %s does not lead %s here: %s", s.route.gateway, domain, s.route.refusal))
	}
	return status.Yes("Routed", fmt.Sprintf("Gateway %s leads %s to the tenant's front door", s.route.gateway, domain))
}

// reportPublished sets the condition where a Gateway is to lead the domain. It goes when that is
// known to be otherwise, and stays while nobody can tell.
func reportPublished(s *tenantSnapshot, conditions *[]metav1.Condition) {
	switch {
	case s.route.gateway != "":
		status.Set(conditions, v1alpha1.ConditionPublished, s.tenant.Generation, publishedVerdict(s))
	case s.tenant.Stopping(), s.namespace == namespaceOurs && s.releaseProblem == nil && mayWork(s):
		meta.RemoveStatusCondition(conditions, v1alpha1.ConditionPublished)
	}
}
