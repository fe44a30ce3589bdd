package controllers

import (
	"context"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

const validTenant = `
apiVersion: ejustice.dev/v1alpha1
kind: JusticeTenant
metadata: {name: valid}
spec:
  country: PS
  displayNames: {ar: محاكم, en: Courts}
  languages: [ar, en]
  timeZone: Asia/Hebron
  domain: justice.ps.example
  residency: {jurisdictions: [PS]}
  release: 0.1.0
  modules:
    - name: casemanagement
      version: 0.1.0
      replicas: 2
      resources: {requests: {cpu: 1, memory: 64Mi}, limits: {memory: 1Gi}}
      values: {greeting: hi}
  identity: {issuerURL: "https://login.justice.ps.example"}
  database: {instances: 1, storage: 5Gi, resources: {requests: {cpu: 100m}}}
  backup: {schedule: "*/15 2,14 1-15 * 1-5", retentionDays: 30}
  maintenanceWindows: [{days: [Friday, Saturday], start: "22:00", duration: 1h30m}]
  quota: {cpu: 4, memory: 8Gi, storage: 50Gi, pods: 40}
  deletionPolicy: Retain
`

const validModule = `
apiVersion: ejustice.dev/v1alpha1
kind: CourtModule
metadata: {name: casemanagement, namespace: default}
spec: {module: casemanagement, version: 0.2.0, values: {greeting: hi}}
`

const validCatalog = `
apiVersion: ejustice.dev/v1alpha1
kind: ModuleCatalog
metadata: {name: 5.0.0}
spec:
  modules:
    - name: casemanagement
      version: 5.0.0
      chart: {ref: "oci://registry.example.org:5000/charts/casemanagement", digest: "sha256:0000000000000000000000000000000000000000000000000000000000000000"}
      images: [{name: casemanagement, ref: "registry.example.org:5000/casemanagement@sha256:0000000000000000000000000000000000000000000000000000000000000000"}]
      schemaVersion: 1
      upgradableFrom: [4.0.0]
`

// set changes one field, given as dots and indexes: spec.modules.0.name.
func set(t *testing.T, object map[string]any, path, value string) {
	t.Helper()
	var parsed any
	if err := yaml.Unmarshal([]byte(value), &parsed); err != nil {
		t.Fatal(err)
	}
	var at any = object
	keys := strings.Split(path, ".")
	for i, key := range keys {
		last := i == len(keys)-1
		switch node := at.(type) {
		case map[string]any:
			if !last {
				at = node[key]
			} else if value == "" {
				delete(node, key)
			} else {
				node[key] = parsed
			}
		case []any:
			index := int(key[0] - '0')
			if last {
				node[index] = parsed
			} else {
				at = node[index]
			}
		default:
			t.Fatalf("%s: nothing at %s", path, key)
		}
	}
}

func parse(t *testing.T, manifest string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(manifest), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

// Every field that can be wrong is refused at once, with a message that names the field and
// says what would be right.
func TestValidationOnCreate(t *testing.T) {
	tests := []struct{ manifest, path, value, want, help string }{
		{validTenant, "metadata.name", "a.b", "metadata.name", "saint-lucia"},
		{validTenant, "metadata.name", "a" + strings.Repeat("b", 40), "metadata.name", "at most 40"},
		{validTenant, "spec.country", "XX", "spec.country", "ISO 3166-1"},
		{validTenant, "spec.country", "ps", "spec.country", "in capitals"},
		{validTenant, "spec.country", "PSE", "spec.country", "ISO 3166-1"},
		{validTenant, "spec.displayNames", "{en: Courts}", "spec", "first language"},
		{validTenant, "spec.displayNames", "{ar: Courts, English: Courts}", "spec.displayNames", "BCP 47"},
		{validTenant, "spec.displayNames", "{ar: ''}", "spec.displayNames", "at least 1"},
		{validTenant, "spec.languages", "[ar, EN]", "spec.languages[1]", "BCP 47"},
		{validTenant, "spec.languages", "[]", "spec.languages", "at least 1"},
		{validTenant, "spec.languages", "[ar, ar]", "spec.languages", "Duplicate"},
		{validTenant, "spec.timeZone", "Asia/Jericho", "spec.timeZone", "for example Asia/Hebron"},
		{validTenant, "spec.timeZone", "'+02:00'", "spec.timeZone", "IANA"},
		{validTenant, "spec.timeZone", "Local", "spec.timeZone", "IANA"},
		{validTenant, "spec.timeZone", "''", "spec.timeZone", "IANA"},
		{validTenant, "spec.domain", "https://justice.ps", "spec.domain", "without scheme"},
		{validTenant, "spec.domain", "Justice.PS", "spec.domain", "lower case"},
		{validTenant, "spec.domain", "localhost", "spec.domain", "DNS name"},
		{validTenant, "spec.residency.jurisdictions", "[PS, ZZ]", "spec.residency.jurisdictions[1]", "ISO 3166-1"},
		{validTenant, "spec.residency.jurisdictions", "[]", "spec.residency.jurisdictions", "at least 1"},
		{validTenant, "spec.release", "v0.1.0", "spec.release", "semantic version"},
		{validTenant, "spec.release", "latest", "spec.release", "semantic version"},
		{validTenant, "spec.modules.0.name", "Case", "spec.modules[0].name", "lower-case"},
		{validTenant, "spec.modules.0.name", "nosuchmodule", "spec.modules", "release 0.1.0 has no module nosuchmodule; it has casemanagement"},
		{validTenant, "spec.modules.0.version", "one", "spec.modules[0].version", "semantic version"},
		{validTenant, "spec.modules.0.replicas", "0", "spec.modules[0].replicas", "greater than or equal to 1"},
		{validTenant, "spec.modules.0.values", "{platform: {}}", "spec.modules[].values.platform", "remove it"},
		{validTenant, "spec.modules.0.values", "text", "spec.modules[0].values", "object"},
		{validTenant, "spec.modules.0.resources", "{requests: {cpu: lots}}", "spec.modules[0].resources.requests.cpu", "positive quantity"},
		{validTenant, "spec.modules.0.resources", "{limits: {memory: 0}}", "spec.modules[0].resources.limits.memory", "positive quantity"},
		{validTenant, "spec.identity.issuerURL", "http://login.ps", "spec.identity.issuerURL", "https address"},
		{validTenant, "spec.identity.issuerURL", "login", "spec.identity.issuerURL", "https address"},
		{validTenant, "spec.database.instances", "6", "spec.database.instances", "less than or equal to 5"},
		{validTenant, "spec.database.storage", "5 gigabytes", "spec.database.storage", "positive quantity"},
		{validTenant, "spec.database.storage", "'-1Gi'", "spec.database.storage", "positive quantity"},
		{validTenant, "spec.database.external", "{host: db.example, adminSecretRef: {name: a}}", "spec.database", "exclude each other"},
		{validTenant, "spec.database", "{external: {host: 'postgres://x', adminSecretRef: {name: a}}}", "spec.database.external.host", "without port"},
		{validTenant, "spec.database", "{external: {host: db.example, sslMode: maybe, adminSecretRef: {name: a}}}", "spec.database.external.sslMode", "verify-full"},
		{validTenant, "spec.database", "{external: {host: db.example}}", "spec.database.external.adminSecretRef", "Required"},
		{validTenant, "spec.backup.schedule", "every night", "spec.backup.schedule", "five cron fields"},
		{validTenant, "spec.backup.schedule", "'61 2 * * *'", "spec.backup.schedule", "five cron fields"},
		{validTenant, "spec.backup.schedule", "'0 2 * *'", "spec.backup.schedule", "five cron fields"},
		{validTenant, "spec.backup.schedule", "'0 2 * * 1,'", "spec.backup.schedule", "five cron fields"},
		{validTenant, "spec.backup.schedule", "'11 2 * * 1 2'", "spec.backup.schedule", "five cron fields"},
		{validTenant, "spec.backup.schedule", "'*1 2 * * *'", "spec.backup.schedule", "five cron fields"},
		{validTenant, "spec.backup.schedule", "'0 24 * * *'", "spec.backup.schedule", "five cron fields"},
		{validTenant, "spec.backup.retentionDays", "0", "spec.backup.retentionDays", "greater than or equal to 1"},
		{validTenant, "spec.maintenanceWindows.0.start", "'24:00'", "spec.maintenanceWindows[0].start", "HH:MM"},
		{validTenant, "spec.maintenanceWindows.0.start", "9pm", "spec.maintenanceWindows[0].start", "HH:MM"},
		{validTenant, "spec.maintenanceWindows.0.duration", "5m", "spec.maintenanceWindows[0].duration", "from 15m to 24h"},
		{validTenant, "spec.maintenanceWindows.0.duration", "2d", "spec.maintenanceWindows[0].duration", "from 15m to 24h"},
		{validTenant, "spec.maintenanceWindows.0.duration", "''", "spec.maintenanceWindows[0].duration", "from 15m to 24h"},
		{validTenant, "spec.maintenanceWindows.0.days", "[Fri]", "spec.maintenanceWindows[0].days[0]", "Friday"},
		{validTenant, "spec.quota.cpu", "many", "spec.quota.cpu", "positive quantity"},
		{validTenant, "spec.quota.memory", "0", "spec.quota.memory", "positive quantity"},
		{validTenant, "spec.quota.storage", "1Zi", "spec.quota.storage", "positive quantity"},
		{validTenant, "spec.quota.pods", "0", "spec.quota.pods", "greater than or equal to 1"},
		{validTenant, "spec.deletionPolicy", "Keep", "spec.deletionPolicy", "Retain (keep all data)"},
		{validModule, "metadata.name", "other", "metadata.name", "must equal spec.module"},
		{validModule, "spec.version", "'2'", "spec.version", "semantic version"},
		{validModule, "spec.values", "{platform: {}}", "spec.values.platform", "remove it"},
		{validCatalog, "metadata.name", "five", "metadata.name", "semantic version"},
		{validCatalog, "spec.modules.0.version", "five", "spec.modules[0].version", "semantic version"},
		{validCatalog, "spec.modules.0.chart.ref", "https://example.org/chart", "spec.modules[0].chart.ref", "OCI reference"},
		{validCatalog, "spec.modules.0.chart.ref", "oci://example.org/chart:1.0", "spec.modules[0].chart.ref", "without tag"},
		{validCatalog, "spec.modules.0.chart.digest", "sha256:12", "spec.modules[0].chart.digest", "64 hexadecimal digits"},
		{validCatalog, "spec.modules.0.images.0.ref", "example.org/image:latest", "spec.modules[0].images[0].ref", "pinned by digest"},
		{validCatalog, "spec.modules.0.upgradableFrom", "[old]", "spec.modules[0].upgradableFrom[0]", "semantic version"},
		{validCatalog, "spec.modules", "[]", "spec.modules", "at least 1"},
	}
	for _, tc := range tests {
		t.Run(tc.path+"="+tc.value, func(t *testing.T) {
			u := parse(t, tc.manifest)
			set(t, u.Object, tc.path, tc.value)
			expectRefusal(t, suite.client.Create(t.Context(), u, client.DryRunAll), tc.want, tc.help)
		})
	}
	for _, manifest := range []string{validTenant, validModule, validCatalog} {
		if err := suite.client.Create(t.Context(), parse(t, manifest), client.DryRunAll); err != nil {
			t.Errorf("the valid manifest is refused: %v", err)
		}
	}
}

func TestValidationOnUpdate(t *testing.T) {
	tests := []struct{ manifest, path, value, want, help string }{
		{validTenant, "spec.country", "CI", "spec.country", "cannot be changed"},
		{validTenant, "spec.release", "0.0.9", "spec", "release cannot go down"},
		{validTenant, "spec.release", "0.1.0-rc.1", "spec", "release cannot go down"},
		{validTenant, "spec.modules.0.version", "0.0.1", "spec.modules", "version cannot go down"},
		{validTenant, "spec.database.storage", "4Gi", "spec.database", "storage cannot shrink"},
		{validTenant, "spec.database", "{external: {host: db.example, adminSecretRef: {name: a}}}", "spec.database", "cannot switch"},
		{validModule, "spec.module", "reporting", "spec.module", "cannot be changed"},
		{validModule, "spec.version", "0.1.9", "spec", "version cannot go down"},
		{validCatalog, "spec.modules.0.version", "5.0.1", "spec", "a release never changes"},
	}
	for _, manifest := range []string{validTenant, validModule, validCatalog} {
		if err := suite.client.Create(t.Context(), parse(t, manifest)); err != nil {
			t.Fatalf("creating the valid object: %v", err)
		}
		t.Cleanup(func() {
			if err := suite.client.Delete(context.Background(), parse(t, manifest)); err != nil {
				t.Logf("cleaning up: %v", err)
			}
		})
	}
	update := func(t *testing.T, manifest, path, value string) error {
		t.Helper()
		u := parse(t, manifest)
		if err := suite.client.Get(t.Context(), client.ObjectKeyFromObject(u), u); err != nil {
			t.Fatal(err)
		}
		set(t, u.Object, path, value)
		return suite.client.Update(t.Context(), u, client.DryRunAll)
	}
	for _, tc := range tests {
		t.Run(tc.path+"="+tc.value, func(t *testing.T) {
			expectRefusal(t, update(t, tc.manifest, tc.path, tc.value), tc.want, tc.help)
		})
	}
	for path, value := range map[string]string{
		"spec.release": "0.2.0", "spec.database.storage": "6Gi", "spec.modules.0.version": "0.2.0", "spec.domain": "other.ps.example",
	} {
		if err := update(t, validTenant, path, value); err != nil {
			t.Errorf("%s=%s must be allowed: %v", path, value, err)
		}
	}
}

// The message for an unknown time zone comes from a rule that cannot be evaluated; it must
// read well all the same.
func TestUnknownTimeZoneReadsWell(t *testing.T) {
	u := parse(t, validTenant)
	set(t, u.Object, "spec.timeZone", "Asia/Jericho")
	err := suite.client.Create(t.Context(), u, client.DryRunAll)
	expectRefusal(t, err, "spec.timeZone", "must be an IANA time zone, for example Asia/Hebron")
	t.Log(err)
}

func expectRefusal(t *testing.T, err error, field, help string) {
	t.Helper()
	if err == nil {
		t.Fatal("accepted")
	}
	if !strings.Contains(err.Error(), field) || !strings.Contains(err.Error(), help) {
		t.Errorf("the message must name %q and say %q, but is: %v", field, help, err)
	}
}
