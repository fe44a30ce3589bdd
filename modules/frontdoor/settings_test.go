package frontdoor

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ejustice.dev/operator/modules/kit/charttest"
)

// testConfig is what the chart makes of testdata/values.json.
func testConfig(t testing.TB) map[string]any {
	t.Helper()
	values := charttest.Values(t)
	return map[string]any{
		"tenant": values["platform"].(map[string]any)["tenant"],
		"routes": values["routes"], "host": "courts.example.ps", "namespace": "justice-palestine",
	}
}

func readConfig(t testing.TB, config map[string]any) (*Settings, error) {
	t.Helper()
	content, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return ReadSettings(file)
}

func testSettings(t testing.TB) *Settings {
	t.Helper()
	settings, err := readConfig(t, testConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

func TestTheLongestRouteWins(t *testing.T) {
	all := testSettings(t)
	some := &Settings{Routes: []Route{{"/reporting", "reporting"}}}
	for _, test := range []struct {
		settings   *Settings
		path, want string
	}{
		{all, "/", "casemanagement"},
		{all, "/cases/1", "casemanagement"},
		{all, "/api/v1/cases", "casemanagement"},
		{all, "/reporting", "reporting"},
		{all, "/reporting/", "reporting"},
		{all, "/reporting/2026", "reporting"},
		{all, "/reportings", "casemanagement"},
		{all, "/Reporting", "casemanagement"},
		{all, "/api/v1/reporting/courts", "reporting"},
		{all, "", ""},
		{all, "*", ""},
		{some, "/", ""},
		{some, "/reporting/x", "reporting"},
	} {
		if got := test.settings.module(test.path); got != test.want {
			t.Errorf("%q goes to %q, want %q", test.path, got, test.want)
		}
	}
}

func TestSettingsNameWhatIsWrong(t *testing.T) {
	route := func(path, module string) any { return map[string]any{"path": path, "module": module} }
	for want, change := range map[string]func(map[string]any){
		"host":             func(c map[string]any) { c["host"] = "https://courts.example.ps" },
		"namespace":        func(c map[string]any) { delete(c, "namespace") },
		"routes":           func(c map[string]any) { c["routes"] = []any{} },
		"routes[1].path":   func(c map[string]any) { c["routes"] = []any{route("/", "a"), route("/", "b")} },
		"routes[0].path":   func(c map[string]any) { c["routes"] = []any{route("/reporting/", "a")} },
		"routes[0].module": func(c map[string]any) { c["routes"] = []any{route("/", "evil.example.org")} },
		"routes[0].modul ": func(c map[string]any) { c["routes"] = []any{map[string]any{"path": "/", "modul": "a"}} },
		"tenant.country":   func(c map[string]any) { c["tenant"].(map[string]any)["country"] = "ps" },
	} {
		config := testConfig(t)
		change(config)
		if _, err := readConfig(t, config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want it to name %q", err, want)
		}
	}
	for _, path := range []string{"", "reporting", "//", "/a//b", "/..", "/a/../b", "/a/.", "/{id}", "/a b", "/a%2Fb", "/é"} {
		config := testConfig(t)
		config["routes"] = []any{route(path, "a")}
		if _, err := readConfig(t, config); err == nil {
			t.Errorf("the path %q was accepted", path)
		}
	}
}

// Whatever is configured and asked for: an accepted configuration gives each path
// to the module of the longest route that is the path or a folder above it.
func FuzzRoutes(f *testing.F) {
	f.Add("/", "/reporting", "/reporting/x")
	f.Add("/a", "/a/b", "/a/b/c")
	f.Add("/a", "/a-b", "/a/../b")
	f.Add("/a", "/b", "*")
	f.Fuzz(func(t *testing.T, first, second, path string) {
		s := testSettings(t)
		s.Routes = []Route{{first, "first"}, {second, "second"}}
		if s.validate() != nil {
			return
		}
		want, longest := "", -1
		for module, route := range map[string]string{"first": first, "second": second} {
			// Compare by parts, unlike the code.
			parts, asked := strings.Split(strings.Trim(route, "/"), "/"), strings.Split(path, "/")
			fits := strings.HasPrefix(path, "/") && (route == "/" || len(asked) > len(parts))
			for i := 0; fits && route != "/" && i < len(parts); i++ {
				fits = asked[i+1] == parts[i]
			}
			if fits && len(route) > longest {
				want, longest = module, len(route)
			}
		}
		if got := s.module(path); got != want {
			t.Errorf("routes %q and %q: %q goes to %q, want %q", first, second, path, got, want)
		}
	})
}
