package trace_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"testing"

	"github.com/hashicorp/vault/api"

	"ejustice.dev/operator/modules/kit/vaulttest"
	"ejustice.dev/operator/modules/trace"
	"ejustice.dev/operator/modules/trace/chain"
)

// vaultClient calls Vault as whoever the client's token is of.
type vaultClient struct{ *api.Client }

func (c vaultClient) Read(ctx context.Context, path string) (map[string]any, error) {
	return data(c.Logical().ReadWithContext(ctx, path))
}

func (c vaultClient) Write(ctx context.Context, path string, body map[string]any) (map[string]any, error) {
	return data(c.Logical().WriteWithContext(ctx, path, body))
}

func data(secret *api.Secret, err error) (map[string]any, error) {
	if err != nil {
		return nil, err
	}
	if secret == nil {
		return nil, errors.New("nothing there")
	}
	return secret.Data, nil
}

// vaultSigner is a real Vault with a key, and a token that may do what the
// package says and nothing else.
func vaultSigner(t *testing.T, server *vaulttest.Server, keyType string) trace.VaultSigner {
	t.Helper()
	const mount, key = "tenants/test", "casemanagement-trace"
	if err := server.Root.Sys().Mount(mount+"/transit", &api.MountInput{Type: "transit"}); err != nil {
		t.Fatal(err)
	}
	server.Write(t, mount+"/transit/keys/"+key, map[string]any{"type": keyType})
	if err := server.Root.Sys().PutPolicy("trace", fmt.Sprintf(`
path "%[1]s/transit/sign/%[2]s" { capabilities = ["update"] }
path "%[1]s/transit/keys/%[2]s" { capabilities = ["read"] }`, mount, key)); err != nil {
		t.Fatal(err)
	}
	token, err := server.Root.Auth().Token().Create(&api.TokenCreateRequest{Policies: []string{"trace"}, NoParent: true})
	if err != nil {
		t.Fatal(err)
	}
	client, err := server.Root.Clone()
	if err != nil {
		t.Fatal(err)
	}
	client.SetToken(token.Auth.ClientToken)
	return trace.VaultSigner{Vault: vaultClient{client}, Mount: mount, Key: key}
}

// A real Vault signs, the key is rotated, and what each version signed is
// verified; what is signed by a key that the verifier does not trust is not.
func TestVaultSigns(t *testing.T) {
	t.Parallel()
	f, server := start(t), vaulttest.Start(t)
	signer := vaultSigner(t, server, "ed25519")
	anchor := func() {
		t.Helper()
		f.fill(t, 1, "AAA")
		if made, err := trace.Anchor(ctx, f.pool, signer); err != nil || !made {
			t.Fatalf("made %v, error %v", made, err)
		}
	}
	anchor()
	before, err := signer.PublicKeys(ctx)
	if err != nil || len(before) != 1 {
		t.Fatalf("%v, error %v", before, err)
	}
	server.Write(t, "tenants/test/transit/keys/casemanagement-trace/rotate", nil)
	anchor()
	report, err := trace.Verify(ctx, f.pool, signer, trace.Filter{})
	if err != nil || !report.OK() || report.Anchors != 2 {
		t.Errorf("%s, error %v", report, err)
	}
	report, err = chain.Verify(ctx, trace.Live{DB: f.pool}, before, chain.Options{})
	if err != nil || report.OK() || report.Breaks[0].Kind != chain.BadSignature || report.Breaks[0].Anchor != 2 {
		t.Errorf("with the first key only: %s, error %v", report, err)
	}
	signature, id, err := signer.Sign(ctx, []byte("message"))
	keys, _ := signer.PublicKeys(ctx)
	if err != nil || id != "casemanagement-trace/2" || !ed25519.Verify(keys[id], []byte("message"), signature) {
		t.Errorf("signed with %q, error %v", id, err)
	}
	server.Seal(t)
	f.fill(t, 1, "AAA")
	if made, err := trace.Anchor(ctx, f.pool, signer); err == nil || made {
		t.Errorf("sealed: made %v, error %v", made, err)
	}
	server.Unseal(t)
	if made, err := trace.Anchor(ctx, f.pool, signer); err != nil || !made {
		t.Errorf("unsealed: made %v, error %v", made, err)
	}
}

func TestVaultWithAnotherKindOfKey(t *testing.T) {
	t.Parallel()
	signer := vaultSigner(t, vaulttest.Start(t), "ecdsa-p256")
	if _, err := signer.PublicKeys(ctx); err == nil {
		t.Error("a key that is not Ed25519 was taken")
	}
	if _, _, err := signer.Sign(ctx, []byte("message")); err == nil {
		t.Error("a signature that is not Ed25519 was taken")
	}
	signer.Key = "other"
	if _, _, err := signer.Sign(ctx, []byte("message")); err == nil {
		t.Error("a key that the policy does not name was used")
	}
}
