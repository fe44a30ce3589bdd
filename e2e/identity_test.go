//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/pquerna/otp/totp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/hack/tenant"
)

// TestIdentity installs the identity module as ministry IT does, and signs in as the first
// administrator: with the one-time credential that is in Vault, which the first use replaces, and
// then with a second factor.
func TestIdentity(t *testing.T) {
	jt := secretsTenant(t)
	namespace := v1alpha1.NamespaceFor(jt.Name)
	var installed v1alpha1.CourtModule
	if err := tenant.Read("config/samples/identity-module.yaml", &installed); err != nil {
		t.Fatal(err)
	}
	installed.Namespace = namespace
	apply(t, &installed)
	awaitModuleReady(t, client.ObjectKeyFromObject(&installed))

	v := newVisitor(t, namespace)
	v.get("/identity/.well-known/openid-configuration")
	var discovered struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := json.Unmarshal([]byte(v.body), &discovered); err != nil || discovered.Issuer != "https://"+jt.Spec.Domain+"/identity" {
		t.Fatalf("issuer %q, %v", discovered.Issuer, err)
	}
	keys, err := url.Parse(discovered.Keys)
	if err != nil {
		t.Fatal(err)
	}
	v.get(keys.Path)
	v.mustShow(`"kty":"EC"`)

	secret := asRoot(t, func(root *api.Client) (*api.Secret, error) {
		return root.Logical().ReadWithContext(t.Context(), "tenants/"+jt.Name+"/kv/data/identity/first-administrator")
	})
	first, _ := secret.Data["data"].(map[string]any)
	credential, _ := first["credential"].(string)
	login, _ := first["login"].(string)
	if credential == "" {
		t.Fatal("Vault holds no credential")
	}

	const password = "an example of a long password"
	v.get("/identity/")
	v.mustShow("Sign in")
	v.send("login", login, "password", "wrong "+credential)
	v.mustShow("Error: Sign in")
	v.send("login", login, "password", credential)
	v.mustShow("Choose a password")
	v.send("password", password, "again", password)
	v.mustShow("Set up a second factor")
	found := regexp.MustCompile(`<bdi dir="ltr">([A-Z2-7]{4}(-[A-Z2-7]{4}){7})</bdi>`).FindStringSubmatch(v.body)
	if found == nil {
		t.Fatalf("no key for an authenticator is shown:\n%s", v.body)
	}
	code, err := totp.GenerateCode(strings.ReplaceAll(found[1], "-", ""), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	v.send("code", code)
	v.mustShow("Your recovery codes")
	v.get("/identity/")
	v.mustShow(`id="sessions"`)

	// The credential has been used; the password alone is not enough.
	other := newVisitor(t, namespace)
	other.get("/identity/")
	other.send("login", login, "password", credential)
	other.mustShow("Error: Sign in")
	other.send("login", login, "password", password)
	other.mustShow("Code")
	other.get("/identity/")
	if strings.Contains(other.body, `id="sessions"`) {
		t.Error("a password alone signs an administrator in")
	}
}

func awaitModuleReady(t *testing.T, key client.ObjectKey) {
	t.Helper()
	await(t, "module "+key.Name+" is Ready", readyWithin, func(ctx context.Context) (bool, error) {
		var m v1alpha1.CourtModule
		if err := cluster.Get(ctx, key, &m); err != nil {
			return false, err
		}
		ready := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil || ready.ObservedGeneration != m.Generation {
			return false, nil
		}
		if ready.Status != metav1.ConditionTrue {
			return false, errors.New(ready.Message)
		}
		return true, nil
	})
}

// visitor is a person's browser at a tenant's front door, without JavaScript.
type visitor struct {
	t    *testing.T
	http *http.Client
	base string
	at   *url.URL
	body string
}

func newVisitor(t *testing.T, namespace string) *visitor {
	t.Helper()
	door, end, err := cluster.FrontDoor(t.Context(), namespace)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	if door.HTTP.Jar, err = cookiejar.New(nil); err != nil {
		t.Fatal(err)
	}
	return &visitor{t: t, http: door.HTTP, base: door.BaseURL}
}

func (v *visitor) get(path string) {
	v.t.Helper()
	request, err := http.NewRequestWithContext(v.t.Context(), http.MethodGet, v.base+path, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	v.do(request)
}

var formToken = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// send fills in the form of the open page.
func (v *visitor) send(fields ...string) {
	v.t.Helper()
	values := url.Values{}
	if token := formToken.FindStringSubmatch(v.body); token != nil {
		values.Set("csrf", token[1])
	}
	for i := 0; i+1 < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	request, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, v.at.String(), strings.NewReader(values.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	v.do(request)
}

func (v *visitor) do(request *http.Request) {
	v.t.Helper()
	request.Header.Set("Accept-Language", "en")
	response, err := v.http.Do(request)
	if err != nil {
		v.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	v.at, v.body = response.Request.URL, string(content)
}

func (v *visitor) mustShow(words string) {
	v.t.Helper()
	if !strings.Contains(v.body, words) {
		v.t.Fatalf("%s does not show %q:\n%s", v.at, words, v.body)
	}
}
