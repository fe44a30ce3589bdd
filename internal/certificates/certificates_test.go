package certificates

import (
	"slices"
	"strings"
	"testing"
	"time"

	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	certmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/internal/vault"
)

func TestUsable(t *testing.T) {
	now := time.Now()
	at := func(d time.Duration) *metav1.Time { return &metav1.Time{Time: now.Add(d)} }
	tests := []struct {
		name   string
		status *certmanager.CertificateStatus
		usable bool
		says   string
	}{
		{"not there", nil, false, "about to be requested"},
		{"nobody issues it", &certmanager.CertificateStatus{}, false, "check that cert-manager runs"},
		{"waiting", &certmanager.CertificateStatus{Conditions: []certmanager.CertificateCondition{
			{Type: certmanager.CertificateConditionReady, Status: certmeta.ConditionFalse}}}, false, "waiting for issuer modules"},
		{"refused", &certmanager.CertificateStatus{LastFailureTime: at(-time.Hour)}, false, "refuses or does not answer"},
		{"fresh", &certmanager.CertificateStatus{NotAfter: at(72 * time.Hour), RenewalTime: at(24 * time.Hour)}, true, ""},
		{"being renewed", &certmanager.CertificateStatus{NotAfter: at(47 * time.Hour), RenewalTime: at(-time.Hour)}, true, ""},
		{"half of the time to renew it is over", &certmanager.CertificateStatus{NotAfter: at(23 * time.Hour), RenewalTime: at(-25 * time.Hour)}, true, "should long have been renewed"},
		{"over", &certmanager.CertificateStatus{NotAfter: at(-time.Minute), RenewalTime: at(-48 * time.Hour)}, false, "has ended"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			var c *certmanager.Certificate
			if tc.status != nil {
				c = &certmanager.Certificate{Status: *tc.status}
				c.Spec.IssuerRef.Name = "modules"
			}
			usable, complaint := Usable(c, now)
			if usable != tc.usable || !strings.Contains(complaint, tc.says) || (tc.says == "") != (complaint == "") {
				t.Errorf("Usable = %t %q, want %t %q", usable, complaint, tc.usable, tc.says)
			}
		})
	}
}

func TestObjects(t *testing.T) {
	tenant := &v1alpha1.JusticeTenant{ObjectMeta: metav1.ObjectMeta{Name: "x"}, Spec: v1alpha1.JusticeTenantSpec{Domain: "justice.example"}}
	wanted := Wanted{Tenant: tenant, Modules: []string{"casemanagement"}, Vault: vault.Access{Address: "https://vault:8200", AuthPath: "auth/kubernetes"}}
	names := func() (all []string) {
		for _, object := range wanted.Objects() {
			all = append(all, object.String())
		}
		return all
	}
	embedded := []string{"Issuer modules", "Issuer database", "Certificate database", "Certificate database-replica", "Certificate casemanagement"}
	if got := names(); !slices.Equal(got, embedded) {
		t.Errorf("with an embedded database: %v", got)
	}
	if got := replicaName(t, wanted); got != vault.NobodysName {
		t.Errorf("a single instance's replica certificate names %s", got)
	}
	tenant.Spec.Database.Instances = 2
	if got := replicaName(t, wanted); got != vault.ReplicationUser {
		t.Errorf("replicas sign in as %s", got)
	}
	tenant.Spec.Database = v1alpha1.Database{External: &v1alpha1.ExternalDatabase{}}
	wanted.PublicIssuer = &v1alpha1.IssuerReference{Name: "letsencrypt"}
	if got := names(); !slices.Equal(got, []string{"Issuer modules", "Certificate casemanagement", "Certificate public"}) {
		t.Errorf("with an external database and a public issuer: %v", got)
	}
}

func replicaName(t *testing.T, wanted Wanted) string {
	t.Helper()
	for _, object := range wanted.Objects() {
		if object.GetName() == "database-replica" {
			name, _, err := unstructured.NestedString(object.Object, "spec", "commonName")
			if err != nil {
				t.Fatal(err)
			}
			return name
		}
	}
	return "no certificate"
}
