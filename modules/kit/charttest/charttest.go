// Package charttest renders a module's chart the way the operator has Helm do it, for
// the tests of the modules.
package charttest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
)

// Values reads testdata/values.json, what the operator passes to the chart.
func Values(t testing.TB) map[string]any {
	t.Helper()
	content, err := os.ReadFile("testdata/values.json")
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := json.Unmarshal(content, &values); err != nil {
		t.Fatal(err)
	}
	return values
}

// Render checks the values against the schema and renders the chart, as Helm
// does, into one text a template.
func Render(t testing.TB, module string, values map[string]any) (map[string]string, error) {
	t.Helper()
	chart, err := loader.Load(filepath.Join("..", "..", "charts", module))
	if err != nil {
		t.Fatal(err)
	}
	release := chartutil.ReleaseOptions{Name: module, Namespace: "justice-palestine", IsInstall: true}
	prepared, err := chartutil.ToRenderValues(chart, values, release, nil)
	if err != nil {
		return nil, err
	}
	rendered, err := engine.Render(chart, prepared)
	manifests := map[string]string{}
	for name, text := range rendered {
		if strings.TrimSpace(text) != "" {
			manifests[filepath.Base(name)] = text
		}
	}
	return manifests, err
}

// MustRender is Render for values that fit.
func MustRender(t testing.TB, module string, values map[string]any) map[string]string {
	t.Helper()
	manifests, err := Render(t, module, values)
	if err != nil {
		t.Fatal(err)
	}
	return manifests
}

// Deployment is the chart's one Deployment.
func Deployment(t testing.TB, manifests map[string]string) appsv1.Deployment {
	t.Helper()
	var d appsv1.Deployment
	if err := yaml.UnmarshalStrict([]byte(manifests["deployment.yaml"]), &d); err != nil {
		t.Fatal(err)
	}
	return d
}
