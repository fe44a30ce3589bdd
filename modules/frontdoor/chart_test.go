package frontdoor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"

	"ejustice.dev/operator/modules/kit/charttest"
)

// The module must accept the configuration that its own chart writes.
func TestChartConfigurationIsReadByTheModule(t *testing.T) {
	values := charttest.Values(t)
	read := func() *Settings {
		var config corev1.ConfigMap
		if err := yaml.UnmarshalStrict([]byte(charttest.MustRender(t, "frontdoor", values)["configmap.yaml"]), &config); err != nil {
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
		return settings
	}
	s := read()
	if s.Tenant.Name != "palestine" || s.Host != "courts.example.ps" || s.Namespace != "justice-palestine" || len(s.Routes) != 3 {
		t.Errorf("settings lost something: %+v", s)
	}
	delete(values, "routes")
	if s := read(); len(s.Routes) != 2 || s.Routes[0] != (Route{"/identity", "identity"}) || s.Routes[1] != (Route{"/", "casemanagement"}) {
		t.Errorf("routes by default: %+v", s.Routes)
	}
}

func TestChartDeployment(t *testing.T) {
	values := charttest.Values(t)
	platform := values["platform"].(map[string]any)
	manifests := charttest.MustRender(t, "frontdoor", values)
	if _, found := manifests["poddisruptionbudget.yaml"]; found {
		t.Error("one replica must not have a PodDisruptionBudget: it would block every drain")
	}
	d := charttest.Deployment(t, manifests)
	pod := d.Spec.Template
	for _, labels := range []map[string]string{d.Labels, pod.Labels} {
		for key, want := range map[string]string{
			"ejustice.dev/tenant": "palestine", "ejustice.dev/module": "frontdoor",
			"app.kubernetes.io/name": "frontdoor", "app.kubernetes.io/instance": "frontdoor",
			"app.kubernetes.io/managed-by": "ejustice-operator", "app.kubernetes.io/part-of": "ejustice",
		} {
			if labels[key] != want {
				t.Errorf("label %s = %q, want %q", key, labels[key], want)
			}
		}
	}
	container := pod.Spec.Containers[0]
	if container.Resources.Requests.Cpu().String() != "20m" || container.Resources.Limits.Cpu().IsZero() || container.Resources.Limits.Memory().IsZero() {
		t.Errorf("resources = %+v", container.Resources)
	}
	if *d.Spec.Replicas != 1 || d.Spec.Strategy.RollingUpdate.MaxUnavailable.IntValue() != 0 {
		t.Errorf("replicas or strategy wrong: %+v", d.Spec)
	}
	if !*container.SecurityContext.ReadOnlyRootFilesystem || *pod.Spec.AutomountServiceAccountToken || !*pod.Spec.SecurityContext.RunAsNonRoot {
		t.Error("the pod is not restricted")
	}
	for _, probe := range []*corev1.Probe{container.StartupProbe, container.ReadinessProbe, container.LivenessProbe} {
		if probe.HTTPGet.Scheme != corev1.URISchemeHTTPS || probe.HTTPGet.Port.String() != "health" {
			t.Errorf("probe = %+v", probe.HTTPGet)
		}
	}
	secrets := map[string]string{}
	for _, volume := range pod.Spec.Volumes {
		if volume.Secret != nil {
			secrets[volume.Name] = volume.Secret.SecretName
		}
	}
	for _, mount := range container.VolumeMounts {
		if mount.SubPath != "" {
			t.Errorf("%s: files below a subPath are never renewed", mount.Name)
		}
	}
	if secrets["tls"] != "frontdoor-tls" || secrets["public"] != "public-tls" || len(secrets) != 2 {
		t.Errorf("secrets = %v", secrets)
	}
	required := pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchExpressions[0]
	if required.Key != "ejustice.dev/jurisdiction" || required.Values[0] != "PS" {
		t.Errorf("placement = %+v", required)
	}
	if _, found := pod.Annotations["ejustice.dev/rotation"]; found {
		t.Error("nobody asked for a rotation")
	}

	platform["replicas"], platform["rotation"] = 3, "after-the-audit"
	manifests = charttest.MustRender(t, "frontdoor", values)
	if _, found := manifests["poddisruptionbudget.yaml"]; !found {
		t.Error("three replicas need a PodDisruptionBudget")
	}
	changed := charttest.Deployment(t, manifests).Spec.Template.Annotations
	if changed["ejustice.dev/config-sha256"] != pod.Annotations["ejustice.dev/config-sha256"] || changed["ejustice.dev/rotation"] != "after-the-audit" {
		t.Errorf("annotations = %v", changed)
	}
	values["routes"] = []any{map[string]any{"path": "/", "module": "reporting"}}
	if charttest.Deployment(t, charttest.MustRender(t, "frontdoor", values)).Spec.Template.Annotations["ejustice.dev/config-sha256"] == pod.Annotations["ejustice.dev/config-sha256"] {
		t.Error("a changed route must restart pods")
	}
}

func TestChartService(t *testing.T) {
	var s corev1.Service
	if err := yaml.UnmarshalStrict([]byte(charttest.MustRender(t, "frontdoor", charttest.Values(t))["service.yaml"]), &s); err != nil {
		t.Fatal(err)
	}
	if s.Name != "frontdoor" || len(s.Spec.Ports) != 1 || s.Spec.Ports[0].Port != 443 || s.Spec.Ports[0].TargetPort.String() != "https" || s.Spec.Type != "" {
		t.Errorf("service = %+v", s)
	}
}

func TestChartNetworkPolicy(t *testing.T) {
	policy := func(values map[string]any) networkingv1.NetworkPolicySpec {
		var p networkingv1.NetworkPolicy
		if err := yaml.UnmarshalStrict([]byte(charttest.MustRender(t, "frontdoor", values)["networkpolicy.yaml"]), &p); err != nil {
			t.Fatal(err)
		}
		if len(p.Spec.PolicyTypes) != 2 || len(p.Spec.Ingress) != 2 || len(p.Spec.Egress) != 1 {
			t.Fatalf("policy = %+v", p.Spec)
		}
		return p.Spec
	}
	values := charttest.Values(t)
	p := policy(values)
	people, monitoring, modules := p.Ingress[0], p.Ingress[1], p.Egress[0]
	if from := people.From; people.Ports[0].Port.IntValue() != 8443 || len(from) != 3 || from[0].NamespaceSelector.MatchLabels["ejustice.dev/front-door"] != "true" ||
		from[1].IPBlock.Except[0] != "10.244.0.0/16" || from[2].IPBlock.Except[0] != "fd00:1::/48" {
		t.Errorf("people = %+v", people)
	}
	if from := monitoring.From; monitoring.Ports[0].Port.IntValue() != 8081 || len(from) != 1 || from[0].NamespaceSelector.MatchLabels["ejustice.dev/monitoring"] != "true" {
		t.Errorf("monitoring = %+v", monitoring)
	}
	if modules.Ports[0].Port.IntValue() != 8443 || len(modules.To) != 1 || modules.To[0].NamespaceSelector != nil {
		t.Fatalf("modules = %+v", modules)
	}
	if in := modules.To[0].PodSelector.MatchExpressions[0]; in.Key != "ejustice.dev/module" || strings.Join(in.Values, " ") != "casemanagement reporting" {
		t.Errorf("modules = %+v", in)
	}
	// Nobody said which addresses are pods': then no address is taken for a client's.
	delete(values["platform"].(map[string]any), "network")
	if from := policy(values).Ingress[0].From; len(from) != 1 {
		t.Errorf("people = %+v", from)
	}
}

func TestChartRefusesBadValues(t *testing.T) {
	platform := func(values map[string]any) map[string]any { return values["platform"].(map[string]any) }
	routes := func(paths ...string) func(map[string]any) {
		return func(v map[string]any) {
			var list []any
			for _, path := range paths {
				list = append(list, map[string]any{"path": path, "module": "casemanagement"})
			}
			v["routes"] = list
		}
	}
	for name, test := range map[string]struct {
		change func(values map[string]any)
		want   string
	}{
		"path":         {routes("reporting"), "/routes/0/path"},
		"path end":     {routes("/reporting/"), "/routes/0/path"},
		"path twice":   {routes("/", "/"), "routes[1].path"},
		"no routes":    {func(v map[string]any) { v["routes"] = []any{} }, "routes"},
		"module":       {func(v map[string]any) { v["routes"].([]any)[0].(map[string]any)["module"] = "a.b" }, "/routes/0/module"},
		"misspelt":     {func(v map[string]any) { v["routes"].([]any)[0].(map[string]any)["modul"] = "a" }, "modul"},
		"unknown":      {func(v map[string]any) { v["color"] = "blue" }, "color"},
		"no tls":       {func(v map[string]any) { delete(platform(v), "tls") }, "tls"},
		"no public":    {func(v map[string]any) { delete(platform(v), "public") }, "public"},
		"host":         {func(v map[string]any) { platform(v)["public"].(map[string]any)["host"] = "https://x" }, "/platform/public/host"},
		"no placement": {func(v map[string]any) { delete(platform(v), "placement") }, "placement"},
		"image without digest": {func(v map[string]any) {
			platform(v)["images"] = map[string]any{"frontdoor": "registry.example.org/frontdoor:latest"}
		}, "/platform/images/frontdoor"},
	} {
		t.Run(name, func(t *testing.T) {
			values := charttest.Values(t)
			test.change(values)
			_, err := charttest.Render(t, "frontdoor", values)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want it to name %q", err, test.want)
			}
		})
	}
}
