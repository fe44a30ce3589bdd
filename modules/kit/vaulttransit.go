package kit

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"

	"github.com/hashicorp/vault/api"
)

const usingKey = "using the key in Vault"

// NewKey implements KeyWrapper.
func (v *Vault) NewKey(ctx context.Context) (plain []byte, wrapped string, err error) {
	data, err := v.transit(ctx, "datakey/plaintext", map[string]any{"bits": 256})
	if err != nil {
		return nil, "", err
	}
	wrapped, _ = data["ciphertext"].(string)
	plain, err = decodeBase64(data["plaintext"])
	if err != nil || wrapped == "" {
		return nil, "", v.settings.fault(usingKey, nil)
	}
	return plain, wrapped, nil
}

// Unwrap implements KeyWrapper.
func (v *Vault) Unwrap(ctx context.Context, wrapped []string) ([][]byte, error) {
	results, err := v.transitBatch(ctx, "decrypt", wrapped)
	if err != nil {
		return nil, err
	}
	plain := make([][]byte, len(wrapped))
	for i, result := range results {
		if key, err := decodeBase64(result["plaintext"]); err == nil && len(key) > 0 {
			plain[i] = key
		}
	}
	return plain, nil
}

// Rewrap implements KeyWrapper.
func (v *Vault) Rewrap(ctx context.Context, wrapped []string) ([]string, error) {
	results, err := v.transitBatch(ctx, "rewrap", wrapped)
	if err != nil {
		return nil, err
	}
	again := make([]string, len(wrapped))
	for i, result := range results {
		again[i], _ = result["ciphertext"].(string)
	}
	return again, nil
}

// transitBatch does the same to many wrapped keys in one request. One that
// cannot be used does not spoil the others.
func (v *Vault) transitBatch(ctx context.Context, operation string, wrapped []string) ([]map[string]any, error) {
	input := make([]map[string]string, len(wrapped))
	for i, text := range wrapped {
		input[i] = map[string]string{"ciphertext": text}
	}
	data, err := v.transit(ctx, operation, map[string]any{
		"batch_input": input, "partial_failure_response_code": http.StatusOK,
	})
	var fault *VaultError
	if errors.As(err, &fault) && fault.status == http.StatusBadRequest {
		// None of them can be used: Vault answers so to a batch of which all fail.
		v.log.Error("Vault cannot use any of some wrapped keys", "keys", len(wrapped), "answer", fault.answer)
		return make([]map[string]any, len(wrapped)), nil
	}
	if err != nil {
		return nil, err
	}
	list, _ := data["batch_results"].([]any)
	if len(list) != len(wrapped) {
		return nil, v.settings.fault(usingKey, fmt.Errorf("%d answers to %d questions", len(list), len(wrapped)))
	}
	results := make([]map[string]any, len(list))
	for i := range list {
		results[i], _ = list[i].(map[string]any)
	}
	return results, nil
}

func (v *Vault) transit(ctx context.Context, operation string, body map[string]any) (map[string]any, error) {
	return v.Write(ctx, v.settings.Mount+"/transit/"+operation+"/"+v.settings.Name, body)
}

// Read reads a path of Vault as the module, and Write writes one. They return the
// data of the answer, or a *VaultError.
func (v *Vault) Read(ctx context.Context, path string) (map[string]any, error) {
	return v.call(func(client *api.Client) (*api.Secret, error) { return client.Logical().ReadWithContext(ctx, path) })
}

// Write is described at Read.
func (v *Vault) Write(ctx context.Context, path string, body map[string]any) (map[string]any, error) {
	return v.call(func(client *api.Client) (*api.Secret, error) {
		return client.Logical().WriteWithContext(ctx, path, body)
	})
}

func (v *Vault) call(do func(*api.Client) (*api.Secret, error)) (map[string]any, error) {
	s := v.current()
	if s == nil {
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.fault != nil {
			return nil, v.fault
		}
		return nil, &VaultError{doing: signingIn, why: "not finished yet"}
	}
	answer, err := do(s.client)
	if err != nil || answer == nil {
		var said *api.ResponseError
		if errors.As(err, &said) && said.StatusCode == http.StatusForbidden {
			v.lookAgain() // the token may have been revoked
		}
		return nil, v.settings.fault(usingKey, err)
	}
	return answer.Data, nil
}

func decodeBase64(value any) ([]byte, error) {
	text, ok := value.(string)
	if !ok {
		return nil, errors.New("no text")
	}
	return base64.StdEncoding.DecodeString(text)
}
