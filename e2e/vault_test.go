//go:build e2e

package e2e

import (
	"context"
	"errors"
	"testing"
	"time"

	"ejustice.dev/operator/hack/tenant"
	"github.com/hashicorp/vault/api"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestVault holds the Vault of the cluster to what the operator will rely on: a
// ServiceAccount signs in, its policy is narrow, and a killed server heals.
// VAULT_ADDR and VAULT_CACERT say where it is.
func TestVault(t *testing.T) {
	t.Run("the operator signs in with a token made for Vault, and with no other", func(t *testing.T) {
		if _, err := signIn(t, operatorToken(t, "vault")); err != nil {
			t.Errorf("signing in: %v", err)
		}
		if _, err := signIn(t, operatorToken(t, "")); !refused(err) {
			t.Errorf("a token made for the apiserver was not refused: %v", err)
		}
	})

	t.Run("the operator may make a tenant's mounts, and reads no secret", func(t *testing.T) {
		vault, err := signIn(t, operatorToken(t, "vault"))
		if err != nil {
			t.Fatal(err)
		}
		const mount = "tenants/e2e-vault/kv"
		if err := vault.Sys().MountWithContext(t.Context(), mount, &api.MountInput{Type: "kv", Options: map[string]string{"version": "2"}}); err != nil {
			t.Fatalf("making a tenant's mount: %v", err)
		}
		t.Cleanup(func() {
			if err := vault.Sys().Unmount(mount); err != nil {
				t.Errorf("removing a tenant's mount: %v", err)
			}
		})
		attempts := map[string]func() error{
			"reading a tenant's secret": func() error {
				_, err := vault.Logical().ReadWithContext(t.Context(), mount+"/data/any")
				return err
			},
			"decrypting": func() error {
				_, err := vault.Logical().WriteWithContext(t.Context(), "tenants/e2e-vault/transit/decrypt/documents", map[string]any{"ciphertext": "vault:v1:AAAA"})
				return err
			},
			"a mount outside the tenants": func() error {
				return vault.Sys().MountWithContext(t.Context(), "elsewhere", &api.MountInput{Type: "kv"})
			},
			"widening its own policy": func() error {
				return vault.Sys().PutPolicyWithContext(t.Context(), "ejustice-operator", `path "*" { capabilities = ["sudo"] }`)
			},
			"widening its own role": func() error {
				_, err := vault.Logical().WriteWithContext(t.Context(), "auth/kubernetes/role/ejustice-operator", map[string]any{"token_policies": []string{"root"}})
				return err
			},
			"turning off the audit log": func() error { return vault.Sys().DisableAuditWithContext(t.Context(), "stdout") },
		}
		for what, attempt := range attempts {
			if err := attempt(); !refused(err) {
				t.Errorf("%s was not refused: %v", what, err)
			}
		}
	})

	t.Run("a killed server heals by itself", func(t *testing.T) {
		var before, after corev1.Pod
		server := client.ObjectKey{Namespace: "vault", Name: "vault-0"}
		if err := cluster.Get(t.Context(), server, &before); err != nil {
			t.Fatal(err)
		}
		if err := cluster.Delete(t.Context(), before.DeepCopy(), client.GracePeriodSeconds(0)); err != nil {
			t.Fatal(err)
		}
		await(t, "another Vault signs in", 2*time.Minute, func(ctx context.Context) (bool, error) {
			if err := cluster.Get(ctx, server, &after); err != nil || after.UID == before.UID {
				return false, err
			}
			_, err := signIn(t, operatorToken(t, "vault"))
			return err == nil, err
		})
	})
}

// TestCertificates issues a certificate the way a tenant's public side will.
func TestCertificates(t *testing.T) {
	certificate := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "cert-manager.io/v1", "kind": "Certificate",
		"metadata": map[string]any{"name": "e2e", "namespace": "default"},
		"spec": map[string]any{
			"secretName": "e2e-certificate", "dnsNames": []any{"justice.ps.example"},
			"issuerRef": map[string]any{"kind": "ClusterIssuer", "name": "demo-public"},
		},
	}}
	if err := client.IgnoreNotFound(cluster.Delete(t.Context(), certificate.DeepCopy())); err != nil {
		t.Fatal(err)
	}
	if err := cluster.Client.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(certificate.DeepCopy()), tenant.Owner, client.ForceOwnership); err != nil {
		t.Fatal(err)
	}
	await(t, "the certificate is issued", time.Minute, func(ctx context.Context) (bool, error) {
		return conditionReady(ctx, certificate)
	})
}

func signIn(t *testing.T, token string) (*api.Client, error) {
	t.Helper()
	vault := vaultClient(t)
	secret, err := vault.Logical().WriteWithContext(t.Context(), "auth/kubernetes/login", map[string]any{"role": "ejustice-operator", "jwt": token})
	if err != nil {
		return nil, err
	}
	vault.SetToken(secret.Auth.ClientToken)
	return vault, nil
}

// operatorToken has the apiserver make a token of the operator's ServiceAccount
// for one audience; empty means the apiserver itself.
func operatorToken(t *testing.T, audience string) string {
	t.Helper()
	clientset, err := kubernetes.NewForConfig(cluster.Config)
	if err != nil {
		t.Fatal(err)
	}
	request := &authenticationv1.TokenRequest{}
	if audience != "" {
		request.Spec.Audiences = []string{audience}
	}
	made, err := clientset.CoreV1().ServiceAccounts(operatorNamespace).CreateToken(t.Context(), "ejustice-operator", request, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return made.Status.Token
}

// refused tells Vault's "you may not" from every other failure.
func refused(err error) bool {
	var answer *api.ResponseError
	return errors.As(err, &answer) && answer.StatusCode == 403
}
