package main

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

const (
	// controllerName is what a GatewayClass of this program names.
	controllerName = "ejustice.dev/passthrough"
	// port is the only one there is.
	port = 443
	// reasonTaken is why a route whose host name an older one has is not accepted.
	reasonTaken gatewayv1.RouteConditionReason = "HostnameTaken"
)

// world is what the cluster asks for.
type world struct {
	gateways   []gatewayv1.Gateway // those of our classes
	routes     []gatewayv1.TLSRoute
	namespaces []corev1.Namespace
	services   []corev1.Service
}

// verdict is one answer about a route or a listener.
type verdict struct {
	reason  string
	message string // "": it is so
}

func no[T ~string](reason T, format string, values ...any) verdict {
	return verdict{string(reason), fmt.Sprintf(format, values...)}
}

// decide makes the table, and writes into the gateways and routes what is said about them. Of
// routes for the same host name the oldest has it, as Gateway API demands.
func (w *world) decide(address string) table {
	slices.SortFunc(w.routes, func(a, b gatewayv1.TLSRoute) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	hosts, holders := table{}, map[string]string{}
	attached := map[string]int32{} // by gateway and listener
	for i := range w.routes {
		route := &w.routes[i]
		backend, resolved := w.backend(route)
		var parents []gatewayv1.RouteParentStatus
		for _, ref := range route.Spec.ParentRefs {
			gateway := w.gatewayOf(route, ref)
			if gateway == nil {
				continue
			}
			listeners, accepted := w.listeners(gateway, route, ref)
			if accepted.message == "" {
				accepted = claim(holders, route)
			}
			if accepted.message == "" {
				for _, listener := range listeners {
					attached[gateway.Namespace+"/"+gateway.Name+"/"+listener]++
				}
				for _, host := range route.Spec.Hostnames {
					if backend != "" {
						hosts[string(host)] = backend
					}
				}
			}
			parents = append(parents, answer(route, ref, accepted, resolved))
		}
		sayRoute(route, parents)
	}
	for i := range w.gateways {
		sayGateway(&w.gateways[i], attached, address)
	}
	return hosts
}

// gatewayOf is the gateway of ours that the route names; nil for another's.
func (w *world) gatewayOf(route *gatewayv1.TLSRoute, ref gatewayv1.ParentReference) *gatewayv1.Gateway {
	if ptr.Deref(ref.Group, gatewayv1.GroupName) != gatewayv1.GroupName || ptr.Deref(ref.Kind, "Gateway") != "Gateway" {
		return nil
	}
	namespace := string(ptr.Deref(ref.Namespace, gatewayv1.Namespace(route.Namespace)))
	i := slices.IndexFunc(w.gateways, func(g gatewayv1.Gateway) bool { return g.Namespace == namespace && g.Name == string(ref.Name) })
	if i < 0 {
		return nil
	}
	return &w.gateways[i]
}

// listeners are those of the gateway that take the route, or why none does.
func (w *world) listeners(gateway *gatewayv1.Gateway, route *gatewayv1.TLSRoute, ref gatewayv1.ParentReference) ([]string, verdict) {
	var names []string
	why := no(gatewayv1.RouteReasonNoMatchingParent, "the Gateway has no listener of protocol TLS, mode Passthrough and port %d for it", port)
	for _, l := range gateway.Spec.Listeners {
		switch {
		case !usable(l), ref.SectionName != nil && *ref.SectionName != l.Name, ref.Port != nil && *ref.Port != l.Port:
		case !w.allows(gateway, l, route.Namespace):
			why = no(gatewayv1.RouteReasonNotAllowedByListeners, "listener %s takes no routes of namespace %s", l.Name, route.Namespace)
		case !slices.ContainsFunc(route.Spec.Hostnames, func(host gatewayv1.Hostname) bool { return covers(l.Hostname, host) }):
			why = no(gatewayv1.RouteReasonNoMatchingListenerHostname, "listener %s is for %s", l.Name, ptr.Deref(l.Hostname, ""))
		default:
			names = append(names, string(l.Name))
		}
	}
	if len(names) > 0 {
		return names, supported(route)
	}
	return nil, why
}

// usable reports whether this program does what the listener asks for.
func usable(l gatewayv1.Listener) bool {
	return l.Protocol == gatewayv1.TLSProtocolType && l.Port == port &&
		l.TLS != nil && ptr.Deref(l.TLS.Mode, gatewayv1.TLSModeTerminate) == gatewayv1.TLSModePassthrough
}

func (w *world) allows(gateway *gatewayv1.Gateway, l gatewayv1.Listener, namespace string) bool {
	from, selector := gatewayv1.NamespacesFromSame, (*metav1.LabelSelector)(nil)
	if l.AllowedRoutes != nil && l.AllowedRoutes.Namespaces != nil {
		from, selector = ptr.Deref(l.AllowedRoutes.Namespaces.From, from), l.AllowedRoutes.Namespaces.Selector
	}
	switch from {
	case gatewayv1.NamespacesFromAll:
		return true
	case gatewayv1.NamespacesFromSame:
		return namespace == gateway.Namespace
	case gatewayv1.NamespacesFromSelector:
		matches, err := metav1.LabelSelectorAsSelector(selector)
		i := slices.IndexFunc(w.namespaces, func(ns corev1.Namespace) bool { return ns.Name == namespace })
		return err == nil && i >= 0 && matches.Matches(labels.Set(w.namespaces[i].Labels))
	}
	return false
}

// covers reports whether the listener, of whose host name the first label may be *, is for the host.
func covers(listener *gatewayv1.Hostname, host gatewayv1.Hostname) bool {
	wanted := string(ptr.Deref(listener, ""))
	if suffix, wildcard := strings.CutPrefix(wanted, "*"); wildcard {
		return strings.HasSuffix(string(host), suffix) && len(host) > len(suffix)
	}
	return wanted == "" || wanted == string(host)
}

// supported says what of the route's wishes goes beyond this program.
func supported(route *gatewayv1.TLSRoute) verdict {
	if slices.ContainsFunc(route.Spec.Hostnames, func(host gatewayv1.Hostname) bool { return strings.Contains(string(host), "*") }) {
		return no(gatewayv1.RouteReasonUnsupportedValue, "host names with * are not led anywhere")
	}
	if len(route.Spec.Rules) != 1 || len(route.Spec.Rules[0].BackendRefs) != 1 {
		return no(gatewayv1.RouteReasonUnsupportedValue, "only one rule with one backend is carried out")
	}
	return verdict{}
}

// claim takes the route's host names, unless an older route has one of them.
func claim(holders map[string]string, route *gatewayv1.TLSRoute) verdict {
	own := route.Namespace + "/" + route.Name
	for _, host := range route.Spec.Hostnames {
		if holder := holders[string(host)]; holder != "" && holder != own {
			return no(reasonTaken, "%s belongs to the older TLSRoute %s", host, holder)
		}
	}
	for _, host := range route.Spec.Hostnames {
		holders[string(host)] = own
	}
	return verdict{}
}

// backend is the address of the Service that the route leads to, which is in its own namespace.
func (w *world) backend(route *gatewayv1.TLSRoute) (string, verdict) {
	if supported(route).message != "" {
		return "", verdict{}
	}
	ref := route.Spec.Rules[0].BackendRefs[0]
	if ptr.Deref(ref.Group, "") != "" || ptr.Deref(ref.Kind, "Service") != "Service" {
		return "", no(gatewayv1.RouteReasonInvalidKind, "a backend is a Service")
	}
	if string(ptr.Deref(ref.Namespace, gatewayv1.Namespace(route.Namespace))) != route.Namespace {
		return "", no(gatewayv1.RouteReasonRefNotPermitted, "a backend is in the route's own namespace")
	}
	i := slices.IndexFunc(w.services, func(s corev1.Service) bool { return s.Namespace == route.Namespace && s.Name == string(ref.Name) })
	if i < 0 || ref.Port == nil || !slices.ContainsFunc(w.services[i].Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == *ref.Port }) {
		return "", no(gatewayv1.RouteReasonBackendNotFound, "there is no Service %s with port %d", ref.Name, ptr.Deref(ref.Port, 0))
	}
	ip := w.services[i].Spec.ClusterIP
	if ip == "" || ip == corev1.ClusterIPNone {
		return "", no(gatewayv1.RouteReasonBackendNotFound, "Service %s has no address", ref.Name)
	}
	return net.JoinHostPort(ip, strconv.Itoa(int(*ref.Port))), verdict{}
}

// answer is what is said about the route for one gateway.
func answer(route *gatewayv1.TLSRoute, ref gatewayv1.ParentReference, accepted, resolved verdict) gatewayv1.RouteParentStatus {
	said := gatewayv1.RouteParentStatus{ParentRef: ref, ControllerName: controllerName}
	for _, before := range route.Status.Parents {
		if before.ControllerName == controllerName && ptr.Equal(before.ParentRef.Namespace, ref.Namespace) &&
			before.ParentRef.Name == ref.Name && ptr.Equal(before.ParentRef.SectionName, ref.SectionName) {
			said.Conditions = slices.Clone(before.Conditions) // keeps the times of what does not change
		}
	}
	say(&said.Conditions, string(gatewayv1.RouteConditionAccepted), string(gatewayv1.RouteReasonAccepted), route.Generation, accepted)
	say(&said.Conditions, string(gatewayv1.RouteConditionResolvedRefs), string(gatewayv1.RouteReasonResolvedRefs), route.Generation, resolved)
	return said
}

// sayRoute leaves alone what other programs say about the route.
func sayRoute(route *gatewayv1.TLSRoute, parents []gatewayv1.RouteParentStatus) {
	others := slices.DeleteFunc(slices.Clone(route.Status.Parents), func(p gatewayv1.RouteParentStatus) bool { return p.ControllerName == controllerName })
	route.Status.Parents = append(others, parents...)
}

func sayGateway(gateway *gatewayv1.Gateway, attached map[string]int32, address string) {
	before := gateway.Status.Listeners
	gateway.Status.Listeners = nil
	good := verdict{}
	for _, l := range gateway.Spec.Listeners {
		said := gatewayv1.ListenerStatus{
			Name: l.Name, SupportedKinds: []gatewayv1.RouteGroupKind{{Group: ptr.To(gatewayv1.Group(gatewayv1.GroupName)), Kind: "TLSRoute"}},
			AttachedRoutes: attached[gateway.Namespace+"/"+gateway.Name+"/"+string(l.Name)],
		}
		if i := slices.IndexFunc(before, func(b gatewayv1.ListenerStatus) bool { return b.Name == l.Name }); i >= 0 {
			said.Conditions = slices.Clone(before[i].Conditions)
		}
		accepted := verdict{}
		if !usable(l) {
			accepted = no(gatewayv1.ListenerReasonUnsupportedProtocol, "only protocol TLS in mode Passthrough on port %d is served", port)
			good = no(gatewayv1.GatewayReasonListenersNotValid, "listener %s: %s", l.Name, accepted.message)
		}
		say(&said.Conditions, string(gatewayv1.ListenerConditionAccepted), string(gatewayv1.ListenerReasonAccepted), gateway.Generation, accepted)
		say(&said.Conditions, string(gatewayv1.ListenerConditionProgrammed), string(gatewayv1.ListenerReasonProgrammed), gateway.Generation, accepted)
		say(&said.Conditions, string(gatewayv1.ListenerConditionResolvedRefs), string(gatewayv1.ListenerReasonResolvedRefs), gateway.Generation, verdict{})
		gateway.Status.Listeners = append(gateway.Status.Listeners, said)
	}
	gateway.Status.Addresses = nil
	if address != "" {
		gateway.Status.Addresses = []gatewayv1.GatewayStatusAddress{{Type: ptr.To(gatewayv1.IPAddressType), Value: address}}
	}
	say(&gateway.Status.Conditions, string(gatewayv1.GatewayConditionAccepted), string(gatewayv1.GatewayReasonAccepted), gateway.Generation, good)
	say(&gateway.Status.Conditions, string(gatewayv1.GatewayConditionProgrammed), string(gatewayv1.GatewayReasonProgrammed), gateway.Generation, good)
}

// say sets a condition: True with the usual reason, or False with the verdict's.
func say(conditions *[]metav1.Condition, kind, usual string, generation int64, v verdict) {
	c := metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: usual, ObservedGeneration: generation}
	if v.message != "" {
		c.Status, c.Reason, c.Message = metav1.ConditionFalse, v.reason, v.message
	}
	meta.SetStatusCondition(conditions, c)
}
