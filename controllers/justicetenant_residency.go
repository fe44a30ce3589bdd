package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/internal/apply"
	"ejustice.dev/operator/internal/residency"
	"ejustice.dev/operator/internal/status"
	"ejustice.dev/operator/internal/tenancy"
)

// readClasses finds which storage classes lie where.
func (r *JusticeTenantReconciler) readClasses(ctx context.Context, s *tenantSnapshot) error {
	classes, err := r.labelsOf(ctx, storagev1.SchemeGroupVersion.WithKind("StorageClassList"))
	if err != nil {
		return err
	}
	s.classes = residency.Classes{}
	for name, labels := range classes {
		s.classes[name] = labels[v1alpha1.LabelJurisdiction]
	}
	return nil
}

// readInventory finds where everything in the tenant's namespace lies, and whether the report
// says so.
func (r *JusticeTenantReconciler) readInventory(ctx context.Context, s *tenantSnapshot) error {
	in := client.InNamespace(v1alpha1.NamespaceFor(s.tenant.Name))
	pods, claims := &corev1.PodList{}, &corev1.PersistentVolumeClaimList{}
	if err := r.Live.List(ctx, pods, in); err != nil {
		return fmt.Errorf("listing the tenant's pods: %w", err)
	}
	if err := r.Live.List(ctx, claims, in); err != nil {
		return fmt.Errorf("listing the tenant's volume claims: %w", err)
	}
	nodes, err := r.labelsOf(ctx, corev1.SchemeGroupVersion.WithKind("NodeList"))
	if err != nil {
		return err
	}
	volumes, err := r.volumesOf(ctx, claims.Items)
	if err != nil {
		return err
	}
	inventory := residency.Take(residency.Facts{
		Tenant: s.tenant, Nodes: nodes, Classes: s.classes,
		Pods: pods.Items, Claims: claims.Items, Volumes: volumes,
	})
	s.inventory = &inventory
	report, err := inventory.Report(tenancy.Labels(s.tenant.Name))
	if err != nil {
		return err
	}
	s.proof, err = apply.Pending(ctx, r.Live, []apply.Object{report})
	return err
}

// volumesOf reads the volumes that are bound to the claims.
func (r *JusticeTenantReconciler) volumesOf(ctx context.Context, claims []corev1.PersistentVolumeClaim) (map[string]*corev1.PersistentVolume, error) {
	volumes := map[string]*corev1.PersistentVolume{}
	for i := range claims {
		name := claims[i].Spec.VolumeName
		if name == "" {
			continue
		}
		volume := &corev1.PersistentVolume{}
		err := r.Live.Get(ctx, client.ObjectKey{Name: name}, volume)
		if apierrors.IsNotFound(err) {
			continue // the inventory counts it as abroad
		}
		if err != nil {
			return nil, fmt.Errorf("reading a volume of claim %s: %w", claims[i].Name, err)
		}
		volumes[name] = volume
	}
	return volumes, nil
}

// labelsOf reads the labels of all objects of a kind, and nothing else of them.
func (r *JusticeTenantReconciler) labelsOf(ctx context.Context, kind schema.GroupVersionKind) (map[string]map[string]string, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(kind)
	if err := r.Live.List(ctx, list); err != nil {
		return nil, fmt.Errorf("listing %s: %w", kind.Kind, err)
	}
	labels := make(map[string]map[string]string, len(list.Items))
	for i := range list.Items {
		labels[list.Items[i].Name] = list.Items[i].Labels
	}
	return labels, nil
}

// residentVerdict says whether everything lies at home.
func residentVerdict(s *tenantSnapshot) status.Verdict {
	switch {
	case s.namespace != namespaceOurs:
		return status.No("Waiting", "the namespace comes first")
	case s.inventory == nil:
		return status.No("Waiting", "nothing has been looked at yet")
	case !s.inventory.Resident:
		return status.No(reasonAbroad, s.inventory.Abroad())
	}
	message := "all pods and volumes lie in the tenant's jurisdictions, ConfigMap " + residency.ReportName + " lists them; no backups are taken yet"
	if external := s.inventory.ExternalDatabase; external != "" {
		message += "; where the external database " + external + " stands is not proven, whoever runs it answers for that"
	}
	return status.Yes("AtHome", message)
}

// reasonAbroad is the reason of Resident when something lies outside the jurisdictions.
const reasonAbroad = "Abroad"
