package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	certmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/internal/apply"
	"ejustice.dev/operator/internal/certificates"
	"ejustice.dev/operator/internal/database"
	"ejustice.dev/operator/internal/status"
	"ejustice.dev/operator/internal/tenancy"
	"ejustice.dev/operator/internal/vault"
)

// secretsState is what one look found out about a tenant's secrets and certificates.
type secretsState struct {
	// trouble is why Vault does not answer or do as asked; nil when it does.
	trouble *vault.Error
	// frame and credentials are what Vault lacks: the first before, the second after the
	// database serves.
	frame       []vault.Change
	credentials []vault.Change
	// credentialsSeen is whether credentials could be looked at.
	credentialsSeen bool
	// keys are the modules whose key is known to exist.
	keys []string
	// rotated is the word whose rotation this step has carried out.
	rotated string

	// locked and destroyed are whether nothing is left to take away in Vault; read when the
	// tenant is deleted.
	locked, destroyed bool

	// pending are certificate objects that need writing.
	pending []apply.Object
	// certificates are those of the wanted ones that exist.
	certificates []*certmanager.Certificate
	// authority is the certificate of the tenant's authority as Vault has it; "" while unknown.
	authority string
	// stale are certificates of an authority that is no longer the tenant's.
	stale []*certmanager.Certificate
	// complaints say what is wrong with which certificate, in order of importance.
	complaints []string
	// unusable are the names of certificates that cannot be used.
	unusable []string
	// noIssuer is true when nobody is known to certify the tenant's domain.
	noIssuer bool
}

// vaultTenant is the tenant in Vault's terms.
func (s *tenantSnapshot) vaultTenant() vault.Tenant {
	t := vault.Tenant{
		Name: s.tenant.Name, Namespace: v1alpha1.NamespaceFor(s.tenant.Name),
		Modules: s.needDatabase, Keys: s.tenant.Status.Keys,
	}
	if s.tenant.Spec.Database.External == nil {
		t.DatabaseHosts = database.Hosts(s.tenant)
		t.Replicas = s.tenant.Spec.Database.Instances > 1
	}
	return t
}

// readVault compares the tenant's frame in Vault with what is wanted. That Vault is away is a
// fact among others: everything that does not need it goes on.
func (r *JusticeTenantReconciler) readVault(ctx context.Context, s *tenantSnapshot) error {
	if s.tenant.Stopping() {
		return r.readVaultRemains(ctx, s)
	}
	s.secrets.keys = s.tenant.Status.Keys
	frame, err := r.Vault.Frame(ctx, s.vaultTenant())
	if err != nil {
		return s.vaultTrouble(err)
	}
	s.secrets.frame = frame
	if len(frame) > 0 {
		return nil
	}
	s.secrets.keys = union(s.secrets.keys, s.needDatabase)
	if s.secrets.authority, err = r.Vault.Authority(ctx, s.tenant.Name); err != nil {
		return s.vaultTrouble(err)
	}
	return nil
}

// readVaultRemains finds out what a tenant that is being deleted still has in Vault.
func (r *JusticeTenantReconciler) readVaultRemains(ctx context.Context, s *tenantSnapshot) error {
	if s.tenant.Annotations[v1alpha1.AnnotationLeaveVault] == s.tenant.Name {
		s.secrets.locked, s.secrets.destroyed = true, true
		return nil
	}
	var err error
	if s.secrets.locked, err = r.Vault.Locked(ctx, s.tenant.Name); err != nil {
		return s.vaultTrouble(err)
	}
	if s.tenant.Spec.DeletionPolicy == v1alpha1.DeletionDelete {
		if s.secrets.destroyed, err = r.Vault.Destroyed(ctx, s.tenant.Name); err != nil {
			return s.vaultTrouble(err)
		}
	}
	return nil
}

// vaultTrouble keeps Vault's own errors as a fact; any other ends the look.
func (s *tenantSnapshot) vaultTrouble(err error) error {
	if errors.As(err, &s.secrets.trouble) {
		return nil
	}
	return err
}

// readCredentials compares the users that Vault makes with what is wanted, once there is a
// database to make them in.
func (r *JusticeTenantReconciler) readCredentials(ctx context.Context, s *tenantSnapshot) error {
	if s.tenant.Stopping() || s.secrets.trouble != nil || len(s.secrets.frame) > 0 || len(s.needDatabase) == 0 || !s.databaseStands() {
		return nil
	}
	changes, err := r.Vault.Credentials(ctx, s.vaultTenant(), r.vaultServer(s.tenant), s.owners())
	if err != nil {
		return s.vaultTrouble(err)
	}
	s.secrets.credentials, s.secrets.credentialsSeen = changes, true
	return nil
}

// databaseStands reports whether Vault has something to connect to.
func (s *tenantSnapshot) databaseStands() bool {
	if s.tenant.Spec.Database.External != nil {
		return len(s.unverified) == 0
	}
	return database.ClusterServes(s.liveCluster) && database.RolesExist(s.liveCluster, vault.DatabaseUser)
}

func (s *tenantSnapshot) owners() []vault.Owner {
	owners := make([]vault.Owner, 0, len(s.needDatabase))
	for _, module := range s.needDatabase {
		owners = append(owners, vault.Owner{
			Module: module, Role: database.NameFor(s.tenant.Name, module), Runtime: database.RuntimeFor(s.tenant.Name, module),
		})
	}
	return owners
}

// vaultServer is how Vault reaches the tenant's PostgreSQL.
func (r *JusticeTenantReconciler) vaultServer(t *v1alpha1.JusticeTenant) vault.Server {
	host, port, mode := database.Endpoint(t)
	server := vault.Server{Host: host, Port: port, SSLMode: mode, User: vault.DatabaseUser, Unverified: r.TrustVaultConnection}
	if t.Spec.Database.External != nil {
		server.User = database.VaultRole(t.Name)
		server.SetPassword = func(ctx context.Context, password string) error {
			admin, err := r.externalServer(ctx, t)
			if err != nil {
				return err
			}
			return r.External.SetVaultPassword(ctx, admin, t.Name, password)
		}
	}
	return server
}

// credentialsReady reports whether the module can have credentials. While Vault cannot be
// asked, what was so before still is.
func (s *tenantSnapshot) credentialsReady(module string) bool {
	if s.secrets.credentialsSeen {
		return len(s.secrets.credentials) == 0
	}
	return slices.Contains(s.tenant.Status.Databases, module) && (s.secrets.trouble != nil || !s.databaseStands())
}

// changeVault makes what Vault lacks, one thing after another.
func changeVault(ctx context.Context, changes []vault.Change) error {
	for _, change := range changes {
		if err := change.Do(ctx); err != nil {
			return vaultFailure(change.What, err)
		}
	}
	return nil
}

// vaultFailure is what to say when something in Vault could not be done.
func vaultFailure(what string, err error) error {
	var e *vault.Error
	if errors.As(err, &e) {
		return retried(e.Reason, what+": "+e.Message)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// readCertificates compares the tenant's certificates with what is wanted and looks how those
// that exist fare.
func (r *JusticeTenantReconciler) readCertificates(ctx context.Context, s *tenantSnapshot) error {
	if s.tenant.Stopping() {
		return nil
	}
	wanted := certificates.Wanted{
		Tenant: s.tenant, Labels: tenancy.Labels(s.tenant.Name), Modules: s.moduleNames(),
		Vault: r.Vault.Access(), PublicIssuer: r.publicIssuer(s.tenant),
	}
	s.secrets.noIssuer = wanted.PublicIssuer == nil && s.frontDoor
	if !s.frontDoor {
		wanted.PublicIssuer = nil
	}
	for _, want := range wanted.Objects() {
		live, err := apply.Live(ctx, r.Live, want)
		if err != nil {
			return err
		}
		if apply.Diff(want, live) != "" {
			s.secrets.pending = append(s.secrets.pending, want)
		}
		if want.GetKind() == certificates.CertificateKind.Kind {
			certificate, err := s.noteCertificate(want.GetName(), live)
			if err != nil {
				return err
			}
			if err := r.readAuthorityOf(ctx, s, certificate); err != nil {
				return err
			}
		}
	}
	return nil
}

// noteCertificate keeps how a wanted certificate fares; live is nil when there is none yet.
func (s *tenantSnapshot) noteCertificate(name string, live *unstructured.Unstructured) (*certmanager.Certificate, error) {
	var certificate *certmanager.Certificate
	if live != nil {
		certificate = &certmanager.Certificate{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(live.Object, certificate); err != nil {
			return nil, fmt.Errorf("reading certificate %s: %w", name, err)
		}
		s.secrets.certificates = append(s.secrets.certificates, certificate)
	}
	usable, complaint := certificates.Usable(certificate, time.Now())
	if !usable {
		s.secrets.unusable = append(s.secrets.unusable, name)
	}
	if complaint != "" {
		s.secrets.complaints = append(s.secrets.complaints, fmt.Sprintf("certificate %s %s", name, complaint))
	}
	return certificate, nil
}

// readAuthorityOf finds out whether a certificate inside the tenant was signed by an authority
// that Vault no longer has. Its peers would refuse it until it is renewed, a day later at
// most. One that is being issued is left alone.
func (r *JusticeTenantReconciler) readAuthorityOf(ctx context.Context, s *tenantSnapshot, certificate *certmanager.Certificate) error {
	if certificate == nil || s.secrets.authority == "" || certificate.Name == certificates.PublicName || issuing(certificate) {
		return nil
	}
	secret, err := r.liveSecret(ctx, certificate.Namespace, certificate.Spec.SecretName)
	if err != nil {
		return err
	}
	if secret != nil && strings.TrimSpace(string(secret.Data["ca.crt"])) != strings.TrimSpace(s.secrets.authority) {
		s.secrets.stale = append(s.secrets.stale, certificate)
	}
	return nil
}

func issuing(certificate *certmanager.Certificate) bool {
	return slices.ContainsFunc(certificate.Status.Conditions, func(c certmanager.CertificateCondition) bool {
		return c.Type == certmanager.CertificateConditionIssuing && c.Status == certmeta.ConditionTrue
	})
}

// renewAll asks for new certificates in place of the given ones.
func (r *JusticeTenantReconciler) renewAll(ctx context.Context, list []*certmanager.Certificate) error {
	for _, certificate := range list {
		if err := r.renew(ctx, certificate); err != nil {
			return err
		}
	}
	return nil
}

// certificatesUsable reports whether all the named certificates can be used.
func (s *tenantSnapshot) certificatesUsable(names ...string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return slices.Contains(s.secrets.unusable, name) })
}

// publicIssuer is who certifies the tenant's domain; nil when nobody says.
func (r *JusticeTenantReconciler) publicIssuer(t *v1alpha1.JusticeTenant) *v1alpha1.IssuerReference {
	if t.Spec.PublicIssuer != nil {
		return t.Spec.PublicIssuer
	}
	if r.PublicIssuer != "" {
		return &v1alpha1.IssuerReference{Name: r.PublicIssuer}
	}
	return nil
}

// rotate carries out what the annotation asks for: new versions of keys, new credentials of
// Vault, new certificates. The modules are started anew afterwards, because the word is among
// their charts' values, and so take up new users.
func (r *JusticeTenantReconciler) rotate(ctx context.Context, s *tenantSnapshot) error {
	if len(s.needDatabase) > 0 {
		if err := r.Vault.Rotate(ctx, s.vaultTenant(), r.vaultServer(s.tenant)); err != nil {
			return vaultFailure("rotating keys and credentials", err)
		}
	}
	if err := r.renewAll(ctx, s.secrets.certificates); err != nil {
		return err
	}
	s.secrets.rotated = s.tenant.Rotation()
	return nil
}

// renew asks cert-manager for a new certificate in the way of its own command line program.
func (r *JusticeTenantReconciler) renew(ctx context.Context, certificate *certmanager.Certificate) error {
	before := certificate.DeepCopy()
	moment := metav1.Now()
	condition := certmanager.CertificateCondition{
		Type: certmanager.CertificateConditionIssuing, Status: certmeta.ConditionTrue, ObservedGeneration: certificate.Generation,
		Reason: "ManuallyTriggered", Message: "the operator asks for a new certificate", LastTransitionTime: &moment,
	}
	certificate.Status.Conditions = slices.DeleteFunc(certificate.Status.Conditions, func(c certmanager.CertificateCondition) bool {
		return c.Type == certmanager.CertificateConditionIssuing
	})
	certificate.Status.Conditions = append(certificate.Status.Conditions, condition)
	if err := r.Status().Patch(ctx, certificate, client.MergeFrom(before), client.FieldOwner(v1alpha1.FieldOwner)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("renewing certificate %s: %w", certificate.Name, err)
	}
	return nil
}

func rotationDue(s *tenantSnapshot) bool {
	return s.tenant.Rotation() != "" && s.tenant.Rotation() != s.tenant.Status.Rotation && s.tenant.Status.Release != ""
}

// secretsVerdict says whether Vault holds what the tenant needs.
func secretsVerdict(s *tenantSnapshot) status.Verdict {
	switch {
	case s.tenant.Stopping():
		return status.No("Stopping", "the tenant is being deleted")
	case s.namespace != namespaceOurs:
		return status.No("Waiting", "the namespace comes first")
	case s.secrets.trouble != nil:
		return status.No(s.secrets.trouble.Reason, s.secrets.trouble.Message)
	case len(s.secrets.frame) > 0:
		return status.No("Preparing", "Vault is being prepared: "+s.secrets.frame[0].What)
	case len(s.secrets.credentials) > 0:
		return status.No("Preparing", "Vault is being prepared: "+s.secrets.credentials[0].What)
	case len(s.needDatabase) > 0 && !s.secrets.credentialsSeen:
		return status.No("Waiting", "credentials need the database, which does not serve yet")
	}
	return status.Yes("InVault", "keys and credentials are in Vault")
}

// certificatesVerdict says whether all certificates are issued and none is about to end.
func certificatesVerdict(s *tenantSnapshot) status.Verdict {
	switch {
	case s.tenant.Stopping():
		return status.No("Stopping", "the tenant is being deleted")
	case s.namespace != namespaceOurs:
		return status.No("Waiting", "the namespace comes first")
	case s.secrets.noIssuer:
		return status.No("NoPublicIssuer", "nobody is named who certifies the tenant's domain: set spec.publicIssuer to a cert-manager issuer")
	case len(s.secrets.complaints) > 0 && len(s.secrets.unusable) > 0:
		return status.No("NotIssued", s.secrets.complaints[0])
	case len(s.secrets.complaints) > 0:
		return status.No("Expiring", s.secrets.complaints[0])
	case len(s.secrets.pending) > 0, len(s.secrets.stale) > 0:
		return status.No("Requesting", "certificates are being requested")
	}
	return status.Yes("Issued", "every certificate is issued and renewed in time")
}

// union joins two lists of names, sorted and without repetition.
func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
