// Package config holds the manifests that install the operator with kustomize. The Helm chart
// charts/ejustice-operator installs the same; this test holds them together.
package config

import (
	"encoding/json"
	"io"
	"sort"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

const (
	image    = "ejustice-operator"
	postgres = "ejustice-postgres"

	placement = "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy"
)

func TestChartAndKustomizeInstallTheSame(t *testing.T) {
	fromChart := objects(t, renderChart(t, "ejustice-system", map[string]any{"image": image, "postgresImage": postgres}, placement))
	fromConfig := objects(t, renderKustomize(t))
	// Helm makes the namespace with --create-namespace.
	delete(fromConfig, "Namespace/ejustice-system")
	if len(fromConfig) < 15 {
		t.Fatalf("kustomize renders %d objects only", len(fromConfig))
	}
	for _, name := range union(fromChart, fromConfig) {
		if fromChart[name] != fromConfig[name] {
			t.Errorf("%s differs\nchart:  %s\nconfig: %s", name, fromChart[name], fromConfig[name])
		}
	}
}

// In another namespace nothing of the chart may point at the usual one.
func TestChartFollowsItsNamespace(t *testing.T) {
	rendered := renderChart(t, "elsewhere", map[string]any{"image": image, "postgresImage": postgres, "caConfigMap": "authorities"})
	for line := range strings.SplitSeq(rendered, "\n") {
		if strings.Contains(line, "ejustice-system") && !strings.Contains(strings.TrimSpace(line), "# ") {
			t.Errorf("still points at ejustice-system: %s", line)
		}
	}
	for _, want := range []string{"system:serviceaccount:elsewhere:ejustice-operator", "name: authorities", "SSL_CERT_DIR"} {
		if !strings.Contains(rendered, want) {
			t.Errorf("lacks %s", want)
		}
	}
}

// A cluster that cannot place pods at admission gets everything else: there, pods that say
// nothing about their place are refused.
func TestChartWithoutPlacement(t *testing.T) {
	values := map[string]any{"image": image, "postgresImage": postgres}
	with := objects(t, renderChart(t, "ejustice-system", values, placement))
	without := objects(t, renderChart(t, "ejustice-system", values))
	for name := range with {
		_, kept := without[name]
		if mutating := strings.HasPrefix(name, "MutatingAdmissionPolicy"); kept == mutating {
			t.Errorf("%s kept: %t", name, kept)
		}
	}
	if len(with) != len(without)+2 {
		t.Errorf("%d objects with placement, %d without", len(with), len(without))
	}
}

func renderChart(t *testing.T, namespace string, values map[string]any, served ...string) string {
	t.Helper()
	chart, err := loader.LoadDir("../charts/ejustice-operator")
	if err != nil {
		t.Fatal(err)
	}
	install := action.NewInstall(&action.Configuration{Log: func(string, ...any) {}})
	install.ReleaseName, install.Namespace = "ejustice-operator", namespace
	install.ClientOnly, install.DryRun = true, true
	install.APIVersions = served
	install.KubeVersion = &chartutil.KubeVersion{Version: "v1.36.0", Major: "1", Minor: "36"}
	release, err := install.Run(chart, values)
	if err != nil {
		t.Fatal(err)
	}
	return release.Manifest
}

func renderKustomize(t *testing.T) string {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), "default")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := resources.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// objects indexes the objects of a manifest by kind and name, each as JSON with sorted keys.
func objects(t *testing.T, manifest string) map[string]string {
	t.Helper()
	out := map[string]string{}
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(manifest), 4096)
	for {
		var object map[string]any
		err := decoder.Decode(&object)
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(object) == 0 {
			continue
		}
		raw, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		name, _ := object["metadata"].(map[string]any)["name"].(string)
		kind, _ := object["kind"].(string)
		out[kind+"/"+name] = string(raw)
	}
}

func union(maps ...map[string]string) []string {
	seen := map[string]bool{}
	for _, m := range maps {
		for name := range m {
			seen[name] = true
		}
	}
	names := make([]string, 0, len(seen))
	for name := range seen {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
