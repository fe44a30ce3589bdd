package tenancy

import (
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayac "sigs.k8s.io/gateway-api/applyconfiguration/apis/v1"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/internal/apply"
)

// Route has the cluster's Gateway (namespace and name) lead connections for the tenant's domain
// to the tenant's own front door. They go by the name in the client's greeting and are not
// decrypted on the way: the Gateway serves every country and must hold no country's key.
func Route(t *v1alpha1.JusticeTenant, gateway [2]string) (apply.Object, error) {
	parent := gatewayac.ParentReference().
		WithNamespace(gatewayv1.Namespace(gateway[0])).WithName(gatewayv1.ObjectName(gateway[1]))
	door := gatewayac.BackendRef().WithName(v1alpha1.ModuleFrontDoor).WithPort(443)
	return apply.From(gatewayac.TLSRoute(v1alpha1.ModuleFrontDoor, v1alpha1.NamespaceFor(t.Name)).
		WithLabels(Labels(t.Name)).
		WithSpec(gatewayac.TLSRouteSpec().
			WithParentRefs(parent).
			WithHostnames(gatewayv1.Hostname(t.Spec.Domain)).
			WithRules(gatewayac.TLSRouteRule().WithBackendRefs(door))))
}
