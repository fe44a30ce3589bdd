package kit_test

import (
	"context"
	"maps"
	"strings"
	"testing"

	"ejustice.dev/operator/modules/kit/vaulttest"
)

// What was kept first stays, whoever comes later, and the module could not change
// it if it tried.
func TestKeepOnce(t *testing.T) {
	m := signIn(t, vaulttest.Usual)
	ctx := context.Background()
	first := map[string]string{"login": "administrator", "credential": "one"}
	if _, err := m.KeepOnce(ctx, "first", first); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("without leave: %v", err)
	}
	m.server.AllowSecret(t, m.settings, "first")
	for _, secret := range []map[string]string{first, {"login": "administrator", "credential": "two"}} {
		if kept, err := m.KeepOnce(ctx, "first", secret); err != nil || !maps.Equal(kept, first) {
			t.Errorf("kept %v, %v", kept, err)
		}
	}
	if there := m.server.Secret(t, m.settings, "first"); there["credential"] != "one" {
		t.Errorf("in Vault: %v", there)
	}
	if _, err := m.KeepOnce(ctx, "second", first); err == nil {
		t.Error("the module may keep more than it was allowed")
	}
	if strings.Contains(m.log.String(), "one") && strings.Contains(m.log.String(), "credential") {
		t.Errorf("the log tells the secret:\n%s", m.log.String())
	}
}
