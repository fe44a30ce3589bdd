package kit

import (
	"context"
	"errors"
	"net/http"

	"github.com/hashicorp/vault/api"
)

const keepingSecret = "keeping a secret in Vault"

// KeepOnce stores a secret under a name in the module's part of the tenant's kv
// engine (version 2) unless there is one, and returns the one that is there. The
// module's policy must let it create and read <mount>/kv/data/<module>/<name>; it
// need not be able to change it.
func (v *Vault) KeepOnce(ctx context.Context, name string, secret map[string]string) (map[string]string, error) {
	s := v.current()
	if s == nil {
		return nil, &VaultError{doing: signingIn, why: "not finished yet"}
	}
	path := v.settings.Mount + "/kv/data/" + v.settings.Name + "/" + name
	there, err := s.client.Logical().ReadWithContext(ctx, path)
	var said *api.ResponseError
	if err != nil && !(errors.As(err, &said) && said.StatusCode == http.StatusNotFound) {
		return nil, v.settings.fault(keepingSecret, err)
	}
	if kept := kvData(there); kept != nil {
		return kept, nil
	}
	// "cas": 0 has Vault refuse when somebody else was faster.
	if _, err := s.client.Logical().WriteWithContext(ctx, path, map[string]any{"data": secret, "options": map[string]any{"cas": 0}}); err != nil {
		return nil, v.settings.fault(keepingSecret, err)
	}
	return secret, nil
}

// kvData reads the texts of a secret, or nil when there is none.
func kvData(secret *api.Secret) map[string]string {
	if secret == nil {
		return nil
	}
	data, _ := secret.Data["data"].(map[string]any)
	if data == nil {
		return nil
	}
	texts := map[string]string{}
	for name, value := range data {
		texts[name], _ = value.(string)
	}
	return texts
}
