package controllers

import (
	"context"
	"errors"
	"fmt"

	"helm.sh/helm/v3/pkg/chart"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/internal/apply"
	"ejustice.dev/operator/internal/certificates"
	"ejustice.dev/operator/internal/helm"
	"ejustice.dev/operator/internal/tenancy"
	"ejustice.dev/operator/internal/vault"
)

// ChartSource fetches the chart that a catalog entry points at.
type ChartSource interface {
	Pull(ctx context.Context, ref v1alpha1.CatalogChart) (*chart.Chart, error)
}

// CourtModuleReconciler installs one module with Helm and keeps it as installed.
type CourtModuleReconciler struct {
	// Client writes, and lists from the cache where being a moment late does no harm.
	client.Client
	// Live reads from the API server.
	Live client.Reader
	// PodCIDRs are the networks of the cluster's pods.
	PodCIDRs []string
	// Vault is where modules sign in.
	Vault vault.Access
	// Releases runs Helm.
	Releases helm.Releases
	// Charts fetches charts.
	Charts ChartSource
}

// Reconcile takes one module as far as it gets now.
func (r *CourtModuleReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	return steps(ctx, func(ctx context.Context) (again, error) { return r.step(ctx, req.NamespacedName) })
}

func (r *CourtModuleReconciler) step(ctx context.Context, key client.ObjectKey) (again, error) {
	m := &v1alpha1.CourtModule{}
	if err := r.Live.Get(ctx, key, m); err != nil {
		if apierrors.IsNotFound(err) {
			return never, nil
		}
		return never, fmt.Errorf("reading module %s: %w", key.Name, err)
	}
	s, err := r.snapshot(ctx, m)
	if err != nil {
		return never, err
	}
	next, err := r.do(ctx, s, decideModule(s))
	if next == never && err == nil {
		return never, nil
	}
	failed := failureOf(err)
	if failed != nil && failed.stalled {
		// Trying again cannot help; a change of the spec or the catalog wakes us.
		next, err = later, nil
	}
	return next, errors.Join(err, r.report(ctx, s, failed))
}

// do carries out the step.
func (r *CourtModuleReconciler) do(ctx context.Context, s *moduleSnapshot, action moduleAction) (again, error) {
	m := s.module
	switch action {
	case moduleAddFinalizer:
		return now, r.patchFinalizers(ctx, m, func() { controllerutil.AddFinalizer(m, v1alpha1.FinalizerModule) })
	case moduleRelease:
		return never, r.patchFinalizers(ctx, m, func() { controllerutil.RemoveFinalizer(m, v1alpha1.FinalizerModule) })
	case moduleInstall, moduleUpgrade:
		return now, r.roll(ctx, s, action)
	case moduleUnlock:
		return now, helmError(r.Releases.Unlock(ctx, m.Namespace, m.Name))
	case moduleUninstall:
		return now, helmError(r.Releases.Uninstall(ctx, m.Namespace, m.Name))
	case moduleCorrect:
		for _, object := range s.drifted {
			if err := apply.Apply(ctx, r.Client, object); err != nil {
				return now, err
			}
		}
		return now, nil
	case moduleSettled:
		return later, nil
	}
	return soon, nil
}

// roll installs or upgrades.
func (r *CourtModuleReconciler) roll(ctx context.Context, s *moduleSnapshot, action moduleAction) error {
	ch, err := r.Charts.Pull(ctx, s.entry.Chart)
	if err != nil {
		return retried("ChartUnavailable", fmt.Sprintf("the chart cannot be fetched: %v; check chart.ref and chart.digest in the ModuleCatalog and that the registry answers", err))
	}
	labels := tenancy.Labels(s.tenant.Name)
	labels[v1alpha1.LabelModule] = s.module.Name
	request := helm.Request{
		Namespace: s.module.Namespace, Name: s.module.Name,
		Chart: ch, Values: s.values, Inputs: s.inputs,
		Labels: labels,
	}
	if action == moduleInstall {
		return helmError(r.Releases.Install(ctx, request))
	}
	return helmError(r.Releases.Upgrade(ctx, request))
}

// helmError turns Helm's errors into answers for the status.
func helmError(err error) error {
	var values *helm.ValuesError
	var chartErr *helm.ChartError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &values):
		return stalled(reasonValuesInvalid, "values do not fit the module: "+values.Message)
	case errors.As(err, &chartErr):
		return stalled("ChartRefused", chartErr.Message)
	}
	return retried("HelmFailed", err.Error())
}

func (r *CourtModuleReconciler) patchFinalizers(ctx context.Context, m *v1alpha1.CourtModule, change func()) error {
	before := m.DeepCopy()
	change()
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Patch(ctx, m, patch, client.FieldOwner(v1alpha1.FieldOwner)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("changing the finalizers of module %s: %w", m.Name, err)
	}
	return nil
}

// report writes the status if it says something new.
func (r *CourtModuleReconciler) report(ctx context.Context, s *moduleSnapshot, failed *failure) error {
	m := s.module
	next := reportModule(s, failed)
	if equality.Semantic.DeepEqual(m.Status, next) {
		return nil
	}
	err := r.Status().Apply(ctx, moduleStatusConfig(m, next), client.FieldOwner(v1alpha1.FieldOwner), client.ForceOwnership)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("writing the status of module %s: %w", m.Name, err)
	}
	return nil
}

// SetupWithManager registers the reconciler and what wakes it.
func (r *CourtModuleReconciler) SetupWithManager(mgr ctrl.Manager, maxConcurrent int) error {
	build := ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.CourtModule{}, specChanges()).
		WithOptions(options(maxConcurrent)).
		Watches(&v1alpha1.JusticeTenant{}, r.modulesOfTenant()).
		Watches(&v1alpha1.ModuleCatalog{}, r.everyModule())
	for _, kind := range []schema.GroupVersionKind{
		appsv1.SchemeGroupVersion.WithKind("Deployment"),
		corev1.SchemeGroupVersion.WithKind("Service"),
		corev1.SchemeGroupVersion.WithKind("ServiceAccount"),
		corev1.SchemeGroupVersion.WithKind("ConfigMap"),
		policyv1.SchemeGroupVersion.WithKind("PodDisruptionBudget"),
		networkingv1.SchemeGroupVersion.WithKind("NetworkPolicy"),
		certificates.CertificateKind,
	} {
		if kind == certificates.CertificateKind && !served(mgr, kind) {
			continue // the tenant says that cert-manager is missing
		}
		build = build.WatchesMetadata(kindOf(kind), moduleOfLabel())
	}
	return build.Complete(r)
}
