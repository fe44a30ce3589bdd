package main

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// reconciler looks at everything whenever anything changes: there are as many routes as countries.
type reconciler struct {
	client  client.Client
	address string
	use     func(table)
}

func (r *reconciler) setUp(mgr ctrl.Manager) error {
	everything := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: "all"}}}
	})
	build := ctrl.NewControllerManagedBy(mgr).Named("gateway")
	for _, kind := range []client.Object{&gatewayv1.GatewayClass{}, &gatewayv1.Gateway{}, &gatewayv1.TLSRoute{}, &corev1.Namespace{}, &corev1.Service{}} {
		build = build.Watches(kind, everything)
	}
	return build.Complete(r)
}

// Reconcile reads the cluster's wishes, exchanges the table and then says so.
func (r *reconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	var classes gatewayv1.GatewayClassList
	var gateways gatewayv1.GatewayList
	var routes gatewayv1.TLSRouteList
	var namespaces corev1.NamespaceList
	var services corev1.ServiceList
	for _, list := range []client.ObjectList{&classes, &gateways, &routes, &namespaces, &services} {
		if err := r.client.List(ctx, list); err != nil {
			return reconcile.Result{}, fmt.Errorf("listing %T: %w", list, err)
		}
	}
	ours := map[string]bool{}
	for i := range classes.Items {
		class := &classes.Items[i]
		if class.Spec.ControllerName != controllerName {
			continue
		}
		ours[class.Name] = true
		before := class.DeepCopy()
		say(&class.Status.Conditions, string(gatewayv1.GatewayClassConditionStatusAccepted), string(gatewayv1.GatewayClassReasonAccepted), class.Generation, verdict{})
		if err := r.write(ctx, before, class); err != nil {
			return reconcile.Result{}, err
		}
	}
	w := &world{routes: routes.Items, namespaces: namespaces.Items, services: services.Items}
	w.gateways = slices.DeleteFunc(gateways.Items, func(g gatewayv1.Gateway) bool { return !ours[string(g.Spec.GatewayClassName)] })
	var before, after []client.Object
	for i := range w.gateways {
		before, after = append(before, w.gateways[i].DeepCopy()), append(after, &w.gateways[i])
	}
	known := map[client.ObjectKey]client.Object{}
	for i := range w.routes {
		known[client.ObjectKeyFromObject(&w.routes[i])] = w.routes[i].DeepCopy()
	}
	r.use(w.decide(r.address))
	for i := range w.routes { // decide has put them into another order
		before, after = append(before, known[client.ObjectKeyFromObject(&w.routes[i])]), append(after, &w.routes[i])
	}
	for i := range after {
		if err := r.write(ctx, before[i], after[i]); err != nil {
			return reconcile.Result{}, err
		}
	}
	return reconcile.Result{}, nil
}

// write sends a status that says something new, if nobody has written since it was read.
func (r *reconciler) write(ctx context.Context, before, after client.Object) error {
	if equality.Semantic.DeepEqual(before, after) {
		return nil
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.client.Status().Patch(ctx, after, patch); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("writing the status of %T %s: %w", after, after.GetName(), err)
	}
	return nil
}
