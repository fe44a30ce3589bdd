package controllers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/internal/apply"
	"ejustice.dev/operator/internal/catalog"
	"ejustice.dev/operator/internal/certificates"
	"ejustice.dev/operator/internal/helm"
	"ejustice.dev/operator/internal/status"
)

// moduleSnapshot is what one reconciliation of a module goes by, read live.
type moduleSnapshot struct {
	module *v1alpha1.CourtModule

	// tenantName is the tenant the namespace belongs to; "" when it belongs to none.
	tenantName string
	// tenant is nil when it does not exist.
	tenant *v1alpha1.JusticeTenant

	// entry is what the catalog says to install; problem is why it cannot be.
	entry   *v1alpha1.CatalogModule
	problem *catalog.Problem
	// values and inputs are what the release is to be made from.
	values map[string]any
	inputs string

	// release is what is installed, or nil.
	release *helm.Release
	// databaseReady is true once the module's database can be used, or if it needs none.
	databaseReady bool
	// certificateMissing says which certificate the module waits for; "" for none.
	certificateMissing string

	// drifted are objects of the release that someone changed or removed.
	drifted []apply.Object
	// workloads is why the module does not serve yet; nil when it does.
	workloads *status.Verdict
}

func (r *CourtModuleReconciler) snapshot(ctx context.Context, m *v1alpha1.CourtModule) (*moduleSnapshot, error) {
	s := &moduleSnapshot{module: m}
	if err := r.readTenant(ctx, s); err != nil {
		return nil, err
	}
	if s.tenantName == "" {
		return s, nil // not ours to look into
	}
	var err error
	if s.release, err = r.Releases.Observe(ctx, m.Namespace, m.Name); err != nil {
		return nil, err
	}
	if s.tenant != nil {
		if err := r.readEntry(ctx, s); err != nil {
			return nil, err
		}
	}
	if s.release == nil {
		return s, nil
	}
	if s.drifted, err = apply.Pending(ctx, r.Live, s.release.Objects); err != nil {
		return nil, err
	}
	return s, r.readWorkloads(ctx, s)
}

func (r *CourtModuleReconciler) readTenant(ctx context.Context, s *moduleSnapshot) error {
	ns := &corev1.Namespace{}
	if err := r.Live.Get(ctx, client.ObjectKey{Name: s.module.Namespace}, ns); err != nil {
		return fmt.Errorf("reading namespace %s: %w", s.module.Namespace, err)
	}
	name := ns.Labels[v1alpha1.LabelTenant]
	if name == "" || v1alpha1.NamespaceFor(name) != ns.Name {
		return nil
	}
	s.tenantName = name
	t := &v1alpha1.JusticeTenant{}
	err := r.Live.Get(ctx, client.ObjectKey{Name: name}, t)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading tenant %s: %w", name, err)
	}
	s.tenant = t
	s.databaseReady = slices.Contains(t.Status.Databases, s.module.Name)
	return nil
}

// readEntry finds what to install and checks that it may follow what is installed.
func (r *CourtModuleReconciler) readEntry(ctx context.Context, s *moduleSnapshot) error {
	catalogs := &v1alpha1.ModuleCatalogList{}
	if err := r.Live.List(ctx, catalogs); err != nil {
		return fmt.Errorf("listing the module catalogs: %w", err)
	}
	spec := &s.module.Spec
	entry, err := catalog.Resolve(catalogs.Items, string(s.tenant.Spec.Release), string(spec.Module), string(spec.Version))
	if err == nil && s.release != nil {
		err = catalog.Reachable(entry, s.release.Version)
	}
	if err != nil {
		if !errors.As(err, &s.problem) {
			return err
		}
		return nil
	}
	s.entry = entry
	s.databaseReady = s.databaseReady || !entry.Database
	if err := r.readCertificates(ctx, s); err != nil {
		return err
	}
	s.values, err = chartValues(s.tenant, s.module, entry, r.PodCIDRs, r.Vault)
	if err != nil {
		s.problem = &catalog.Problem{Reason: reasonValuesInvalid, Message: err.Error()}
		return nil
	}
	s.inputs, err = fingerprint(entry.Chart.Digest, s.values)
	return err
}

// readCertificates finds the first certificate that the module needs and does not have. What
// runs already has had it.
func (r *CourtModuleReconciler) readCertificates(ctx context.Context, s *moduleSnapshot) error {
	if s.release != nil {
		return nil
	}
	names := []string{s.module.Name}
	if s.module.Name == v1alpha1.ModuleFrontDoor {
		names = append(names, certificates.PublicName)
	}
	for _, name := range names {
		certificate := &certmanager.Certificate{}
		err := r.Live.Get(ctx, client.ObjectKey{Namespace: s.module.Namespace, Name: name}, certificate)
		switch {
		case apierrors.IsNotFound(err), meta.IsNoMatchError(err):
			certificate = nil
		case err != nil:
			return fmt.Errorf("reading certificate %s: %w", name, err)
		}
		if usable, complaint := certificates.Usable(certificate, time.Now()); !usable {
			s.certificateMissing = fmt.Sprintf("certificate %s %s", name, complaint)
			return nil
		}
	}
	return nil
}

// fingerprint changes when the chart or its values do. It fits a label.
func fingerprint(digest string, values map[string]any) (string, error) {
	raw, err := json.Marshal(values) // map keys come out sorted
	if err != nil {
		return "", fmt.Errorf("encoding the chart's values: %w", err)
	}
	sum := sha256.Sum256(append([]byte(digest+"\n"), raw...))
	return hex.EncodeToString(sum[:20]), nil
}

// readWorkloads looks whether the module's Deployments serve, and if not, why.
func (r *CourtModuleReconciler) readWorkloads(ctx context.Context, s *moduleSnapshot) error {
	for _, object := range s.release.Objects {
		if object.GetKind() != "Deployment" {
			continue
		}
		live, err := apply.Live(ctx, r.Live, object)
		if err != nil {
			return err
		}
		if live == nil {
			continue // drift; it is put back first
		}
		deployment := &appsv1.Deployment{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(live.Object, deployment); err != nil {
			return fmt.Errorf("reading Deployment %s: %w", object.GetName(), err)
		}
		ready, message := status.Deployment(deployment)
		if ready {
			continue
		}
		verdict, err := r.whyNotReady(ctx, s, message)
		if err != nil {
			return err
		}
		s.workloads = &verdict
		return nil
	}
	return nil
}

func (r *CourtModuleReconciler) whyNotReady(ctx context.Context, s *moduleSnapshot, message string) (status.Verdict, error) {
	pods := &corev1.PodList{}
	if err := r.Live.List(ctx, pods, client.InNamespace(s.module.Namespace),
		client.MatchingLabels{v1alpha1.LabelModule: s.module.Name}); err != nil {
		return status.Verdict{}, fmt.Errorf("listing the module's pods: %w", err)
	}
	reason, trouble := status.PodTrouble(pods.Items)
	if reason == "" {
		return status.No("Starting", message), nil
	}
	if reason == status.ReasonUnschedulable && s.tenant != nil {
		why, err := whyNoNode(ctx, r.Live, s.tenant.Jurisdictions(), status.Shortage(pods.Items))
		if err != nil {
			return status.Verdict{}, err
		}
		trouble = why
	}
	return status.No(reason, message+": "+trouble), nil
}
