package trace

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"ejustice.dev/operator/modules/trace/chain"
)

// VaultCalls reads and writes paths in Vault as the module that is signed in
// there, and answers with the data of Vault's answer.
type VaultCalls interface {
	Read(ctx context.Context, path string) (map[string]any, error)
	Write(ctx context.Context, path string, body map[string]any) (map[string]any, error)
}

// VaultSigner signs with an Ed25519 key of Vault's transit engine, which never
// leaves it. The module's policy needs
//
//	path "<mount>/transit/sign/<key>" { capabilities = ["update"] }
//	path "<mount>/transit/keys/<key>" { capabilities = ["read"] }
//
// and the key is made with type=ed25519, exportable=false. When it is rotated, new
// anchors are signed with the new version; the old ones stay valid as long as
// Vault still has theirs.
type VaultSigner struct {
	Vault VaultCalls
	// Mount is the prefix of the tenant's engines, as in kit.VaultSettings.
	Mount string
	// Key is the name of the transit key.
	Key string
}

// Sign implements Signer. See Vault's "Sign data" (HTTP API of transit).
func (s VaultSigner) Sign(ctx context.Context, message []byte) ([]byte, string, error) {
	data, err := s.Vault.Write(ctx, s.Mount+"/transit/sign/"+s.Key, map[string]any{
		"input": base64.StdEncoding.EncodeToString(message),
	})
	if err != nil {
		return nil, "", fmt.Errorf("sign with the key in Vault: %w", err)
	}
	answer, _ := data["signature"].(string) // vault:v3:…
	text, found := strings.CutPrefix(answer, "vault:v")
	version, text, more := strings.Cut(text, ":")
	signature, err := base64.StdEncoding.DecodeString(text)
	if !found || !more || err != nil || len(signature) != ed25519.SignatureSize {
		return nil, "", errors.New("sign with the key in Vault: the answer holds no Ed25519 signature; check the key's type")
	}
	return signature, s.id(version), nil
}

// PublicKeys implements Signer. See Vault's "Read key" (HTTP API of transit).
func (s VaultSigner) PublicKeys(ctx context.Context) (chain.Keys, error) {
	data, err := s.Vault.Read(ctx, s.Mount+"/transit/keys/"+s.Key)
	if err != nil {
		return nil, fmt.Errorf("read the public keys from Vault: %w", err)
	}
	versions, _ := data["keys"].(map[string]any)
	keys := chain.Keys{}
	for version, value := range versions {
		described, _ := value.(map[string]any)
		text, _ := described["public_key"].(string)
		key, err := base64.StdEncoding.DecodeString(text)
		if _, number := strconv.Atoi(version); number != nil || err != nil || len(key) != ed25519.PublicKeySize {
			return nil, errors.New("read the public keys from Vault: the answer holds no Ed25519 key; check the key's type")
		}
		keys[s.id(version)] = key
	}
	if len(keys) == 0 {
		return nil, errors.New("read the public keys from Vault: there is none")
	}
	return keys, nil
}

func (s VaultSigner) id(version string) string { return s.Key + "/" + version }
