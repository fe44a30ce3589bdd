package catalog

import (
	"errors"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ejustice.dev/operator/api/v1alpha1"
)

func release(name string, modules ...string) v1alpha1.ModuleCatalog {
	c := v1alpha1.ModuleCatalog{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, m := range modules {
		c.Spec.Modules = append(c.Spec.Modules, v1alpha1.CatalogModule{Name: v1alpha1.ModuleName(m), Version: v1alpha1.Version(name)})
	}
	return c
}

func TestResolve(t *testing.T) {
	catalogs := []v1alpha1.ModuleCatalog{release("0.1.0", "a"), release("0.2.0", "a", "b")}
	tests := []struct{ name, release, module, pinned, version, reason, help string }{
		{"follows the release", "0.1.0", "a", "", "0.1.0", "", ""},
		{"pinned to its release", "0.2.0", "a", "0.2.0", "0.2.0", "", ""},
		{"pinned to another release", "0.2.0", "a", "0.1.0", "0.1.0", "", ""},
		{"no such release", "9.0.0", "a", "", "", "ReleaseNotFound", "0.1.0, 0.2.0"},
		{"no such module", "0.1.0", "b", "", "", "ModuleNotFound", "choose one of a"},
		{"no such version", "0.1.0", "a", "7.0.0", "", "VersionNotFound", "remove the pin"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			entry, err := Resolve(catalogs, tc.release, tc.module, tc.pinned)
			expectProblem(t, err, tc.reason, tc.help)
			if err == nil && string(entry.Version) != tc.version {
				t.Errorf("version = %s, want %s", entry.Version, tc.version)
			}
		})
	}
	_, err := Resolve(nil, "0.1.0", "a", "")
	expectProblem(t, err, "ReleaseNotFound", "apply its ModuleCatalog")
}

func TestReachable(t *testing.T) {
	tests := []struct {
		name, target, installed string
		from                    []v1alpha1.Version
		reason, help            string
	}{
		{"first installation", "0.2.0", "", nil, "", ""},
		{"same version", "0.2.0", "0.2.0", nil, "", ""},
		{"listed", "0.2.0", "0.1.0", []v1alpha1.Version{"0.1.0"}, "", ""},
		{"not listed", "0.3.0", "0.1.0", []v1alpha1.Version{"0.2.0"}, "UpgradePathMissing", "upgrade to one of 0.2.0 first"},
		{"nothing listed", "0.3.0", "0.1.0", nil, "UpgradePathMissing", "none is listed"},
		{"older, even if listed", "0.1.0", "0.2.0", []v1alpha1.Version{"0.2.0"}, "DowngradeRefused", "choose 0.2.0 or newer"},
		{"ten is more than nine", "0.10.0", "0.9.0", []v1alpha1.Version{"0.9.0"}, "", ""},
		{"unreadable", "0.2.0", "one", nil, "VersionInvalid", "reinstall"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			entry := &v1alpha1.CatalogModule{Name: "a", Version: v1alpha1.Version(tc.target), UpgradableFrom: tc.from}
			expectProblem(t, Reachable(entry, tc.installed), tc.reason, tc.help)
		})
	}
}

func expectProblem(t *testing.T, err error, reason, help string) {
	t.Helper()
	var problem *Problem
	switch {
	case reason == "" && err != nil:
		t.Errorf("unexpected: %v", err)
	case reason == "":
	case !errors.As(err, &problem):
		t.Errorf("err = %v, want a problem %s", err, reason)
	case problem.Reason != reason || !strings.Contains(problem.Message, help):
		t.Errorf("%s: %s; want %s: …%s…", problem.Reason, problem.Message, reason, help)
	}
}
