package controllers

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/internal/charts"
	"ejustice.dev/operator/internal/helm"
	"ejustice.dev/operator/internal/vault"
)

// Settings are what the operator is started with.
type Settings struct {
	// PostgresImage is the image of embedded databases, pinned by digest.
	PostgresImage string
	// Registries that tenants' images may come from besides those of the PostgreSQL image and
	// of the catalogs.
	Registries []string
	// PodCIDRs are the networks of the cluster's pods; a module answers clients outside them.
	PodCIDRs []string
	// ProbePort is the port that a NetworkPolicy forbids, on which the replicas try out that
	// it does, and HealthPort the one that it allows. Without ProbePort nobody tries.
	ProbePort, HealthPort string
	// Namespace is the operator's own.
	Namespace string
	// MaxConcurrent is how many tenants, and how many modules, are worked on at once.
	MaxConcurrent int
	// Vault holds the tenants' secrets.
	Vault *vault.Client
	// PublicIssuer is the ClusterIssuer for the domains of tenants that name none; "" for none.
	PublicIssuer string
	// CertManager is the ServiceAccount that cert-manager runs as: namespace and name.
	CertManager [2]string
	// Gateway leads the tenants' domains to their front doors: namespace and name; empty for none.
	Gateway [2]string
	// TrustVaultConnection is for tests; see JusticeTenantReconciler.
	TrustVaultConnection bool
	// External makes databases on external servers.
	External ExternalServers
	// RegistryTransport carries requests to registries; nil means Go's default.
	RegistryTransport http.RoundTripper
}

// Scheme knows every type the operator reads or writes by its Go type.
func Scheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	utilruntime.Must(certmanager.AddToScheme(scheme))
	utilruntime.Must(gatewayv1.Install(scheme))
	return scheme
}

// ManagerOptions are the options that the reconcilers rely on: caches hold our own kinds and,
// of everything else, only what carries a tenant's label; managedFields are dropped. Where
// things lie must be known of every node and storage class, and of pods and claims that
// somebody else makes in a tenant's namespace, which carry no label.
func ManagerOptions() ctrl.Options {
	all := cache.ByObject{Label: labels.Everything()}
	tenants, err := labels.NewRequirement(v1alpha1.LabelTenant, selection.Exists, nil)
	utilruntime.Must(err)
	lease, renew, retry := 8*time.Second, 6*time.Second, time.Second
	return ctrl.Options{
		Scheme: Scheme(),
		Cache: cache.Options{
			DefaultLabelSelector: labels.NewSelector().Add(*tenants),
			DefaultTransform:     dropUnused,
			ByObject: map[client.Object]cache.ByObject{
				&v1alpha1.JusticeTenant{}:       all,
				&v1alpha1.CourtModule{}:         all,
				&v1alpha1.ModuleCatalog{}:       all,
				&corev1.Node{}:                  all,
				&storagev1.StorageClass{}:       all,
				&corev1.PersistentVolumeClaim{}: all,
				&corev1.Pod{}:                   {Label: labels.Everything(), Transform: keepPlace},
			},
		},
		LeaderElectionID:              "ejustice-operator",
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 &lease,
		RenewDeadline:                 &renew,
		RetryPeriod:                   &retry,
	}
}

// dropUnused removes what nobody reads from cached objects. Reconcilers read live; caches
// only say that something changed.
func dropUnused(object any) (any, error) {
	if o, ok := object.(metav1.Object); ok {
		o.SetManagedFields(nil)
	}
	if o, ok := object.(*metav1.PartialObjectMetadata); ok {
		o.SetAnnotations(nil)
		o.SetOwnerReferences(nil)
	}
	return object, nil
}

// keepPlace keeps of a pod only where it lies or why it lies nowhere, and of a pod that is no
// tenant's nothing but its identity.
func keepPlace(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil
	}
	kept := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, ResourceVersion: pod.ResourceVersion,
	}}
	if !strings.HasPrefix(pod.Namespace, v1alpha1.NamespaceFor("")) {
		return kept, nil
	}
	kept.Labels = pod.Labels
	kept.Spec.NodeName = pod.Spec.NodeName
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled {
			kept.Status.Conditions = []corev1.PodCondition{c}
		}
	}
	return kept, nil
}

// Setup adds the reconcilers to the manager.
func Setup(mgr ctrl.Manager, settings Settings) error {
	releases, err := helm.New(helmConfig(mgr.GetConfig()), mgr.GetRESTMapper(), mgr.GetAPIReader())
	if err != nil {
		return fmt.Errorf("preparing Helm: %w", err)
	}
	tenants := &JusticeTenantReconciler{
		Client:               mgr.GetClient(),
		Live:                 mgr.GetAPIReader(),
		Vault:                settings.Vault,
		External:             settings.External,
		PublicIssuer:         settings.PublicIssuer,
		CertManager:          settings.CertManager,
		Gateway:              settings.Gateway,
		TrustVaultConnection: settings.TrustVaultConnection,
		PostgresImage:        settings.PostgresImage,
		Registries:           settings.Registries,
		OperatorNamespace:    settings.Namespace,
	}
	if settings.ProbePort != "" {
		if tenants.Isolation, tenants.IsolationNews, err = addProbe(mgr, settings); err != nil {
			return err
		}
	}
	if err := tenants.SetupWithManager(mgr, settings.MaxConcurrent); err != nil {
		return fmt.Errorf("setting up the tenant controller: %w", err)
	}
	modules := &CourtModuleReconciler{
		Client:   mgr.GetClient(),
		Live:     mgr.GetAPIReader(),
		PodCIDRs: settings.PodCIDRs,
		Vault:    settings.Vault.Access(),
		Releases: releases,
		Charts:   &charts.Puller{Transport: settings.RegistryTransport},
	}
	if err := modules.SetupWithManager(mgr, settings.MaxConcurrent); err != nil {
		return fmt.Errorf("setting up the module controller: %w", err)
	}
	return nil
}

// helmConfig is the manager's configuration without its client-side throttle, which Helm
// would otherwise apply per operation; the API server's fairness governs both.
func helmConfig(config *rest.Config) *rest.Config {
	copied := rest.CopyConfig(config)
	copied.QPS = -1
	return copied
}
