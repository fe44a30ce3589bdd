//go:build e2e

package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/hack/tenant"
	localvault "ejustice.dev/operator/hack/vault"
	"github.com/hashicorp/vault/api"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// secretsTenantName is the tenant that the tests of secrets and certificates share; TestMain
// removes it.
const secretsTenantName = "e2e-secrets"

func secretsTenant(t *testing.T) *v1alpha1.JusticeTenant {
	t.Helper()
	jt := sample(t, secretsTenantName)
	jt.Spec.Domain = "secrets.justice.example"
	provision(t, jt)
	return jt
}

// TestMutualTLS calls the case-management module as a peer: only the one that its chart lets in
// is answered.
func TestMutualTLS(t *testing.T) {
	jt := secretsTenant(t)
	namespace := v1alpha1.NamespaceFor(jt.Name)
	door, database := secretNamed(t, namespace, "frontdoor-tls"), secretNamed(t, namespace, "database-tls")
	stranger := strangersCertificate(t, namespace)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(door.Data["ca.crt"])
	certificate := func(s *corev1.Secret) []tls.Certificate {
		return []tls.Certificate{pairOf(t, s.Data["tls.crt"], s.Data["tls.key"])}
	}
	config := func(certificates []tls.Certificate) *tls.Config {
		return &tls.Config{RootCAs: roots, ServerName: module + "." + namespace + ".svc", Certificates: certificates}
	}
	old := config(certificate(door))
	old.MaxVersion = tls.VersionTLS12
	for name, test := range map[string]struct {
		config *tls.Config
		port   int
		path   string
		served bool
	}{
		"the front door":                          {config(certificate(door)), 8443, "/api/v1/courts", true},
		"nobody":                                  {config(nil), 8443, "/api/v1/courts", false},
		"the database's certificate":              {config(certificate(database)), 8443, "/api/v1/courts", false},
		"a module that is not on the list":        {config(certificate(stranger)), 8443, "/api/v1/courts", false},
		"the right name by another authority":     {config([]tls.Certificate{foreignCertificate(t, "frontdoor."+namespace+".svc")}), 8443, "/api/v1/courts", false},
		"the front door in an old version of TLS": {old, 8443, "/api/v1/courts", false},
		"a probe":                                {config(nil), 8081, "/readyz", true},
		"data on the probes' port":               {config(nil), 8081, "/api/v1/courts", false},
		"metrics on the port for the front door": {config(certificate(door)), 8443, "/metrics", false},
		"metrics on the port of their own":       {config(nil), 8081, "/metrics", true},
	} {
		t.Run(name, func(t *testing.T) {
			code, err := callModule(t, namespace, test.port, test.path, test.config)
			if served := err == nil && code == http.StatusOK; served != test.served {
				t.Errorf("status %d, error %v; want it served: %t", code, err, test.served)
			}
			if !test.served && err == nil && code != http.StatusNotFound {
				t.Errorf("status %d: a stranger must not get as far as an answer", code)
			}
		})
	}
}

// foreignCertificate is signed by an authority that is not the tenant's.
func foreignCertificate(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func callModule(t *testing.T, namespace string, port int, path string, config *tls.Config) (int, error) {
	t.Helper()
	pod, err := cluster.ReadyPod(t.Context(), namespace, module)
	if err != nil {
		t.Fatal(err)
	}
	address, end, err := cluster.Tunnel(t.Context(), namespace, pod.Name, port)
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	caller := &http.Client{Transport: &http.Transport{TLSClientConfig: config}, Timeout: 10 * time.Second}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := caller.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

// strangersCertificate has the tenant's own authority sign for a module that does not exist, which
// only the cluster's administrator may ask for.
func strangersCertificate(t *testing.T, namespace string) *corev1.Secret {
	t.Helper()
	certificate := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "cert-manager.io/v1", "kind": "Certificate",
		"metadata": map[string]any{"name": "stranger", "namespace": namespace},
		"spec": map[string]any{
			"secretName": "stranger-tls", "dnsNames": []any{"stranger." + namespace + ".svc"}, "duration": "1h",
			"usages":     []any{"digital signature", "client auth"},
			"privateKey": map[string]any{"algorithm": "ECDSA", "size": int64(256)},
			"issuerRef":  map[string]any{"kind": "Issuer", "name": "modules"},
		},
	}}
	if err := cluster.Client.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(certificate.DeepCopy()), tenant.Owner, client.ForceOwnership); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cluster.Delete(context.Background(), certificate) })
	await(t, "the stranger has a certificate", time.Minute, func(ctx context.Context) (bool, error) { return conditionReady(ctx, certificate) })
	return secretNamed(t, namespace, "stranger-tls")
}

func secretNamed(t *testing.T, namespace, name string) *corev1.Secret {
	t.Helper()
	var secret corev1.Secret
	if err := cluster.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, &secret); err != nil {
		t.Fatal(err)
	}
	return &secret
}

// TestVaultWalls signs in to Vault as a tenant's accounts and tries what is not theirs.
func TestVaultWalls(t *testing.T) {
	jt := secretsTenant(t)
	namespace := v1alpha1.NamespaceFor(jt.Name)
	own, role := "tenants/"+jt.Name, "tenant-"+jt.Name+"."
	asModule, err := signInAs(t, role+module, vaultToken(t, namespace, module))
	if err != nil {
		t.Fatalf("the module cannot sign in: %v", err)
	}
	secret, err := asModule.Logical().WriteWithContext(t.Context(), own+"/transit/datakey/plaintext/"+module, nil)
	if err != nil || secret.Data["ciphertext"] == nil {
		t.Fatalf("the module cannot use its own key: %v", err)
	}

	other := otherTenantInVault(t)
	for name, attempt := range map[string]struct{ role, account string }{
		"as another tenant's module":         {other, module},
		"as the account for certificates":    {role + "certificates", module},
		"as the operator":                    {"ejustice-operator", module},
		"as the owner of its database":       {role + module + ".migrate", module},
		"as the module, by another account":  {role + module, "default"},
		"as the module, by the database's":   {role + module, "database"},
		"as the module, by the front door's": {role + module, "frontdoor"},
	} {
		t.Run("sign in "+name, func(t *testing.T) {
			if _, err := signInAs(t, attempt.role, vaultToken(t, namespace, attempt.account)); !denied(err) {
				t.Errorf("err = %v, want it refused", err)
			}
		})
	}
	for name, attempt := range map[string]struct {
		write bool
		path  string
	}{
		"users of another tenant's database": {false, "tenants/e2e-other/database/creds/" + module},
		"another tenant's key":               {true, "tenants/e2e-other/transit/decrypt/" + module},
		"another tenant's secrets":           {false, "tenants/e2e-other/kv/data/" + module + "/x"},
		"another module's key":               {true, own + "/transit/decrypt/reporting"},
		"another module's users":             {false, own + "/database/creds/reporting"},
		"users that own its own database":    {false, own + "/database/creds/" + module + ".migrate"},
		"the key itself":                     {false, own + "/transit/export/encryption-key/" + module},
		"rotating the key":                   {true, own + "/transit/keys/" + module + "/rotate"},
		"how Vault reaches the database":     {false, own + "/database/config/database"},
		"a certificate of Vault's":           {true, own + "/pki/issue/vault"},
		"a certificate of a module":          {true, own + "/pki/sign/modules"},
		"mounts":                             {false, "sys/mounts"},
		"its own policy":                     {true, "sys/policies/acl/" + role + module},
		"a token without end":                {true, "auth/token/create"},
	} {
		t.Run("use "+name, func(t *testing.T) {
			var err error
			if attempt.write {
				_, err = asModule.Logical().WriteWithContext(t.Context(), attempt.path, map[string]any{"ciphertext": "vault:v1:AAAA"})
			} else {
				_, err = asModule.Logical().ReadWithContext(t.Context(), attempt.path)
			}
			if !refused(err) {
				t.Errorf("err = %v, want it forbidden", err)
			}
		})
	}
}

// otherTenantInVault makes the role by which another tenant's module would sign in.
func otherTenantInVault(t *testing.T) string {
	t.Helper()
	const name = "tenant-e2e-other." + module
	asRoot(t, func(root *api.Client) (*api.Secret, error) {
		return root.Logical().WriteWithContext(t.Context(), "auth/kubernetes/role/"+name, map[string]any{
			"bound_service_account_names": []string{module}, "bound_service_account_namespaces": []string{"justice-e2e-other"},
			"audience": "vault", "token_policies": []string{name},
		})
	})
	t.Cleanup(func() {
		asRootCtx(t, context.Background(), func(root *api.Client) (*api.Secret, error) {
			return root.Logical().Delete("auth/kubernetes/role/" + name)
		})
	})
	return name
}

// denied is a refused sign-in: forbidden, or a role that does not exist or is not for one.
func denied(err error) bool {
	var answer *api.ResponseError
	return errors.As(err, &answer) && (answer.StatusCode == http.StatusForbidden || answer.StatusCode == http.StatusBadRequest)
}

func signInAs(t *testing.T, role, token string) (*api.Client, error) {
	t.Helper()
	vault := vaultClient(t)
	secret, err := vault.Logical().WriteWithContext(t.Context(), "auth/kubernetes/login", map[string]any{"role": role, "jwt": token})
	if err != nil {
		return nil, err
	}
	vault.SetToken(secret.Auth.ClientToken)
	t.Cleanup(func() { _ = vault.Auth().Token().RevokeSelf("") })
	return vault, nil
}

func vaultClient(t *testing.T) *api.Client {
	t.Helper()
	config := api.DefaultConfig() // reads VAULT_ADDR and VAULT_CACERT
	if config.Error != nil {
		t.Fatal(config.Error)
	}
	config.MaxRetries = 0
	vault, err := api.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	vault.ClearToken()
	return vault
}

func vaultToken(t *testing.T, namespace, account string) string {
	t.Helper()
	clientset, err := kubernetes.NewForConfig(cluster.Config)
	if err != nil {
		t.Fatal(err)
	}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: []string{"vault"}}}
	made, err := clientset.CoreV1().ServiceAccounts(namespace).CreateToken(t.Context(), account, request, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return made.Status.Token
}

// asRoot does in Vault what only its administrator may.
func asRoot(t *testing.T, do func(*api.Client) (*api.Secret, error)) *api.Secret {
	t.Helper()
	return asRootCtx(t, t.Context(), do)
}

func asRootCtx(t *testing.T, ctx context.Context, do func(*api.Client) (*api.Secret, error)) (secret *api.Secret) {
	t.Helper()
	err := localVault(t).AsRoot(ctx, func(root *api.Client) (err error) {
		secret, err = do(root)
		return err
	})
	if err != nil {
		t.Fatalf("as Vault's administrator: %v", err)
	}
	return secret
}

func localVault(t *testing.T) localvault.Local {
	t.Helper()
	folder := os.Getenv("EJUSTICE_VAULT")
	if folder == "" {
		t.Fatal("EJUSTICE_VAULT must name the folder with the unseal key of the cluster's Vault")
	}
	return localvault.Local(folder)
}

// rootToken lasts until the test ends.
func rootToken(t *testing.T) string {
	t.Helper()
	token, err := localVault(t).RootToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		vault := vaultClient(t)
		vault.SetToken(token)
		_ = vault.Auth().Token().RevokeSelf("")
	})
	return token
}

// lookup asks Vault whether the value is a token.
func lookup(t *testing.T, value string) error {
	t.Helper()
	if strings.ContainsAny(value, "\n\r \x00") || strings.IndexFunc(value, func(r rune) bool { return r < 33 || r > 126 }) >= 0 {
		return fmt.Errorf("no token has such characters")
	}
	vault := vaultClient(t)
	vault.SetToken(value)
	_, err := vault.Auth().Token().LookupSelfWithContext(t.Context())
	return err
}
