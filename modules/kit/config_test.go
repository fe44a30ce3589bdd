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
		"DATABASE_HOST": "db", "DATABASE_NAME": "n", "DATABASE_USER": "u", "DATABASE_PASSWORD_FILE": "/p",
		"TLS_DIR": "/tls", "TLS_CLIENTS": "a.justice-x.svc, b.justice-x.svc",
	}
	env, err := kit.ReadEnv(func(name string) string { return full[name] })
	if err != nil {
		t.Fatal(err)
	}
	want := kit.Env{
		Serving: kit.Serving{ListenAddress: ":8443", HealthAddress: ":8081", TLSDir: "/tls",
			TLSClients: []string{"a.justice-x.svc", "b.justice-x.svc"}, ConfigFile: "/etc/ejustice/config.json"},
		Database: kit.Database{Host: "db", Port: 5432, Name: "n", User: "u", SSLMode: "require", PasswordFile: "/p"}}
	if !reflect.DeepEqual(env, want) {
		t.Errorf("got %+v, want %+v", env, want)
	}
	_, err = kit.ReadEnv(func(name string) string { return map[string]string{"DATABASE_PORT": "x"}[name] })
	for _, name := range []string{"DATABASE_HOST", "DATABASE_NAME", "DATABASE_USER", "DATABASE_PASSWORD_FILE", "DATABASE_PORT", "TLS_DIR"} {
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
