// Package samples_test keeps the sample manifests and filings true: they load
// without an unknown field and fit together.
package samples_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/modules/casemanagement"
	"ejustice.dev/operator/modules/identity"
)

// countries are the complete samples, each with filings in cases/<name>.json.
var countries = []string{"cote-divoire", "palestine", "saint-lucia"}

// settings are the values of casemanagement that the checks below look at.
type settings struct {
	Courts    []casemanagement.Court    `json:"courts"`
	CaseTypes []casemanagement.CaseType `json:"caseTypes"`
}

// filings is a file of cases/. A case is the body of POST /api/v1/cases, with a
// document's text instead of its base64, and whether the demo also registers it.
type filings struct {
	Tenant string   `json:"tenant"`
	Cases  []filing `json:"cases"`
}

type filing struct {
	CourtCode string                 `json:"courtCode"`
	CaseType  string                 `json:"caseType"`
	Title     string                 `json:"title"`
	Parties   []casemanagement.Party `json:"parties"`
	Documents []document             `json:"documents"`
	FiledOn   string                 `json:"filedOn"`
	Register  *bool                  `json:"register"`
}

type document struct {
	Name        string `json:"name"`
	MediaType   string `json:"mediaType"`
	ContentText string `json:"contentText"`
}

var (
	partyRoles = []string{"claimant", "defendant", "prosecutor", "accused", "applicant", "respondent", "other"}
	partyKinds = []string{"person", "organisation"}
	// fictitious marks an invented name, in each language of the samples.
	fictitious = regexp.MustCompile(`\((fictitious|fictif|اسم خيالي)\)$`)
)

func TestEveryManifestLoads(t *testing.T) {
	files, err := filepath.Glob("*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < len(countries) {
		t.Fatalf("found only %v", files)
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			var kind metav1.TypeMeta
			if err := yaml.Unmarshal(read(t, file), &kind); err != nil {
				t.Fatal(err)
			}
			if kind.APIVersion != v1alpha1.GroupVersion.String() {
				t.Errorf("apiVersion is %q", kind.APIVersion)
			}
			switch kind.Kind {
			case "JusticeTenant":
				checkTenant(t, loadTenant(t, file))
			case "CourtModule":
				checkModule(t, file)
			default:
				t.Errorf("unexpected kind %q", kind.Kind)
			}
		})
	}
}

func TestCountriesAreComplete(t *testing.T) {
	for _, country := range countries {
		t.Run(country, func(t *testing.T) {
			tenant := loadTenant(t, country+".yaml")
			spec := tenant.Spec
			if tenant.Name != country {
				t.Errorf("metadata.name is %q", tenant.Name)
			}
			if spec.DeletionPolicy != v1alpha1.DeletionRetain {
				t.Error("a sample must not teach people to delete data")
			}
			if spec.Backup == nil || len(spec.MaintenanceWindows) == 0 || spec.Residency == nil {
				t.Error("backup, maintenanceWindows and residency must be shown")
			}
			if !slices.Contains(tenant.Jurisdictions(), string(spec.Country)) {
				t.Error("the country itself must be among its jurisdictions")
			}
			if len(loadSettings(t, tenant).Courts) < 5 {
				t.Error("a country has more courts than this")
			}
			if !bytes.Contains(read(t, country+".yaml"), []byte("No native lawyer has reviewed")) {
				t.Error("the manifest must say that no native lawyer has reviewed it")
			}
		})
	}
}

func checkTenant(t *testing.T, tenant v1alpha1.JusticeTenant) {
	t.Helper()
	if _, err := time.LoadLocation(tenant.Spec.TimeZone); err != nil {
		t.Error(err)
	}
	// A sample may be applied by anybody: its address must lead nowhere.
	if !strings.HasSuffix(tenant.Spec.Domain, ".example") {
		t.Errorf("domain %q is not reserved for examples", tenant.Spec.Domain)
	}
	for _, language := range tenant.Spec.Languages {
		if tenant.Spec.DisplayNames[string(language)] == "" {
			t.Errorf("displayNames lacks %q", language)
		}
	}
	loadSettings(t, tenant)
}

// checkValues runs the values through what they meet in a cluster: the schema of
// the module's chart, then the module's own reading of its configuration. On top
// of both, a sample has a name for everything in each language of its tenant.
func checkValues(t *testing.T, tenant v1alpha1.JusticeTenant, values map[string]apiextensionsv1.JSON) settings {
	t.Helper()
	raw, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	checkSchema(t, "casemanagement", tenant, raw)
	checkReading(t, tenant, raw, func(file string) error {
		_, err := casemanagement.ReadSettings(file)
		return err
	})
	var s settings
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	for _, c := range s.CaseTypes {
		checkNames(t, c.Code, c.Names, tenant.Spec.Languages)
		if !slices.ContainsFunc(s.Courts, func(court casemanagement.Court) bool { return slices.Contains(court.CaseTypes, c.Code) }) {
			t.Errorf("case type %s is heard by no court", c.Code)
		}
	}
	for _, c := range s.Courts {
		checkNames(t, c.Code, c.Names, tenant.Spec.Languages)
	}
	return s
}

// checkSchema does what Helm does before it installs a chart.
func checkSchema(t *testing.T, module string, tenant v1alpha1.JusticeTenant, raw []byte) {
	t.Helper()
	chart, err := loader.Load("../../charts/" + module)
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := json.Unmarshal(raw, &values); err != nil {
		t.Fatal(err)
	}
	values["platform"] = map[string]any{
		"tenant":   platformTenant(tenant),
		"module":   map[string]any{"name": module, "version": string(tenant.Spec.Release)},
		"images":   map[string]any{module: "registry.example/" + module + "@sha256:" + strings.Repeat("0", 64)},
		"database": map[string]any{"host": "database-rw", "port": 5432, "name": module, "sslMode": "verify-full", "runtimeRole": module + ".app"},
		"vault": map[string]any{"address": "https://vault", "port": 8200, "loginPath": "auth/kubernetes/login",
			"role": "r", "audience": "vault", "mount": "tenants/" + tenant.Name,
			"migration": map[string]any{"role": "r.migrate", "audience": "vault-migrate", "name": module + ".migrate"}},
		"tls":       map[string]any{"secretName": module + "-tls"},
		"placement": map[string]any{"jurisdictions": toAny(tenant.Jurisdictions())},
	}
	if err := chartutil.ValidateAgainstSchema(chart, values); err != nil {
		t.Error(err)
	}
}

// checkReading lets the module read the configuration that its chart would write.
func checkReading(t *testing.T, tenant v1alpha1.JusticeTenant, raw []byte, read func(file string) error) {
	t.Helper()
	var config map[string]any
	if err := json.Unmarshal(raw, &config); err != nil {
		t.Fatal(err)
	}
	config["tenant"] = platformTenant(tenant)
	content, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := read(file); err != nil {
		t.Error(err)
	}
}

// platformTenant is what the operator tells a module about its tenant.
func platformTenant(tenant v1alpha1.JusticeTenant) map[string]any {
	names := map[string]any{}
	for language, name := range tenant.Spec.DisplayNames {
		names[language] = string(name)
	}
	return map[string]any{
		"name": tenant.Name, "country": string(tenant.Spec.Country), "languages": toAny(tenant.Spec.Languages),
		"timeZone": tenant.Spec.TimeZone, "domain": tenant.Spec.Domain, "displayNames": names,
	}
}

func toAny[T ~string](list []T) []any {
	out := make([]any, 0, len(list))
	for _, item := range list {
		out = append(out, string(item))
	}
	return out
}

func checkNames(t *testing.T, code string, names map[string]string, languages []v1alpha1.LanguageTag) {
	t.Helper()
	if len(names) != len(languages) {
		t.Errorf("%s has names in %d languages, the tenant has %d", code, len(names), len(languages))
	}
	for _, language := range languages {
		if strings.TrimSpace(names[string(language)]) == "" {
			t.Errorf("%s has no name in %q", code, language)
		}
	}
}

func checkModule(t *testing.T, file string) {
	t.Helper()
	var module v1alpha1.CourtModule
	if err := yaml.UnmarshalStrict(read(t, file), &module); err != nil {
		t.Fatal(err)
	}
	if module.Name != string(module.Spec.Module) {
		t.Errorf("metadata.name %q must equal spec.module %q", module.Name, module.Spec.Module)
	}
	name, found := strings.CutPrefix(module.Namespace, v1alpha1.NamespaceFor(""))
	if !found {
		t.Fatalf("namespace %q is no tenant's", module.Namespace)
	}
	tenant := loadTenant(t, name+".yaml")
	if module.Name == "identity" {
		checkIdentity(t, tenant, module.Spec.Values)
		return
	}
	checkValues(t, tenant, module.Spec.Values)
}

// checkIdentity runs the values of the identity module through the same, and its courts are the
// tenant's.
func checkIdentity(t *testing.T, tenant v1alpha1.JusticeTenant, values map[string]apiextensionsv1.JSON) {
	t.Helper()
	all := map[string]any{}
	raw, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	checkSchema(t, "identity", tenant, raw)
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	all["issuer"] = "https://" + tenant.Spec.Domain + "/identity" // as the chart does
	if raw, err = json.Marshal(all); err != nil {
		t.Fatal(err)
	}
	var read *identity.Settings
	checkReading(t, tenant, raw, func(file string) (err error) {
		read, err = identity.ReadSettings(file)
		return err
	})
	known := loadSettings(t, tenant).Courts
	for _, c := range read.Courts {
		checkNames(t, c.Code, c.Names, tenant.Spec.Languages)
		if !slices.ContainsFunc(known, func(court casemanagement.Court) bool { return court.Code == c.Code }) {
			t.Errorf("court %s is not the tenant's", c.Code)
		}
	}
}

func TestFilingsFitTheirTenant(t *testing.T) {
	for _, country := range countries {
		t.Run(country, func(t *testing.T) {
			tenant := loadTenant(t, country+".yaml")
			courts := map[string]casemanagement.Court{}
			for _, c := range loadSettings(t, tenant).Courts {
				courts[c.Code] = c
			}
			var file filings
			strict(t, read(t, filepath.Join("cases", country+".json")), &file)
			if file.Tenant != country {
				t.Errorf("tenant is %q", file.Tenant)
			}
			if n := len(file.Cases); n < 8 || n > 12 {
				t.Errorf("%d cases, want 8 to 12", n)
			}
			registered := 0
			for _, f := range file.Cases {
				t.Run(f.Title, func(t *testing.T) { checkFiling(t, f, courts) })
				if f.Register != nil && *f.Register {
					registered++
				}
			}
			if registered == 0 || registered == len(file.Cases) {
				t.Errorf("%d of %d are registered, want some but not all", registered, len(file.Cases))
			}
		})
	}
}

func checkFiling(t *testing.T, f filing, courts map[string]casemanagement.Court) {
	t.Helper()
	c, found := courts[f.CourtCode]
	if !found {
		t.Errorf("no court %q", f.CourtCode)
	}
	if !slices.Contains(c.CaseTypes, f.CaseType) {
		t.Errorf("court %s does not hear %q", f.CourtCode, f.CaseType)
	}
	if strings.TrimSpace(f.Title) == "" || f.Register == nil {
		t.Error("title and register are required")
	}
	if f.FiledOn != "" {
		if _, err := time.Parse(time.DateOnly, f.FiledOn); err != nil {
			t.Error(err)
		}
	}
	if len(f.Parties) < 2 {
		t.Error("a case has two sides")
	}
	for _, p := range f.Parties {
		checkParty(t, p)
	}
	if len(f.Documents) == 0 {
		t.Error("a case needs a document")
	}
	for _, d := range f.Documents {
		if d.Name == "" || d.MediaType == "" || len(d.ContentText) < 100 {
			t.Errorf("document %q needs a name, a media type and real content", d.Name)
		}
	}
}

func checkParty(t *testing.T, p casemanagement.Party) {
	t.Helper()
	if !slices.Contains(partyRoles, p.Role) || !slices.Contains(partyKinds, p.Kind) {
		t.Errorf("party %q: unknown role %q or kind %q", p.Name, p.Role, p.Kind)
	}
	// The prosecution is a public office and keeps its real name.
	if p.Role != "prosecutor" && !fictitious.MatchString(p.Name) {
		t.Errorf("party %q is not marked as fictitious", p.Name)
	}
	for _, name := range []string{p.LatinName, p.RepresentedBy} {
		if name != "" && !fictitious.MatchString(name) {
			t.Errorf("%q is not marked as fictitious", name)
		}
	}
}

func loadTenant(t *testing.T, file string) v1alpha1.JusticeTenant {
	t.Helper()
	var tenant v1alpha1.JusticeTenant
	if err := yaml.UnmarshalStrict(read(t, file), &tenant); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return tenant
}

// loadSettings checks and returns what the tenant configures casemanagement with.
func loadSettings(t *testing.T, tenant v1alpha1.JusticeTenant) settings {
	t.Helper()
	for _, module := range tenant.Spec.Modules {
		if module.Name == "casemanagement" {
			return checkValues(t, tenant, module.Values)
		}
	}
	t.Fatal("the tenant does not list casemanagement")
	return settings{}
}

// strict decodes JSON and refuses a field that into does not have.
func strict(t *testing.T, raw []byte, into any) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
