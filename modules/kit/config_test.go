package kit_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"ejustice.dev/operator/modules/kit"
)

func TestReadEnv(t *testing.T) {
	full := map[string]string{
		"TLS_DIR": "/tls", "TLS_CLIENTS": "a.justice-x.svc, b.justice-x.svc",
		"DATABASE_HOST": "db", "DATABASE_NAME": "n", "DATABASE_ROOT_CERT": "/ca",
		"VAULT_ADDR": "https://v", "VAULT_LOGIN_PATH": "auth/jwt/login", "VAULT_ROLE": "r", "VAULT_JWT_FILE": "/t",
		"VAULT_MOUNT": "tenants/x", "VAULT_NAME": "m",
	}
	read := func() (kit.Env, error) { return kit.ReadEnv(func(name string) string { return full[name] }) }
	env, err := read()
	if err != nil {
		t.Fatal(err)
	}
	want := kit.Env{
		Serving: kit.Serving{ListenAddress: ":8443", HealthAddress: ":8081", TLSDir: "/tls",
			TLSClients: []string{"a.justice-x.svc", "b.justice-x.svc"}, ConfigFile: "/etc/ejustice/config.json"},
		Store: kit.Store{
			Database: kit.Database{Host: "db", Port: 5432, Name: "n", SSLMode: "verify-full", RootCert: "/ca"},
			Vault:    kit.VaultSettings{Address: "https://v", LoginPath: "auth/jwt/login", Role: "r", JWTFile: "/t", Mount: "tenants/x", Name: "m"}}}
	if !reflect.DeepEqual(env, want) {
		t.Errorf("got %+v, want %+v", env, want)
	}
	full["DATABASE_SSLMODE"] = "require"
	if _, err := read(); err == nil || !strings.Contains(err.Error(), "verify-full") {
		t.Errorf("an authority that nothing is checked against: %v", err)
	}
	_, err = kit.ReadEnv(func(name string) string { return map[string]string{"DATABASE_PORT": "x"}[name] })
	for _, name := range []string{"DATABASE_HOST", "DATABASE_NAME", "DATABASE_PORT", "VAULT_ADDR", "VAULT_LOGIN_PATH", "VAULT_ROLE", "VAULT_JWT_FILE", "VAULT_MOUNT", "VAULT_NAME", "TLS_DIR"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error does not name %s: %v", name, err)
		}
	}
}

func TestReadConfigNamesFileAndField(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(file, []byte(`{"titel":"x"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	err := kit.ReadConfig(file, &input{})
	if err == nil || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "titel") {
		t.Errorf("error = %v", err)
	}
	if err := kit.ReadConfig(file+".not", &input{}); err == nil {
		t.Error("a missing file must be an error")
	}
}

func TestTenantValidate(t *testing.T) {
	var errs kit.FieldErrors
	tenant.Validate(&errs)
	if len(errs) != 0 {
		t.Errorf("a good tenant has faults: %v", errs)
	}
	kit.Tenant{Country: "ps", Languages: []string{"!"}, TimeZone: "Mars/Olympus"}.Validate(&errs)
	for _, field := range []string{"tenant.name", "tenant.country", "tenant.languages[0]", "tenant.timeZone", "tenant.displayNames"} {
		if !strings.Contains(errs.Error(), field) {
			t.Errorf("faults do not name %s: %v", field, errs)
		}
	}
}
