package vaulttest

import (
	"fmt"
	"testing"

	"github.com/hashicorp/vault/api"

	"ejustice.dev/operator/modules/kit"
)

const secretPolicy = `
path "%[1]s/kv/data/%[2]s/*" { capabilities = ["read"] }
path "%[1]s/kv/data/%[2]s/%[3]s" { capabilities = ["create", "read"] }
`

// AllowSecret mounts the engine of secrets and lets a module of Module keep one
// there, once.
func (s *Server) AllowSecret(t testing.TB, settings kit.VaultSettings, secret string) {
	t.Helper()
	if err := s.Root.Sys().Mount(mount+"/kv", &api.MountInput{Type: "kv", Options: map[string]string{"version": "2"}}); err != nil {
		t.Fatalf("mount kv: %v", err)
	}
	rules := fmt.Sprintf(policy, mount, settings.Name) + fmt.Sprintf(secretPolicy, mount, settings.Name, secret)
	if err := s.Root.Sys().PutPolicy(settings.Name, rules); err != nil {
		t.Fatal(err)
	}
}

// Secret reads a module's secret as root; nil when there is none.
func (s *Server) Secret(t testing.TB, settings kit.VaultSettings, name string) map[string]any {
	t.Helper()
	secret, err := s.Root.Logical().Read(mount + "/kv/data/" + settings.Name + "/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if secret == nil {
		return nil
	}
	data, _ := secret.Data["data"].(map[string]any)
	return data
}
