// Package certificates says which certificates a tenant needs and how they fare. cert-manager
// issues them: those inside the tenant from its authority in Vault, the one that people's
// browsers see from the issuer that the country chooses. The functions are pure; someone else
// writes the objects.
package certificates

import (
	"encoding/json"
	"fmt"
	"time"

	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	certmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/internal/apply"
	"ejustice.dev/operator/internal/database"
	"ejustice.dev/operator/internal/vault"
)

// Kinds of cert-manager that the operator writes.
var (
	IssuerKind      = certmanager.SchemeGroupVersion.WithKind(certmanager.IssuerKind)
	CertificateKind = certmanager.SchemeGroupVersion.WithKind(certmanager.CertificateKind)
)

// PublicName is the name of the certificate for the tenant's domain.
const PublicName = "public"

// renewBefore leaves two days of the three that a certificate inside a tenant lasts.
const renewBefore = vault.CertificateLife * 2 / 3

// SecretFor is the Secret that a certificate lies in.
func SecretFor(certificate string) string { return certificate + "-tls" }

// Wanted is what the certificates of a tenant depend on.
type Wanted struct {
	Tenant *v1alpha1.JusticeTenant
	// Labels for the objects.
	Labels map[string]string
	// Modules that serve, sorted.
	Modules []string
	// Vault signs for the tenant's authority.
	Vault vault.Access
	// PublicIssuer issues the certificate for the tenant's domain; nil leaves that out.
	PublicIssuer *v1alpha1.IssuerReference
}

// Objects are the Issuers and Certificates of the tenant.
func (w Wanted) Objects() []apply.Object {
	var objects []apply.Object
	embedded := w.Tenant.Spec.Database.External == nil
	objects = append(objects, w.issuer(vault.RoleModules))
	if embedded {
		objects = append(objects, w.issuer(vault.RoleDatabase), w.server(), w.replica())
	}
	for _, module := range w.Modules {
		objects = append(objects, w.module(module))
	}
	if w.PublicIssuer != nil {
		objects = append(objects, w.public())
	}
	return objects
}

// issuer has cert-manager sign in to Vault in the name of a ServiceAccount that may have
// certificates signed and nothing else.
func (w Wanted) issuer(role string) apply.Object {
	return w.object(IssuerKind.Kind, role, nil, map[string]any{"vault": map[string]any{
		"server": w.Vault.Address, "path": vault.Mount(w.Tenant.Name) + "/pki/sign/" + role,
		"caBundle": w.Vault.Authority,
		"auth": map[string]any{"kubernetes": map[string]any{
			"role": vault.RoleFor(w.Tenant.Name, vault.CertificatesAccount), "mountPath": "/v1/" + w.Vault.AuthPath,
			"serviceAccountRef": map[string]any{"name": vault.CertificatesAccount, "audiences": []string{vault.Audience}},
		}},
	}})
}

// ModuleName is the identity of a module: what its certificate says and its peers check.
func ModuleName(namespace, module string) string { return module + "." + namespace + ".svc" }

func (w Wanted) module(module string) apply.Object {
	name := ModuleName(w.namespace(), module)
	return w.inside(module, vault.RoleModules, map[string]string{v1alpha1.LabelModule: module}, map[string]any{
		"dnsNames": []string{name, name + ".cluster.local"},
		"usages":   []certmanager.KeyUsage{certmanager.UsageDigitalSignature, certmanager.UsageServerAuth, certmanager.UsageClientAuth},
	})
}

// server is the database's certificate.
func (w Wanted) server() apply.Object {
	return w.inside(database.ServerCertificate, vault.RoleDatabase, nil, map[string]any{
		"dnsNames": database.Hosts(w.Tenant),
		"usages":   []certmanager.KeyUsage{certmanager.UsageDigitalSignature, certmanager.UsageServerAuth},
	})
}

// replica is by which replicas of the database read from it, and so all of it. CloudNativePG
// wants one always; without replicas it carries a name that opens nothing.
func (w Wanted) replica() apply.Object {
	name := vault.NobodysName
	if w.Tenant.Spec.Database.Instances > 1 {
		name = vault.ReplicationUser
	}
	return w.inside(database.ReplicaCertificate, vault.RoleDatabase, nil, map[string]any{
		"commonName": name,
		"usages":     []certmanager.KeyUsage{certmanager.UsageDigitalSignature, certmanager.UsageClientAuth},
	})
}

// inside is a certificate of the tenant's own authority.
func (w Wanted) inside(name, issuer string, labels map[string]string, spec map[string]any) apply.Object {
	spec["duration"] = duration(vault.CertificateLife)
	spec["renewBefore"] = duration(renewBefore)
	spec["issuerRef"] = map[string]any{"name": issuer, "kind": IssuerKind.Kind, "group": IssuerKind.Group}
	// CloudNativePG takes up a Secret with this label as soon as it changes.
	return w.certificate(name, labels, map[string]any{"labels": map[string]any{
		v1alpha1.LabelTenant: w.Tenant.Name, "cnpg.io/reload": "true"}}, spec)
}

func (w Wanted) public() apply.Object {
	return w.certificate(PublicName, nil, map[string]any{"labels": map[string]any{v1alpha1.LabelTenant: w.Tenant.Name}}, map[string]any{
		"dnsNames":  []string{w.Tenant.Spec.Domain},
		"usages":    []certmanager.KeyUsage{certmanager.UsageDigitalSignature, certmanager.UsageServerAuth},
		"issuerRef": map[string]any{"name": w.PublicIssuer.Name, "kind": w.PublicIssuer.KindOrDefault(), "group": IssuerKind.Group},
	})
}

func (w Wanted) certificate(name string, labels map[string]string, secret, spec map[string]any) apply.Object {
	spec["secretName"] = SecretFor(name)
	spec["secretTemplate"] = secret
	spec["privateKey"] = map[string]any{"algorithm": certmanager.ECDSAKeyAlgorithm, "size": 256, "rotationPolicy": certmanager.RotationPolicyAlways}
	return w.object(CertificateKind.Kind, name, labels, spec)
}

func (w Wanted) namespace() string { return v1alpha1.NamespaceFor(w.Tenant.Name) }

func (w Wanted) object(kind, name string, more map[string]string, spec map[string]any) apply.Object {
	labels := map[string]string{}
	for _, from := range []map[string]string{w.Labels, more} {
		for key, value := range from {
			labels[key] = value
		}
	}
	return apply.FromContent(plain(map[string]any{
		"apiVersion": IssuerKind.GroupVersion().String(), "kind": kind,
		"metadata": map[string]any{"name": name, "namespace": w.namespace(), "labels": labels},
		"spec":     spec,
	}))
}

// plain brings content into the form in which it comes back from the API server.
func plain(content map[string]any) map[string]any {
	raw, err := json.Marshal(content)
	if err != nil {
		panic(fmt.Sprintf("certificates: content is not JSON: %v", err)) // it is made of texts and numbers above
	}
	out := map[string]any{}
	if err := json.Unmarshal(raw, &out); err != nil {
		panic(fmt.Sprintf("certificates: content is not JSON: %v", err))
	}
	return out
}

// duration is written the way the API server does.
func duration(d time.Duration) string { return metav1.Duration{Duration: d}.Duration.String() }

// Usable reports whether there is a certificate that has not ended. complaint says what is wrong,
// also with one that can still be used but should have been renewed long since.
func Usable(c *certmanager.Certificate, now time.Time) (usable bool, complaint string) {
	if c == nil || c.Status.NotAfter == nil {
		return false, notIssued(c)
	}
	end := c.Status.NotAfter.Time
	switch renewal := c.Status.RenewalTime; {
	case !now.Before(end):
		return false, "has ended: " + trouble(c)
	// Half of the time that was meant for renewing it is over.
	case renewal != nil && now.After(renewal.Add(end.Sub(renewal.Time)/2)):
		return true, "should long have been renewed and will end: " + trouble(c)
	}
	return true, ""
}

func notIssued(c *certmanager.Certificate) string {
	if c == nil {
		return "is about to be requested"
	}
	return "is not issued yet: " + trouble(c)
}

// trouble is what cert-manager says, without names of its own making.
func trouble(c *certmanager.Certificate) string {
	if c.Status.LastFailureTime != nil {
		return fmt.Sprintf("issuer %s refuses or does not answer: look at kubectl -n %s describe certificaterequests", c.Spec.IssuerRef.Name, c.Namespace)
	}
	for _, condition := range c.Status.Conditions {
		if condition.Type == certmanager.CertificateConditionReady && condition.Status != certmeta.ConditionTrue {
			return fmt.Sprintf("cert-manager is waiting for issuer %s", c.Spec.IssuerRef.Name)
		}
	}
	return "if this lasts, check that cert-manager runs"
}
