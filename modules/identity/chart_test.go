package identity

import (
	"os"
	"path/filepath"
	"reflect"
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
	if err := yaml.UnmarshalStrict([]byte(charttest.MustRender(t, "identity", charttest.Values(t))["configmap.yaml"]), &config); err != nil {
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
	if want := testSettings(t); !reflect.DeepEqual(settings, want) {
		t.Errorf("settings = %+v\nwant       %+v", settings, want)
	}
	values := charttest.Values(t)
	values["issuer"] = "https://sign-in.example.ps"
	if manifest := charttest.MustRender(t, "identity", values)["configmap.yaml"]; !strings.Contains(manifest, `"issuer": "https://sign-in.example.ps"`) {
		t.Errorf("the issuer is lost:\n%s", manifest)
	}
}

func TestChartDeployment(t *testing.T) {
	values := charttest.Values(t)
	manifests := charttest.MustRender(t, "identity", values)
	if _, found := manifests["poddisruptionbudget.yaml"]; found {
		t.Error("one replica must not have a PodDisruptionBudget: it would block every drain")
	}
	d := charttest.Deployment(t, manifests)
	pod := d.Spec.Template
	for _, labels := range []map[string]string{d.Labels, pod.Labels} {
		for key, want := range map[string]string{
			"ejustice.dev/tenant": "palestine", "ejustice.dev/module": "identity",
			"app.kubernetes.io/name": "identity", "app.kubernetes.io/instance": "identity",
			"app.kubernetes.io/managed-by": "ejustice-operator", "app.kubernetes.io/part-of": "ejustice",
		} {
			if labels[key] != want {
				t.Errorf("label %s = %q, want %q", key, labels[key], want)
			}
		}
	}
	container := pod.Spec.Containers[0]
	if container.Resources.Requests.Cpu().String() != "20m" || container.Resources.Requests.Memory().String() != "64Mi" ||
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
	manifests = charttest.MustRender(t, "identity", values)
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
	values["sessions"].(map[string]any)["hours"] = 10
	if charttest.Deployment(t, charttest.MustRender(t, "identity", values)).Spec.Template.Annotations["ejustice.dev/config-sha256"] == pod.Annotations["ejustice.dev/config-sha256"] {
		t.Error("a changed value must restart pods")
	}
}

// What the chart sets must be what the module reads, and the files must be
// mounted where it reads them.
func TestChartEnvironment(t *testing.T) {
	values := charttest.Values(t)
	pod := charttest.Deployment(t, charttest.MustRender(t, "identity", values)).Spec.Template.Spec
	env := map[string]string{}
	for _, variable := range pod.Containers[0].Env {
		env[variable.Name] = variable.Value
	}
	got, err := kit.ReadEnv(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	if want := (kit.Database{Host: "database-rw", Port: 5432, Name: "identity", SSLMode: "verify-full", RootCert: "/etc/ejustice-database/ca.crt"}); got.Database != want {
		t.Errorf("database = %+v, want %+v", got.Database, want)
	}
	if want := (kit.VaultSettings{Address: "https://vault.vault.svc:8200", CACert: "/etc/ejustice-vault/ca.crt", LoginPath: "auth/kubernetes/login",
		Role: "tenant-palestine-identity", JWTFile: "/var/run/ejustice-vault/token", Mount: "tenants/palestine", Name: "identity"}); got.Vault != want {
		t.Errorf("vault = %+v, want %+v", got.Vault, want)
	}
	for name, want := range map[string]string{"LISTEN_ADDRESS": ":8443", "HEALTH_ADDRESS": ":8081", "TLS_DIR": "/etc/ejustice-tls", "TLS_CLIENTS": "frontdoor.justice-palestine.svc,casemanagement.justice-palestine.svc"} {
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
	if volumes["tls"].Secret.SecretName != "identity-tls" || volumes["vault-ca"].ConfigMap.Name != "vault-ca" {
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
	manifest := charttest.MustRender(t, "identity", values)["deployment.yaml"]
	for _, word := range []string{"VAULT_CACERT", "vault-ca", "DATABASE_ROOT_CERT", "ejustice.dev/rotation"} {
		if strings.Contains(manifest, word) {
			t.Errorf("%s is set", word)
		}
	}
	platform["rotation"] = "2026-11"
	if got := charttest.Deployment(t, charttest.MustRender(t, "identity", values)).Spec.Template.Annotations["ejustice.dev/rotation"]; got != "2026-11" {
		t.Errorf("rotation = %q", got)
	}
}

func TestChartMigration(t *testing.T) { charttest.Migration(t, "identity") }

func TestChartPorts(t *testing.T) {
	manifests := charttest.MustRender(t, "identity", charttest.Values(t))
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
		if err := yaml.UnmarshalStrict([]byte(charttest.MustRender(t, "identity", values)["networkpolicy.yaml"]), &p); err != nil {
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
	if in := p.Ingress[0]; in.Ports[0].Port.IntValue() != 8443 || len(in.From) != 2 || in.From[0].NamespaceSelector != nil ||
		in.From[0].PodSelector.MatchLabels["ejustice.dev/module"] != "frontdoor" || in.From[1].PodSelector.MatchLabels["ejustice.dev/module"] != "casemanagement" {
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
	client := func(values map[string]any, i int) map[string]any {
		return values["clients"].([]any)[i].(map[string]any)
	}
	platform := func(values map[string]any) map[string]any { return values["platform"].(map[string]any) }
	for name, test := range map[string]struct {
		change func(values map[string]any)
		want   string
	}{
		"court code":          {func(v map[string]any) { court(v, 0)["code"] = "ram solh" }, "/courts/0/code"},
		"court code twice":    {func(v map[string]any) { court(v, 1)["code"] = "RAM-SOLH" }, "courts[1].code"},
		"misspelt field":      {func(v map[string]any) { court(v, 0)["nmaes"] = map[string]any{} }, "nmaes"},
		"no courts":           {func(v map[string]any) { delete(v, "courts") }, "courts"},
		"issuer":              {func(v map[string]any) { v["issuer"] = "http://courts.example.ps" }, "/issuer"},
		"client twice":        {func(v map[string]any) { client(v, 1)["id"] = "casemanagement" }, "clients[1].id"},
		"redirect":            {func(v map[string]any) { client(v, 0)["redirectURIs"] = []any{"https://*.example.ps/"} }, "/clients/0/redirectURIs/0"},
		"no redirect":         {func(v map[string]any) { client(v, 0)["redirectURIs"] = []any{} }, "/clients/0/redirectURIs"},
		"client by nothing":   {func(v map[string]any) { delete(client(v, 0), "module") }, "/clients/0"},
		"client in two ways":  {func(v map[string]any) { client(v, 0)["public"] = true }, "/clients/0"},
		"client by secret":    {func(v map[string]any) { client(v, 0)["secret"] = "x" }, "secret"},
		"sessions":            {func(v map[string]any) { v["sessions"].(map[string]any)["hours"] = 48 }, "/sessions/hours"},
		"first administrator": {func(v map[string]any) { v["firstAdministrator"] = map[string]any{"login": "A B"} }, "/firstAdministrator/login"},
		"unknown value":       {func(v map[string]any) { v["color"] = "blue" }, "color"},
		"image without digest": {func(v map[string]any) {
			platform(v)["images"] = map[string]any{"identity": "registry.example.org/identity:latest"}
		}, "/platform/images/identity"},
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
			_, err := charttest.Render(t, "identity", values)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want it to name %q", err, test.want)
			}
		})
	}
}
