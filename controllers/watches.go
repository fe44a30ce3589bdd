package controllers

import (
	"context"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/internal/status"
)

const (
	firstRetry = 250 * time.Millisecond
	lastRetry  = 5 * time.Minute
)

// options bounds how many objects are worked on at once (never one object twice) and how
// often a failing one is retried.
func options(maxConcurrent int) controller.Options {
	return controller.Options{
		MaxConcurrentReconciles: maxConcurrent,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
	}
}

// specChanges leaves out changes of the status, which the reconcilers make themselves.
func specChanges() builder.Predicates {
	return builder.WithPredicates(predicate.Or(
		predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}, predicate.LabelChangedPredicate{}))
}

// labelChanges leaves out everything but labels: a node's status changes all the time.
func labelChanges() builder.Predicates {
	return builder.WithPredicates(predicate.LabelChangedPredicate{})
}

// placeChanges leaves out what says nothing about where a pod lies or why it lies nowhere.
func placeChanges() builder.Predicates {
	return builder.WithPredicates(predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*corev1.Pod)
		after, also := e.ObjectNew.(*corev1.Pod)
		return !ok || !also || !equality.Semantic.DeepEqual(before.Labels, after.Labels) ||
			before.Spec.NodeName != after.Spec.NodeName || status.Shortage([]corev1.Pod{*before}) != status.Shortage([]corev1.Pod{*after})
	}})
}

// served reports whether the API server knows the kind.
func served(mgr ctrl.Manager, kind schema.GroupVersionKind) bool {
	_, err := mgr.GetRESTMapper().RESTMapping(kind.GroupKind(), kind.Version)
	return err == nil
}

func tenantOfLabel() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []reconcile.Request {
		return tenantRequest(o.GetLabels()[v1alpha1.LabelTenant])
	})
}

// tenantOfNamespace is for CourtModules, which a ministry may create without labels.
func tenantOfNamespace() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []reconcile.Request {
		tenant, ok := strings.CutPrefix(o.GetNamespace(), v1alpha1.NamespaceFor(""))
		if !ok {
			return nil
		}
		return tenantRequest(tenant)
	})
}

func tenantRequest(tenant string) []reconcile.Request {
	if tenant == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: tenant}}}
}

func moduleOfLabel() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []reconcile.Request {
		module := o.GetLabels()[v1alpha1.LabelModule]
		if module == "" {
			return nil
		}
		return []reconcile.Request{{NamespacedName: client.ObjectKey{Namespace: o.GetNamespace(), Name: module}}}
	})
}

func (r *JusticeTenantReconciler) everyTenant() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, _ client.Object) []reconcile.Request {
		list := &v1alpha1.JusticeTenantList{}
		if err := r.List(ctx, list); err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "listing tenants for a changed catalog")
			return nil
		}
		var requests []reconcile.Request
		for i := range list.Items {
			requests = append(requests, tenantRequest(list.Items[i].Name)...)
		}
		return requests
	})
}

func (r *CourtModuleReconciler) modulesOfTenant() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, o client.Object) []reconcile.Request {
		return r.modules(ctx, client.InNamespace(v1alpha1.NamespaceFor(o.GetName())))
	})
}

func (r *CourtModuleReconciler) everyModule() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, _ client.Object) []reconcile.Request {
		return r.modules(ctx)
	})
}

func (r *CourtModuleReconciler) modules(ctx context.Context, in ...client.ListOption) []reconcile.Request {
	list := &v1alpha1.CourtModuleList{}
	if err := r.List(ctx, list, in...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing modules for a changed tenant or catalog")
		return nil
	}
	requests := make([]reconcile.Request, 0, len(list.Items))
	for i := range list.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return requests
}
