// Package vault reaches the local cluster's Vault server from the host: to set
// it up, and for tests that do to it what an administrator or an accident does.
// The operator and the modules know nothing of it.
package vault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/vault/api"
)

// ServiceIP is the server's fixed service address, which the host has a route to.
const (
	ServiceIP = "10.96.0.20"
	Address   = "https://" + ServiceIP + ":8200"
)

// Local is a folder with what the host keeps of the server.
type Local string

// CA is the authority of the server's certificate.
func (l Local) CA() string { return filepath.Join(string(l), "ca.crt") }

// KeyFile holds the one unseal key, readable by its owner alone. A country's own
// Vault has several keys with several people, or unseals by a key service; this
// one guards made-up cases and ends with the cluster.
func (l Local) KeyFile() string { return filepath.Join(string(l), "unseal-key") }

// Client has no token: it may ask how the server is.
func (l Local) Client() (*api.Client, error) {
	config := api.DefaultConfig()
	if config.Error != nil {
		return nil, config.Error
	}
	config.Address = Address
	if err := config.ConfigureTLS(&api.TLSConfig{CACert: l.CA()}); err != nil {
		return nil, fmt.Errorf("trusting Vault's authority: %w", err)
	}
	client, err := api.NewClient(config)
	if err != nil {
		return nil, err
	}
	client.ClearToken() // one of the caller's environment is for another server
	return client, nil
}

// Initialise makes the server's keys, unless it has them, and leaves it unsealed.
// The root token that comes with the keys is not kept: RevokeRootTokens ends it.
func (l Local) Initialise(ctx context.Context, client *api.Client) error {
	done, err := client.Sys().InitStatusWithContext(ctx)
	if err != nil {
		return fmt.Errorf("asking whether Vault has keys: %w", err)
	}
	if done {
		return l.unseal(ctx, client)
	}
	keys, err := client.Sys().InitWithContext(ctx, &api.InitRequest{SecretShares: 1, SecretThreshold: 1})
	if err != nil {
		return fmt.Errorf("initialising Vault: %w", err)
	}
	if err := os.WriteFile(l.KeyFile(), []byte(keys.KeysB64[0]), 0o600); err != nil {
		return fmt.Errorf("keeping Vault's unseal key: %w", err)
	}
	return l.unseal(ctx, client)
}

func (l Local) unseal(ctx context.Context, client *api.Client) error {
	key, err := l.key()
	if err != nil {
		return err
	}
	if _, err := client.Sys().UnsealWithContext(ctx, key); err != nil {
		return fmt.Errorf("unsealing Vault: %w", err)
	}
	return nil
}

func (l Local) key() (string, error) {
	b, err := os.ReadFile(l.KeyFile())
	if errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("%s is gone, and with it what opens Vault: end the cluster and begin afresh", l.KeyFile())
	}
	return strings.TrimSpace(string(b)), err
}
