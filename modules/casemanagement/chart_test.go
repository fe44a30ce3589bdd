package casemanagement

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
)

// testValues reads testdata/values.json, what the operator passes to the chart.
func testValues(t testing.TB) map[string]any {
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

// render checks the values against the schema and renders the chart, as Helm
// does, into one text a template.
func render(t testing.TB, values map[string]any) (map[string]string, error) {
	t.Helper()
	chart, err := loader.Load("../../charts/casemanagement")
	if err != nil {
		t.Fatal(err)
	}
	release := chartutil.ReleaseOptions{Name: "casemanagement", Namespace: "justice-palestine", IsInstall: true}
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

func mustRender(t testing.TB, values map[string]any) map[string]string {
	t.Helper()
	manifests, err := render(t, values)
	if err != nil {
		t.Fatal(err)
	}
	return manifests
}

func deployment(t testing.TB, manifests map[string]string) appsv1.Deployment {
	t.Helper()
	var d appsv1.Deployment
	if err := yaml.UnmarshalStrict([]byte(manifests["deployment.yaml"]), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// The module must accept the configuration that its own chart writes.
func TestChartConfigurationIsReadByTheModule(t *testing.T) {
	var config corev1.ConfigMap
	if err := yaml.UnmarshalStrict([]byte(mustRender(t, testValues(t))["configmap.yaml"]), &config); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(file, []byte(config.Data["config.json"]), 0o600); err != nil {
		t.Fatal(err)
	}
	settings, err := ReadSettings(file)
	if err != nil {
		t.Fatal(err)
	}
	if settings.Tenant.Name != "palestine" || len(settings.Courts) != 2 || settings.Limits.DocumentBytes != 1048576 {
		t.Errorf("settings lost something: %+v", settings)
	}
}

func TestChartDeployment(t *testing.T) {
	values := testValues(t)
	manifests := mustRender(t, values)
	if _, found := manifests["poddisruptionbudget.yaml"]; found {
		t.Error("one replica must not have a PodDisruptionBudget: it would block every drain")
	}
	d := deployment(t, manifests)
	pod := d.Spec.Template
	for _, labels := range []map[string]string{d.Labels, pod.Labels} {
		for key, want := range map[string]string{
			"ejustice.dev/tenant": "palestine", "ejustice.dev/module": "casemanagement",
			"app.kubernetes.io/name": "casemanagement", "app.kubernetes.io/instance": "casemanagement",
			"app.kubernetes.io/managed-by": "ejustice-operator", "app.kubernetes.io/part-of": "ejustice",
		} {
			if labels[key] != want {
				t.Errorf("label %s = %q, want %q", key, labels[key], want)
			}
		}
	}
	container := pod.Spec.Containers[0]
	if container.Resources.Requests.Cpu().String() != "20m" || container.Resources.Requests.Memory().String() != "32Mi" ||
		container.Resources.Limits.Cpu().IsZero() || container.Resources.Limits.Memory().IsZero() {
		t.Errorf("resources = %+v", container.Resources)
	}
	if *d.Spec.Replicas != 1 || d.Spec.Strategy.RollingUpdate.MaxUnavailable.IntValue() != 0 {
		t.Errorf("replicas or strategy wrong: %+v", d.Spec)
	}
	if !*container.SecurityContext.ReadOnlyRootFilesystem || *pod.Spec.AutomountServiceAccountToken || !*pod.Spec.SecurityContext.RunAsNonRoot {
		t.Error("the pod is not restricted")
	}
	required := pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchExpressions[0]
	if required.Key != "ejustice.dev/jurisdiction" || required.Values[0] != "PS" {
		t.Errorf("placement = %+v", required)
	}

	values["platform"].(map[string]any)["replicas"] = 3
	values["platform"].(map[string]any)["resources"] = map[string]any{"requests": map[string]any{"memory": "1Gi"}}
	manifests = mustRender(t, values)
	if _, found := manifests["poddisruptionbudget.yaml"]; !found {
		t.Error("three replicas need a PodDisruptionBudget")
	}
	scaled := deployment(t, manifests)
	if limit := scaled.Spec.Template.Spec.Containers[0].Resources.Limits.Memory().String(); limit != "1Gi" {
		t.Errorf("memory limit = %s, below the request", limit)
	}
	if scaled.Spec.Template.Annotations["ejustice.dev/config-sha256"] != pod.Annotations["ejustice.dev/config-sha256"] {
		t.Error("scaling must not restart pods")
	}
	values["numbering"].(map[string]any)["registration"] = "{seq}-{year}"
	if deployment(t, mustRender(t, values)).Spec.Template.Annotations["ejustice.dev/config-sha256"] == pod.Annotations["ejustice.dev/config-sha256"] {
		t.Error("a changed value must restart pods")
	}
}

func TestChartNetworkPolicy(t *testing.T) {
	policy := func(values map[string]any) networkingv1.NetworkPolicySpec {
		var p networkingv1.NetworkPolicy
		if err := yaml.UnmarshalStrict([]byte(mustRender(t, values)["networkpolicy.yaml"]), &p); err != nil {
			t.Fatal(err)
		}
		if len(p.Spec.PolicyTypes) != 2 || len(p.Spec.Ingress) != 1 || len(p.Spec.Egress) != 1 {
			t.Fatalf("policy = %+v", p.Spec)
		}
		return p.Spec
	}
	values := testValues(t)
	platform := values["platform"].(map[string]any)
	p := policy(values)
	if from := p.Ingress[0].From; len(from) != 3 || from[0].NamespaceSelector.MatchLabels["ejustice.dev/front-door"] != "true" ||
		from[1].IPBlock.Except[0] != "10.244.0.0/16" || from[2].IPBlock.Except[0] != "fd00:1::/48" {
		t.Errorf("ingress = %+v", from)
	}
	if to := p.Egress[0]; to.Ports[0].Port.IntValue() != 5432 || len(to.To) != 1 || to.To[0].PodSelector.MatchLabels["cnpg.io/cluster"] != "database" {
		t.Errorf("egress = %+v", to)
	}
	// Nobody said which addresses are pods': then no address is taken for a client's.
	delete(platform, "network")
	if from := policy(values).Ingress[0].From; len(from) != 1 {
		t.Errorf("ingress = %+v", from)
	}
	platform["database"].(map[string]any)["externalPort"] = 6432
	if to := policy(values).Egress[0]; to.Ports[0].Port.IntValue() != 6432 || to.To[0].IPBlock == nil {
		t.Errorf("egress = %+v", to)
	}
}

func TestChartRefusesBadValues(t *testing.T) {
	court := func(values map[string]any, i int) map[string]any {
		return values["courts"].([]any)[i].(map[string]any)
	}
	platform := func(values map[string]any) map[string]any { return values["platform"].(map[string]any) }
	for name, test := range map[string]struct {
		change func(values map[string]any)
		want   string
	}{
		"court code":         {func(v map[string]any) { court(v, 0)["code"] = "ram solh" }, "/courts/0/code"},
		"court code twice":   {func(v map[string]any) { court(v, 1)["code"] = "RAM-SOLH" }, "courts[1].code"},
		"appeal nowhere":     {func(v map[string]any) { court(v, 0)["appealTo"] = "NOWHERE" }, "courts[0].appealTo"},
		"unlisted case type": {func(v map[string]any) { court(v, 1)["caseTypes"] = []any{"XX"} }, "courts[1].caseTypes[0]"},
		"misspelt field":     {func(v map[string]any) { court(v, 0)["nmaes"] = map[string]any{} }, "nmaes"},
		"level":              {func(v map[string]any) { court(v, 0)["level"] = "high" }, "/courts/0/level"},
		"no courts":          {func(v map[string]any) { delete(v, "courts") }, "courts"},
		"number without seq": {func(v map[string]any) { v["numbering"].(map[string]any)["filing"] = "F-{year}" }, "/numbering/filing"},
		"number token":       {func(v map[string]any) { v["numbering"].(map[string]any)["filing"] = "{seq}{year}{x}" }, "/numbering/filing"},
		"document limit":     {func(v map[string]any) { v["limits"].(map[string]any)["documentBytes"] = 0 }, "/limits/documentBytes"},
		"unknown value":      {func(v map[string]any) { v["color"] = "blue" }, "color"},
		"image without digest": {func(v map[string]any) {
			platform(v)["images"] = map[string]any{"casemanagement": "registry.example.org/casemanagement:latest"}
		}, "/platform/images/casemanagement"},
		"no placement": {func(v map[string]any) { delete(platform(v), "placement") }, "placement"},
		"no tenant":    {func(v map[string]any) { delete(platform(v), "tenant") }, "tenant"},
	} {
		t.Run(name, func(t *testing.T) {
			values := testValues(t)
			test.change(values)
			_, err := render(t, values)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want it to name %q", err, test.want)
			}
		})
	}
}
