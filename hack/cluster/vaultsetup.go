package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"ejustice.dev/operator/hack/vault"
	"github.com/hashicorp/vault/api"
)

// What the minimal server does not have built in lies beside it as programs:
// how ServiceAccounts sign in, and how roles of a PostgreSQL are made.
const (
	authPlugin     = "vault-plugin-auth-kubernetes"
	databasePlugin = "postgresql-database-plugin"
)

// vaultPlugins are known to Vault by the names they have where they are built in,
// so that nobody who calls Vault can tell.
var vaultPlugins = []api.RegisterPluginInput{
	{Type: api.PluginTypeCredential, Name: "kubernetes", Command: authPlugin},
	{Type: api.PluginTypeDatabase, Name: "postgresql-database-plugin", Command: databasePlugin},
}

// prepareVault makes true what is not yet: audit, signing in by ServiceAccount,
// and the operator's narrow policy and role.
func (c *cluster) prepareVault(ctx context.Context, root *api.Client, policy string) error {
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"turning on the audit log", func() error { return enableAudit(ctx, root) }},
		{"registering the plugins", func() error { return c.registerPlugins(ctx, root) }},
		{"turning on sign-in by ServiceAccount", func() error { return enableKubernetesAuth(ctx, root) }},
		{"writing the operator's policy", func() error { return root.Sys().PutPolicyWithContext(ctx, "ejustice-operator", policy) }},
		{"writing the operator's role", func() error { return writeOperatorRole(ctx, root) }},
		{"revoking root tokens", func() error { return vault.RevokeRootTokens(ctx, root) }},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return nil
}

// enableAudit has each request and answer written to the pod's log, secrets
// hashed.
func enableAudit(ctx context.Context, root *api.Client) error {
	devices, err := root.Sys().ListAuditWithContext(ctx)
	if err != nil || devices["stdout/"] != nil {
		return err
	}
	return root.Sys().EnableAuditWithOptionsWithContext(ctx, "stdout", &api.EnableAuditOptions{
		Type: "file", Options: map[string]string{"file_path": "stdout"},
	})
}

// registerPlugins tells Vault the digests of the only programs it may start.
func (c *cluster) registerPlugins(ctx context.Context, root *api.Client) (err error) {
	for _, plugin := range vaultPlugins {
		if plugin.SHA256, err = digest(c.bin(plugin.Command)); err != nil {
			return err
		}
		known, err := root.Sys().GetPluginWithContext(ctx, &api.GetPluginInput{Name: plugin.Name, Type: plugin.Type})
		if err == nil && known.SHA256 == plugin.SHA256 {
			continue
		}
		if err != nil && !isNotFound(err) {
			return err
		}
		if err := root.Sys().RegisterPluginWithContext(ctx, &plugin); err != nil {
			return err
		}
	}
	return nil
}

func isNotFound(err error) bool {
	var answer *api.ResponseError
	return errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound
}

func enableKubernetesAuth(ctx context.Context, root *api.Client) error {
	methods, err := root.Sys().ListAuthWithContext(ctx)
	if err != nil {
		return err
	}
	if methods["kubernetes/"] == nil {
		if err := root.Sys().EnableAuthWithOptionsWithContext(ctx, "kubernetes", &api.EnableAuthOptions{Type: "kubernetes"}); err != nil {
			return err
		}
	}
	err = configureKubernetesAuth(ctx, root)
	if !isNotFound(err) {
		return err
	}
	// Its program was exchanged under it. Vault mounts it anew when it is next
	// unsealed, which the unsealer does within a second.
	if err := root.Sys().SealWithContext(ctx); err != nil {
		return err
	}
	if err := awaitActive(ctx, root); err != nil {
		return err
	}
	return configureKubernetesAuth(ctx, root)
}

// configureKubernetesAuth has Vault ask with its own pod's token, and trust the
// authority beside that.
func configureKubernetesAuth(ctx context.Context, root *api.Client) error {
	_, err := root.Logical().WriteWithContext(ctx, "auth/kubernetes/config", map[string]any{
		"kubernetes_host": "https://kubernetes.default.svc",
	})
	return err
}

func writeOperatorRole(ctx context.Context, root *api.Client) error {
	_, err := root.Logical().WriteWithContext(ctx, "auth/kubernetes/role/ejustice-operator", map[string]any{
		"bound_service_account_names":      []string{"ejustice-operator"},
		"bound_service_account_namespaces": []string{"ejustice-system"},
		"audience":                         "vault",
		"token_policies":                   []string{"ejustice-operator"},
		"token_ttl":                        "20m",
		"token_max_ttl":                    "4h",
	})
	return err
}

func digest(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
