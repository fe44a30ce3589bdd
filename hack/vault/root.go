package vault

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/vault/api"
)

// AsRoot does something that no standing token may do. No root token outlives
// it: whoever holds the unseal key can make one at any time, so none is kept.
func (l Local) AsRoot(ctx context.Context, do func(*api.Client) error) error {
	client, err := l.Client()
	if err != nil {
		return err
	}
	token, err := l.RootToken(ctx)
	if err != nil {
		return err
	}
	defer revoke(context.WithoutCancel(ctx), client, token)
	client.SetToken(token)
	return do(client)
}

// RootToken makes a root token of the unseal key. It is the caller's to revoke.
func (l Local) RootToken(ctx context.Context) (string, error) {
	client, err := l.Client()
	if err != nil {
		return "", err
	}
	key, err := l.key()
	if err != nil {
		return "", err
	}
	// An attempt that was broken off stands in the way of the next.
	if err := client.Sys().GenerateRootCancelWithContext(ctx); err != nil {
		return "", fmt.Errorf("clearing an earlier attempt at a root token: %w", err)
	}
	attempt, err := client.Sys().GenerateRootInitWithContext(ctx, "", "")
	if err != nil {
		return "", fmt.Errorf("beginning a root token: %w", err)
	}
	made, err := client.Sys().GenerateRootUpdateWithContext(ctx, key, attempt.Nonce)
	if err != nil {
		return "", fmt.Errorf("making a root token: %w", err)
	}
	return decode(made.EncodedRootToken, attempt.OTP)
}

// decode takes the one-time pad away that Vault laid over the token.
func decode(encoded, pad string) (string, error) {
	b, err := base64.RawStdEncoding.DecodeString(encoded)
	if err != nil || len(b) != len(pad) {
		return "", errors.New("the root token is not of the form this program knows")
	}
	for i := range b {
		b[i] ^= pad[i]
	}
	return string(b), nil
}

// RevokeRootTokens ends every root token but the caller's own: the one Vault
// made with its keys, and what a broken-off run left.
func RevokeRootTokens(ctx context.Context, root *api.Client) error {
	own, err := root.Auth().Token().LookupSelfWithContext(ctx)
	if err != nil {
		return err
	}
	list, err := root.Logical().ListWithContext(ctx, "auth/token/accessors")
	if err != nil || list == nil {
		return err
	}
	accessors, _ := list.Data["keys"].([]any)
	for _, entry := range accessors {
		accessor, _ := entry.(string)
		if accessor == own.Data["accessor"] {
			continue
		}
		token, err := root.Auth().Token().LookupAccessorWithContext(ctx, accessor)
		if err != nil {
			continue // it ended meanwhile
		}
		policies, err := token.TokenPolicies()
		if err != nil {
			return err
		}
		if !slices.Contains(policies, "root") {
			continue
		}
		if err := root.Auth().Token().RevokeAccessorWithContext(ctx, accessor); err != nil {
			return err
		}
	}
	return nil
}

func revoke(ctx context.Context, client *api.Client, token string) error {
	defer client.ClearToken()
	client.SetToken(token)
	if err := client.Auth().Token().RevokeSelfWithContext(ctx, ""); err != nil {
		return fmt.Errorf("revoking a root token: %w", err)
	}
	return nil
}
