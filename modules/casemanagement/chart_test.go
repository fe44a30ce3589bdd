package casemanagement

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"

	"ejustice.dev/operator/modules/kit"
	"ejustice.dev/operator/modules/kit/charttest"
)

// The module must accept the configuration that its own chart writes.
func TestChartConfigurationIsReadByTheModule(t *testing.T) {
	var config corev1.ConfigMap
	if err := yaml.UnmarshalStrict([]byte(charttest.MustRender(t, "casemanagement", charttest.Values(t))["configmap.yaml"]), &config); err != nil {
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
	values := charttest.Values(t)
	manifests := charttest.MustRender(t, "casemanagement", values)
	if _, found := manifests["poddisruptionbudget.yaml"]; found {
		t.Error("one replica must not have a PodDisruptionBudget: it would block every drain")
	}
	d := charttest.Deployment(t, manifests)
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
	manifests = charttest.MustRender(t, "casemanagement", values)
	if _, found := manifests["poddisruptionbudget.yaml"]; !found {
		t.Error("three replicas need a PodDisruptionBudget")
	}
	scaled := charttest.Deployment(t, manifests)
	if limit := scaled.Spec.Template.Spec.Containers[0].Resources.Limits.Memory().String(); limit != "1Gi" {
		t.Errorf("memory limit = %s, below the request", limit)
	}
	if scaled.Spec.Template.Annotations["ejustice.dev/config-sha256"] != pod.Annotations["ejustice.dev/config-sha256"] {
		t.Error("scaling must not restart pods")
	}
	values["numbering"].(map[string]any)["registration"] = "{seq}-{year}"
	if charttest.Deployment(t, charttest.MustRender(t, "casemanagement", values)).Spec.Template.Annotations["ejustice.dev/config-sha256"] == pod.Annotations["ejustice.dev/config-sha256"] {
		t.Error("a changed value must restart pods")
	}
}

// What the chart sets must be what the module reads, and the files must be
// mounted where it reads them.
func TestChartEnvironment(t *testing.T) {
	values := charttest.Values(t)
	pod := charttest.Deployment(t, charttest.MustRender(t, "casemanagement", values)).Spec.Template.Spec
	env := map[string]string{}
	for _, variable := range pod.Containers[0].Env {
		env[variable.Name] = variable.Value
	}
	got, err := kit.ReadEnv(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	if want := (kit.Database{Host: "database-rw", Port: 5432, Name: "casemanagement", SSLMode: "verify-full", RootCert: "/etc/ejustice-database/ca.crt"}); got.Database != want {
		t.Errorf("database = %+v, want %+v", got.Database, want)
	}
	if want := (kit.VaultSettings{Address: "https://vault.vault.svc:8200", CACert: "/etc/ejustice-vault/ca.crt", LoginPath: "auth/kubernetes/login",
		Role: "tenant-palestine-casemanagement", JWTFile: "/var/run/ejustice-vault/token", Mount: "tenants/palestine", Name: "casemanagement"}); got.Vault != want {
		t.Errorf("vault = %+v, want %+v", got.Vault, want)
	}
	for name, want := range map[string]string{"LISTEN_ADDRESS": ":8443", "HEALTH_ADDRESS": ":8081", "TLS_DIR": "/etc/ejustice-tls", "TLS_CLIENTS": "frontdoor.justice-palestine.svc"} {
		if env[name] != want {
			t.Errorf("%s = %q, want %q", name, env[name], want)
		}
	}
	volumes := map[string]corev1.Volume{}
	for _, volume := range pod.Volumes {
		volumes[volume.Name] = volume
	}
	for _, mount := range pod.Containers[0].VolumeMounts {
		if _, found := volumes[mount.Name]; !found || !mount.ReadOnly {
			t.Errorf("mount %+v", mount)
		}
	}
	if token := volumes["vault-token"].Projected.Sources[0].ServiceAccountToken; token.Audience != "vault" || *token.ExpirationSeconds != 600 || token.Path != "token" {
		t.Errorf("token = %+v", token)
	}
	if volumes["tls"].Secret.SecretName != "casemanagement-tls" || volumes["vault-ca"].ConfigMap.Name != "vault-ca" {
		t.Errorf("volumes = %+v", volumes)
	}
	for _, volume := range pod.Volumes {
		public := volume.Name == "database-ca" && volume.Secret != nil && len(volume.Secret.Items) == 1 && volume.Secret.Items[0].Key == "ca.crt"
		if volume.Secret != nil && volume.Name != "tls" && !public {
			t.Errorf("a Secret is mounted: %+v", volume)
		}
	}

	// A public Vault, an external database.
	platform := values["platform"].(map[string]any)
	delete(platform["vault"].(map[string]any), "caConfigMap")
	delete(platform["database"].(map[string]any), "tenantCA")
	manifest := charttest.MustRender(t, "casemanagement", values)["deployment.yaml"]
	for _, word := range []string{"VAULT_CACERT", "vault-ca", "DATABASE_ROOT_CERT", "ejustice.dev/rotation"} {
		if strings.Contains(manifest, word) {
			t.Errorf("%s is set", word)
		}
	}
	platform["rotation"] = "2026-11"
	if got := charttest.Deployment(t, charttest.MustRender(t, "casemanagement", values)).Spec.Template.Annotations["ejustice.dev/rotation"]; got != "2026-11" {
		t.Errorf("rotation = %q", got)
	}
}

func TestChartMigration(t *testing.T) { charttest.Migration(t, "casemanagement") }

func TestChartPorts(t *testing.T) {
	manifests := charttest.MustRender(t, "casemanagement", charttest.Values(t))
	var service corev1.Service
	if err := yaml.UnmarshalStrict([]byte(manifests["service.yaml"]), &service); err != nil {
		t.Fatal(err)
	}
	container := charttest.Deployment(t, manifests).Spec.Template.Spec.Containers[0]
	ports := map[string]int32{}
	for _, port := range container.Ports {
		ports[port.Name] = port.ContainerPort
	}
	if p := service.Spec.Ports[0]; len(service.Spec.Ports) != 1 || p.Port != 8443 || ports[p.TargetPort.StrVal] != 8443 {
		t.Errorf("service = %+v", service.Spec.Ports)
	}
	for _, probe := range []*corev1.Probe{container.StartupProbe, container.ReadinessProbe, container.LivenessProbe} {
		if probe.HTTPGet.Scheme != "HTTPS" || ports[probe.HTTPGet.Port.StrVal] != 8081 {
			t.Errorf("probe = %+v", probe.HTTPGet)
		}
	}
}

func TestChartNetworkPolicy(t *testing.T) {
	policy := func(values map[string]any) networkingv1.NetworkPolicySpec {
		var p networkingv1.NetworkPolicy
		if err := yaml.UnmarshalStrict([]byte(charttest.MustRender(t, "casemanagement", values)["networkpolicy.yaml"]), &p); err != nil {
			t.Fatal(err)
		}
		if len(p.Spec.PolicyTypes) != 2 || len(p.Spec.Ingress) != 2 || len(p.Spec.Egress) != 2 {
			t.Fatalf("policy = %+v", p.Spec)
		}
		return p.Spec
	}
	values := charttest.Values(t)
	platform := values["platform"].(map[string]any)
	p := policy(values)
	if in := p.Ingress[0]; in.Ports[0].Port.IntValue() != 8443 || len(in.From) != 1 || in.From[0].NamespaceSelector != nil ||
		in.From[0].PodSelector.MatchLabels["ejustice.dev/module"] != "frontdoor" {
		t.Errorf("ingress = %+v", in)
	}
	if in := p.Ingress[1]; in.Ports[0].Port.IntValue() != 8081 || len(in.From) != 1 || in.From[0].NamespaceSelector.MatchLabels["ejustice.dev/monitoring"] != "true" {
		t.Errorf("ingress = %+v", in)
	}
	if to := p.Egress[0]; to.Ports[0].Port.IntValue() != 5432 || len(to.To) != 1 || to.To[0].PodSelector.MatchLabels["cnpg.io/cluster"] != "database" {
		t.Errorf("egress = %+v", to)
	}
	if to := p.Egress[1]; to.Ports[0].Port.IntValue() != 8200 || len(to.To) != 3 || to.To[0].NamespaceSelector.MatchLabels["ejustice.dev/vault"] != "true" ||
		to.To[1].IPBlock.Except[0] != "10.244.0.0/16" || to.To[2].IPBlock.Except[0] != "fd00:1::/48" {
		t.Errorf("egress = %+v", to)
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
		"no vault":     {func(v map[string]any) { delete(platform(v), "vault") }, "vault"},
		"plain vault": {func(v map[string]any) {
			platform(v)["vault"].(map[string]any)["address"] = "http://vault:8200"
		}, "/platform/vault/address"},
		"no certificate": {func(v map[string]any) { delete(platform(v), "tls") }, "tls"},
		"no tenant":      {func(v map[string]any) { delete(platform(v), "tenant") }, "tenant"},
	} {
		t.Run(name, func(t *testing.T) {
			values := charttest.Values(t)
			test.change(values)
			_, err := charttest.Render(t, "casemanagement", values)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want it to name %q", err, test.want)
			}
		})
	}
}
