package charttest

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"ejustice.dev/operator/modules/kit"
)

// Migration checks how a module's chart has its database brought up to date: by a
// container that signs in by a token of its own, which the module is not given,
// nor the container the module's token or the key of its certificate.
func Migration(t *testing.T, module string) {
	t.Helper()
	pod := Deployment(t, MustRender(t, module, Values(t))).Spec.Template.Spec
	if len(pod.InitContainers) != 1 || len(pod.InitContainers[0].Args) != 1 || pod.InitContainers[0].Args[0] != "migrate" {
		t.Fatalf("init containers = %+v", pod.InitContainers)
	}
	migration := pod.InitContainers[0]
	env := map[string]string{}
	for _, variable := range migration.Env {
		env[variable.Name] = variable.Value
	}
	store, runtime, err := kit.ReadMigrationEnv(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	if store.Vault.Role != "tenant-palestine."+module+".migrate" || store.Vault.Name != module+".migrate" || runtime != "palestine_"+module+".app" ||
		store.Database.RootCert != "/etc/ejustice-database/ca.crt" || !*migration.SecurityContext.ReadOnlyRootFilesystem {
		t.Errorf("migration = %+v, %s", store, runtime)
	}
	if at := mounts(migration); !at["migration-token"] || at["vault-token"] || at["tls"] || !at["database-ca"] || !at["vault-ca"] {
		t.Errorf("the migration has %v", at)
	}
	if at := mounts(pod.Containers[0]); at["migration-token"] {
		t.Errorf("the module has %v", at)
	}
	for _, volume := range pod.Volumes {
		if volume.Name == "migration-token" && volume.Projected.Sources[0].ServiceAccountToken.Audience != "vault-migrate" {
			t.Errorf("token = %+v", volume.Projected.Sources[0].ServiceAccountToken)
		}
	}
}

func mounts(container corev1.Container) map[string]bool {
	names := map[string]bool{}
	for _, mount := range container.VolumeMounts {
		names[mount.Name] = true
	}
	return names
}
