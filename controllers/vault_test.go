package controllers

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/hack/vaulttest"
	"ejustice.dev/operator/internal/vault"
)

// startVault runs the Vault that all tests of this package share, with the policy and the role
// that a real one has for the operator.
func startVault(t *sharedTB) (err error) {
	defer func() {
		if failure := recover(); failure != nil {
			err = fmt.Errorf("starting Vault: %v", failure)
		}
	}()
	policy, err := os.ReadFile(filepath.Join("..", "config", "vault", "operator-policy.hcl"))
	if err != nil {
		return err
	}
	suite.vault = vaulttest.Start(t)
	issuer := suite.vault.TrustIssuer(t)
	suite.token = filepath.Join(t.TempDir(), "token")
	issuer.WriteToken(t, suite.token, testNamespace, v1alpha1.FieldOwner)
	suite.vault.Write(t, "auth/jwt/role/"+v1alpha1.FieldOwner, map[string]any{
		"role_type": "jwt", "user_claim": "sub", "bound_subject": "system:serviceaccount:" + testNamespace + ":" + v1alpha1.FieldOwner,
		"bound_audiences": []string{vault.Audience}, "token_policies": []string{v1alpha1.FieldOwner},
	})
	return suite.vault.Root.Sys().PutPolicy(v1alpha1.FieldOwner, string(policy))
}

// sharedTB is the test that a shared server belongs to: all of them.
type sharedTB struct{ ends []func() }

func (*sharedTB) Helper()                   {}
func (*sharedTB) Failed() bool              { return false }
func (*sharedTB) Logf(string, ...any)       {}
func (*sharedTB) Fatal(args ...any)         { panic(fmt.Sprint(args...)) }
func (*sharedTB) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }
func (s *sharedTB) Cleanup(end func())      { s.ends = append(s.ends, end) }

func (s *sharedTB) TempDir() string {
	dir, err := os.MkdirTemp("", "controllers")
	if err != nil {
		panic(err)
	}
	s.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (s *sharedTB) cleanUp() {
	for _, end := range s.ends {
		end()
	}
}

// inVault reads a path as root; nil when nothing is there.
func inVault(t *testing.T, path string) map[string]any {
	t.Helper()
	secret, err := suite.vault.Root.Logical().ReadWithContext(t.Context(), path)
	if err != nil {
		t.Fatalf("reading %s: %v", path, err)
	}
	if secret == nil {
		return nil
	}
	return secret.Data
}

func mountsOf(t *testing.T, tenant string) map[string]*api.MountOutput {
	t.Helper()
	all, err := suite.vault.Root.Sys().ListMountsWithContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ours := map[string]*api.MountOutput{}
	for path, mount := range all {
		if strings.HasPrefix(path, vault.Mount(tenant)+"/") {
			ours[path] = mount
		}
	}
	return ours
}

func moduleRole(tenant string) string {
	return "auth/jwt/role/" + vault.RoleFor(tenant, "casemanagement")
}

func keyPath(tenant string) string { return vault.Mount(tenant) + "/transit/keys/casemanagement" }

func TestSecretsAreInVault(t *testing.T) {
	startOperator(t, nil)
	create(t, newTenant("secrets"))
	awaitReady(t, "secrets")
	awaitTenant(t, "secrets", v1alpha1.ConditionSecretsReady, metav1.ConditionTrue, "")
	awaitTenant(t, "secrets", v1alpha1.ConditionCertificatesReady, metav1.ConditionTrue, "")

	role := inVault(t, moduleRole("secrets"))
	if got := role["bound_subject"]; got != "system:serviceaccount:justice-secrets:casemanagement" {
		t.Errorf("the module's role is bound to %v", got)
	}
	if got := inVault(t, vault.Mount("secrets")+"/database/roles/casemanagement")["default_ttl"]; fmt.Sprint(got) != "3600" {
		t.Errorf("credentials last %v s, want an hour at most", got)
	}
	if got := inVault(t, keyPath("secrets")); got["exportable"] != false || got["type"] != "aes256-gcm96" {
		t.Errorf("key: %v", got)
	}
	// What is not Helm's or cert-manager's the operator does not put into Secrets.
	secrets := &corev1.SecretList{}
	if err := suite.client.List(t.Context(), secrets, client.InNamespace("justice-secrets")); err != nil {
		t.Fatal(err)
	}
	for _, secret := range secrets.Items {
		if secret.Labels["owner"] != "helm" && !strings.HasSuffix(secret.Name, "-tls") {
			t.Errorf("the operator made Secret %s", secret.Name)
		}
	}
}

// What somebody takes away in Vault comes back, but never a key: the new one would not decrypt.
func TestVaultDrift(t *testing.T) {
	startOperator(t, nil)
	create(t, newTenant("vaultdrift"))
	awaitReady(t, "vaultdrift")
	root := suite.vault.Root
	if _, err := root.Logical().DeleteWithContext(t.Context(), moduleRole("vaultdrift")); err != nil {
		t.Fatal(err)
	}
	if err := root.Sys().PutPolicyWithContext(t.Context(), vault.RoleFor("vaultdrift", "casemanagement"), `path "*" { capabilities = ["read"] }`); err != nil {
		t.Fatal(err)
	}
	if err := root.Sys().UnmountWithContext(t.Context(), vault.Mount("vaultdrift")+"/database"); err != nil {
		t.Fatal(err)
	}
	wake(t, "vaultdrift")
	await(t, "everything in Vault is back", func() (bool, string) {
		policy, err := root.Sys().GetPolicyWithContext(t.Context(), vault.RoleFor("vaultdrift", "casemanagement"))
		if err != nil {
			return false, err.Error()
		}
		back := inVault(t, moduleRole("vaultdrift")) != nil && !strings.Contains(policy, `"*"`) &&
			inVault(t, vault.Mount("vaultdrift")+"/database/roles/casemanagement") != nil
		return back, policy
	})
	awaitReady(t, "vaultdrift")

	suite.vault.Write(t, keyPath("vaultdrift")+"/config", map[string]any{"deletion_allowed": true})
	if _, err := root.Logical().DeleteWithContext(t.Context(), keyPath("vaultdrift")); err != nil {
		t.Fatal(err)
	}
	wake(t, "vaultdrift")
	awaitTenant(t, "vaultdrift", v1alpha1.ConditionSecretsReady, metav1.ConditionFalse, "restore Vault from its backup")
	awaitTenant(t, "vaultdrift", v1alpha1.ConditionStalled, metav1.ConditionTrue, "")
	if inVault(t, keyPath("vaultdrift")) != nil {
		t.Error("the key was made anew")
	}
	awaitModule(t, "vaultdrift", v1alpha1.ConditionReady, metav1.ConditionTrue, "")
}

// With another authority every certificate is replaced at once, and not one after the other over
// a day in which modules would refuse one another.
func TestLostAuthority(t *testing.T) {
	startOperator(t, nil)
	create(t, newTenant("authority"))
	awaitReady(t, "authority")
	if err := suite.vault.Root.Sys().UnmountWithContext(t.Context(), vault.Mount("authority")+"/pki"); err != nil {
		t.Fatal(err)
	}
	wake(t, "authority")
	await(t, "certificates of the new authority", func() (bool, string) {
		now, err := suite.vault.Root.Logical().ReadWithContext(t.Context(), vault.Mount("authority")+"/pki/cert/ca")
		if err != nil || now == nil {
			return false, fmt.Sprint("no authority: ", err) // a mount comes before its authority
		}
		for _, name := range []string{"database-tls", "database-replica-tls", "casemanagement-tls"} {
			secret := &corev1.Secret{}
			if err := suite.client.Get(t.Context(), client.ObjectKey{Namespace: "justice-authority", Name: name}, secret); err != nil {
				return false, err.Error()
			}
			if string(secret.Data["ca.crt"]) != fmt.Sprint(now.Data["certificate"]) {
				return false, name + " is of the old authority"
			}
		}
		return true, ""
	})
	awaitReady(t, "authority")
}

// wake has the operator look at once, and not when it would next.
func wake(t *testing.T, tenant string) {
	t.Helper()
	change(t, tenantKey(tenant), &v1alpha1.JusticeTenant{}, func(o *v1alpha1.JusticeTenant) {
		if o.Labels == nil {
			o.Labels = map[string]string{}
		}
		o.Labels["example.org/wake"] = o.ResourceVersion
	})
}

// While Vault is sealed what works goes on, what needs it waits and says so, and it heals.
func TestVaultSealed(t *testing.T) {
	startOperator(t, nil)
	create(t, newTenant("sealed"))
	awaitReady(t, "sealed")
	suite.vault.Seal(t)
	wake(t, "sealed")
	create(t, newTenant("sealednew"))
	awaitTenant(t, "sealed", v1alpha1.ConditionSecretsReady, metav1.ConditionFalse, "Vault is sealed: unseal it")
	awaitTenant(t, "sealed", v1alpha1.ConditionDatabaseReady, metav1.ConditionTrue, "")
	awaitModule(t, "sealed", v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	awaitTenant(t, "sealednew", v1alpha1.ConditionReady, metav1.ConditionFalse, "Vault is sealed: unseal it")
	// Other work goes on meanwhile.
	change(t, tenantKey("sealed"), &v1alpha1.JusticeTenant{}, func(o *v1alpha1.JusticeTenant) { o.Spec.Modules[0].Values = values("greeting", `"still here"`) })
	awaitGreeting(t, "sealed", "still here")
	suite.vault.Unseal(t)
	awaitReady(t, "sealed")
	awaitReady(t, "sealednew")
}

func TestVaultForbidden(t *testing.T) {
	startOperator(t, nil)
	create(t, newTenant("forbidden"))
	awaitReady(t, "forbidden")
	root := suite.vault.Root
	policy, err := root.Sys().GetPolicyWithContext(t.Context(), v1alpha1.FieldOwner)
	if err != nil {
		t.Fatal(err)
	}
	if err := root.Sys().PutPolicyWithContext(t.Context(), v1alpha1.FieldOwner, `path "sys/mounts" { capabilities = ["read"] }`); err != nil {
		t.Fatal(err)
	}
	wake(t, "forbidden")
	awaitTenant(t, "forbidden", v1alpha1.ConditionSecretsReady, metav1.ConditionFalse, "apply config/vault/operator-policy.hcl")
	awaitModule(t, "forbidden", v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	if err := root.Sys().PutPolicyWithContext(t.Context(), v1alpha1.FieldOwner, policy); err != nil {
		t.Fatal(err)
	}
	awaitReady(t, "forbidden")
}

func TestRotationOnDemand(t *testing.T) {
	startOperator(t, nil)
	create(t, newTenant("rotation"))
	awaitReady(t, "rotation")
	before := inVault(t, vault.Mount("rotation")+"/database/config/database")["connection_details"].(map[string]any)["tls_certificate"]
	change(t, tenantKey("rotation"), &v1alpha1.JusticeTenant{}, func(o *v1alpha1.JusticeTenant) {
		o.Annotations = map[string]string{v1alpha1.AnnotationRotate: "2026-11-25"}
	})
	await(t, "the rotation", func() (bool, string) {
		o := &v1alpha1.JusticeTenant{}
		if err := suite.client.Get(t.Context(), tenantKey("rotation"), o); err != nil {
			return false, err.Error()
		}
		return o.Status.Rotation == "2026-11-25", o.Status.Rotation
	})
	awaitReady(t, "rotation")
	if got := inVault(t, keyPath("rotation"))["latest_version"]; fmt.Sprint(got) != "2" {
		t.Errorf("the key has version %v, want one rotation and no more", got)
	}
	after := inVault(t, vault.Mount("rotation")+"/database/config/database")["connection_details"].(map[string]any)["tls_certificate"]
	if before == after {
		t.Error("Vault still has its old certificate for the database")
	}
	await(t, "the module's new start", func() (bool, string) {
		m := &v1alpha1.CourtModule{}
		if err := suite.client.Get(t.Context(), moduleKey("rotation"), m); err != nil {
			return false, err.Error()
		}
		return m.Status.HelmRevision == 2, fmt.Sprintf("Helm revision %d", m.Status.HelmRevision)
	})
}

func TestExpiryIsSaidInTime(t *testing.T) {
	startOperator(t, nil)
	create(t, newTenant("expiry"))
	awaitReady(t, "expiry")
	expiring.Store("justice-expiry", true)
	awaitTenant(t, "expiry", v1alpha1.ConditionCertificatesReady, metav1.ConditionFalse, "should long have been renewed")
	awaitModule(t, "expiry", v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	expiring.Delete("justice-expiry")
	awaitReady(t, "expiry")
}

// A retained tenant leaves its keys and nobody who may use them; a deleted one leaves nothing,
// and another whose name begins alike is not touched.
func TestDeletionInVault(t *testing.T) {
	startOperator(t, nil)
	create(t, newTenant("leave"))
	create(t, newTenant("leave-b"))
	awaitReady(t, "leave")
	awaitReady(t, "leave-b")
	remove(t, newTenant("leave"))
	awaitGone(t, tenantKey("leave"), &v1alpha1.JusticeTenant{})
	if inVault(t, moduleRole("leave")) != nil {
		t.Error("the module can still sign in")
	}
	if len(mountsOf(t, "leave")) != 4 || inVault(t, keyPath("leave")) == nil {
		t.Error("the key of retained data is gone")
	}

	again := newTenant("leave")
	again.Spec.DeletionPolicy = v1alpha1.DeletionDelete
	again.Annotations = map[string]string{v1alpha1.AnnotationConfirmDeletion: "leave"}
	create(t, again)
	awaitReady(t, "leave")
	remove(t, again)
	awaitGone(t, tenantKey("leave"), &v1alpha1.JusticeTenant{})
	if left := mountsOf(t, "leave"); len(left) > 0 || inVault(t, moduleRole("leave")) != nil {
		t.Errorf("left in Vault: %v", left)
	}
	if inVault(t, moduleRole("leave-b")) == nil || len(mountsOf(t, "leave-b")) != 4 {
		t.Error("another tenant lost what it had in Vault")
	}
	awaitReady(t, "leave-b")
}

// With Vault gone for good a tenant can still be deleted, by a person's word.
func TestDeletionWithoutVault(t *testing.T) {
	startOperator(t, nil)
	create(t, newTenant("without"))
	awaitReady(t, "without")
	suite.vault.Seal(t)
	remove(t, newTenant("without"))
	awaitTenant(t, "without", v1alpha1.ConditionReady, metav1.ConditionFalse, "annotate the tenant with ejustice.dev/leave-vault=without")
	change(t, tenantKey("without"), &v1alpha1.JusticeTenant{}, func(o *v1alpha1.JusticeTenant) {
		o.Annotations = map[string]string{v1alpha1.AnnotationLeaveVault: "without"}
	})
	awaitGone(t, tenantKey("without"), &v1alpha1.JusticeTenant{})
	suite.vault.Unseal(t)
}
