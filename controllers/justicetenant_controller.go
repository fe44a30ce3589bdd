package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/internal/apply"
	"ejustice.dev/operator/internal/certificates"
	"ejustice.dev/operator/internal/database"
	"ejustice.dev/operator/internal/isolation"
	"ejustice.dev/operator/internal/status"
	"ejustice.dev/operator/internal/vault"
)

// JusticeTenantReconciler makes a tenant's namespace, database and modules.
type JusticeTenantReconciler struct {
	// Client writes, and lists from the cache where being a moment late does no harm.
	client.Client
	// Live reads from the API server.
	Live client.Reader
	// Vault holds the tenants' secrets.
	Vault *vault.Client
	// External makes databases on external servers.
	External ExternalServers
	// PublicIssuer is the ClusterIssuer for the domains of tenants that name none; "" for none.
	PublicIssuer string
	// CertManager is the ServiceAccount that cert-manager runs as: namespace and name.
	CertManager [2]string
	// Gateway leads the tenants' domains to their front doors: namespace and name; empty for none.
	Gateway [2]string
	// TrustVaultConnection leaves out Vault's attempt to connect to a database that it is told
	// of, for tests without one.
	TrustVaultConnection bool
	// PostgresImage is the image of embedded databases.
	PostgresImage string
	// Registries are further registries that tenants' images may come from.
	Registries []string
	// Isolation knows whether the cluster's network enforces policies; nil: nobody asks.
	Isolation *isolation.Probe
	// IsolationNews tells of a new answer of Isolation.
	IsolationNews <-chan event.GenericEvent
	// OperatorNamespace holds the administrators' Secrets of external servers.
	OperatorNamespace string

	verified verified
}

// Reconcile takes one tenant as far as it gets now.
func (r *JusticeTenantReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	return steps(ctx, func(ctx context.Context) (again, error) { return r.step(ctx, req.Name) })
}

func (r *JusticeTenantReconciler) step(ctx context.Context, name string) (again, error) {
	t := &v1alpha1.JusticeTenant{}
	if err := r.Live.Get(ctx, client.ObjectKey{Name: name}, t); err != nil {
		if apierrors.IsNotFound(err) {
			r.verified.forget(name)
			return never, nil
		}
		return never, fmt.Errorf("reading tenant %s: %w", name, err)
	}
	s, err := r.snapshot(ctx, t)
	if meta.IsNoMatchError(err) {
		return soon, r.reportUnseen(ctx, t, failureOf(kindMissing(err)).verdict)
	}
	if err != nil {
		return never, err
	}
	step := decideTenant(s)
	next, err := r.do(ctx, s, step)
	if next == never && err == nil {
		return never, nil
	}
	return next, errors.Join(err, r.report(ctx, s, failureOf(err)))
}

// kindMissing names the program whose kinds the API server does not know.
func kindMissing(err error) error {
	var unknown *meta.NoKindMatchError
	if errors.As(err, &unknown) && unknown.GroupKind.Group == certificates.CertificateKind.Group {
		return stalled("CertManagerMissing", "cert-manager is not installed on this cluster: install it")
	}
	return stalled("CloudNativePGMissing", "CloudNativePG is not installed on this cluster: install it, or give the tenant an external database")
}

// do carries out the step.
func (r *JusticeTenantReconciler) do(ctx context.Context, s *tenantSnapshot, step tenantStep) (again, error) {
	t := s.tenant
	switch step.action {
	case tenantAddFinalizer:
		return now, r.patchFinalizers(ctx, t, func() { controllerutil.AddFinalizer(t, v1alpha1.FinalizerTenant) })
	case tenantRelease:
		r.verified.forget(t.Name)
		return never, r.patchFinalizers(ctx, t, func() { controllerutil.RemoveFinalizer(t, v1alpha1.FinalizerTenant) })
	case tenantApply:
		for _, object := range step.objects {
			err := apply.Apply(ctx, r.Client, object)
			if apierrors.IsForbidden(err) && !mayWork(s) {
				return shortly, nil // our own binding, just written, is not heeded yet
			}
			if err != nil {
				return now, err
			}
		}
		return now, nil
	case tenantRemoveModules:
		for _, name := range step.names {
			m := &v1alpha1.CourtModule{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.NamespaceFor(t.Name), Name: name}}
			if err := client.IgnoreNotFound(r.Delete(ctx, m)); err != nil {
				return now, fmt.Errorf("deleting module %s: %w", name, err)
			}
		}
		return soon, nil
	case tenantChangeVault:
		return now, changeVault(ctx, step.changes)
	case tenantRenew:
		return now, r.renewAll(ctx, s.secrets.stale)
	case tenantRotate:
		return now, r.rotate(ctx, s)
	case tenantLockVault:
		if err := r.Vault.Lock(ctx, t.Name, !s.databaseStands()); err != nil {
			return now, vaultFailure("ending access to the tenant's secrets", err)
		}
		return now, nil
	case tenantDestroyVault:
		if err := r.Vault.Destroy(ctx, t.Name); err != nil {
			return now, vaultFailure("destroying the tenant's keys", err)
		}
		return now, nil
	case tenantEnsureExternal:
		for _, module := range step.names {
			if err := r.ensureExternal(ctx, t, module); err != nil {
				return now, err
			}
		}
		return now, nil
	case tenantDeleteDatabase:
		if err := client.IgnoreNotFound(r.Delete(ctx, s.liveCluster)); err != nil {
			return now, fmt.Errorf("deleting the database cluster: %w", err)
		}
		return soon, nil
	case tenantAwaitPods:
		return shortly, nil
	case tenantDeleteNamespace:
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.NamespaceFor(t.Name)}}
		if err := client.IgnoreNotFound(r.Delete(ctx, ns)); err != nil {
			return now, fmt.Errorf("deleting the namespace: %w", err)
		}
		return soon, nil
	case tenantSettled:
		return later, nil
	}
	return soon, nil
}

// patchFinalizers sends only the change of the finalizers, and only if the object is still
// the one that was read.
func (r *JusticeTenantReconciler) patchFinalizers(ctx context.Context, t *v1alpha1.JusticeTenant, change func()) error {
	before := t.DeepCopy()
	change()
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Patch(ctx, t, patch, client.FieldOwner(v1alpha1.FieldOwner)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("changing the finalizers of tenant %s: %w", t.Name, err)
	}
	return nil
}

// report writes the status if it says something new.
func (r *JusticeTenantReconciler) report(ctx context.Context, s *tenantSnapshot, failed *failure) error {
	return r.writeStatus(ctx, s.tenant, reportTenant(s, failed))
}

// reportUnseen says that a person must help before the operator can look at all. What it knew of
// the tenant stays.
func (r *JusticeTenantReconciler) reportUnseen(ctx context.Context, t *v1alpha1.JusticeTenant, v status.Verdict) error {
	next := *t.Status.DeepCopy()
	next.ObservedGeneration = t.Generation
	next.Namespace = v1alpha1.NamespaceFor(t.Name)
	status.SetPhase(&next.Conditions, t.Generation, status.Stalled, v.Reason, v.Message)
	status.Sort(next.Conditions)
	return r.writeStatus(ctx, t, next)
}

func (r *JusticeTenantReconciler) writeStatus(ctx context.Context, t *v1alpha1.JusticeTenant, next v1alpha1.JusticeTenantStatus) error {
	if equality.Semantic.DeepEqual(t.Status, next) {
		return nil
	}
	err := r.Status().Apply(ctx, tenantStatusConfig(t, next), client.FieldOwner(v1alpha1.FieldOwner), client.ForceOwnership)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("writing the status of tenant %s: %w", t.Name, err)
	}
	return nil
}

// SetupWithManager registers the reconciler and what wakes it. Other objects are watched by
// their metadata only: a change is a reason to look, the look itself is live.
func (r *JusticeTenantReconciler) SetupWithManager(mgr ctrl.Manager, maxConcurrent int) error {
	build := ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.JusticeTenant{}, specChanges()).
		WithOptions(options(maxConcurrent)).
		Watches(&v1alpha1.CourtModule{}, tenantOfNamespace()).
		Watches(&v1alpha1.ModuleCatalog{}, r.everyTenant()).
		Watches(&corev1.Pod{}, tenantOfNamespace(), placeChanges()).
		WatchesMetadata(kindOf(corev1.SchemeGroupVersion.WithKind("PersistentVolumeClaim")), tenantOfNamespace()).
		WatchesMetadata(kindOf(corev1.SchemeGroupVersion.WithKind("Node")), r.everyTenant(), labelChanges()).
		WatchesMetadata(kindOf(storagev1.SchemeGroupVersion.WithKind("StorageClass")), r.everyTenant(), labelChanges())
	kinds := []schema.GroupVersionKind{
		corev1.SchemeGroupVersion.WithKind("Namespace"),
		corev1.SchemeGroupVersion.WithKind("ServiceAccount"),
		corev1.SchemeGroupVersion.WithKind("ResourceQuota"),
		corev1.SchemeGroupVersion.WithKind("LimitRange"),
		corev1.SchemeGroupVersion.WithKind("ConfigMap"),
		{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "RoleBinding"},
		{Group: "networking.k8s.io", Version: "v1", Kind: "NetworkPolicy"},
		database.ClusterKind, database.DatabaseKind,
		certificates.IssuerKind, certificates.CertificateKind,
	}
	if r.Gateway[1] != "" && served(mgr, routeKind) {
		kinds = append(kinds, routeKind)
	}
	for _, kind := range kinds {
		if strings.Contains(kind.Group, ".") && !strings.HasSuffix(kind.Group, ".k8s.io") && !served(mgr, kind) {
			// Without CloudNativePG only external databases work; then there is nothing to watch.
			continue
		}
		build = build.WatchesMetadata(kindOf(kind), tenantOfLabel())
	}
	if r.IsolationNews != nil {
		build = build.WatchesRawSource(source.Channel(r.IsolationNews, r.everyTenant()))
	}
	return build.Complete(r)
}

func kindOf(kind schema.GroupVersionKind) client.Object {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(kind)
	return u
}
