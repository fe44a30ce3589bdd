package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ejustice.dev/operator/hack/vault"
	"github.com/hashicorp/vault/api"
)

func localVault() vault.Local { return vault.Local(state("vault")) }

// applyCertManagerAndVault installs both: Vault's certificate is cert-manager's
// first.
func (c *cluster) applyCertManagerAndVault(ctx context.Context) error {
	images, err := platformImages()
	if err != nil {
		return err
	}
	if err := c.applyCertManager(ctx, images["cert-manager"]); err != nil {
		return err
	}
	if err := c.applyVault(ctx, images["vault"]); err != nil {
		return err
	}
	return c.setUpVault(ctx)
}

func (c *cluster) applyCertManager(ctx context.Context, image string) error {
	crds, err := os.ReadFile(c.manifest("cert-manager-crds"))
	if err != nil {
		return err
	}
	if err := c.apply(ctx, crds); err != nil {
		return err
	}
	if err := c.kubectlApply(ctx, "cert-manager.yaml", map[string]string{"Image": image}); err != nil {
		return err
	}
	// Its kinds are served a moment after they are made known.
	if err := c.kubectlQuiet(ctx, "wait", "--for=condition=Established", "--timeout=60s",
		"crd/issuers.cert-manager.io", "crd/clusterissuers.cert-manager.io", "crd/certificates.cert-manager.io"); err != nil {
		return err
	}
	if err := c.kubectlApply(ctx, "issuers.yaml", map[string]string{"ClusterIP": vault.ServiceIP}); err != nil {
		return err
	}
	if err := c.awaitDeployment(ctx, "cert-manager", "cert-manager"); err != nil {
		return err
	}
	if err := c.kubectlQuiet(ctx, "wait", "--for=condition=Ready", "--timeout=60s", "clusterissuer/demo-public"); err != nil {
		return err
	}
	return c.kubectlQuiet(ctx, "-n", "vault", "wait", "--for=condition=Ready", "--timeout=60s", "certificate/vault")
}

func (c *cluster) applyVault(ctx context.Context, image string) error {
	out, err := command(ctx, c.bin("kubectl"), "--kubeconfig="+kubeconfig("admin"),
		"-n", "vault", "get", "secret", "vault-tls", "-o", `jsonpath={.data.ca\.crt}`)
	if err != nil {
		return err
	}
	ca, err := base64.StdEncoding.DecodeString(out)
	if err != nil {
		return fmt.Errorf("reading the authority of Vault's certificate: %w", err)
	}
	if err := os.MkdirAll(state("vault"), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(localVault().CA(), ca, 0o644); err != nil {
		return err
	}
	return c.kubectlApply(ctx, "vault.yaml", map[string]string{
		"Image": image, "ClusterIP": vault.ServiceIP,
		"CA": "    " + strings.ReplaceAll(strings.TrimSpace(string(ca)), "\n", "\n    "),
	})
}

// setUpVault gives Vault its keys, has it unsealed from then on, and makes true
// what the operator relies on.
func (c *cluster) setUpVault(ctx context.Context) error {
	local := localVault()
	client, err := local.Client()
	if err != nil {
		return err
	}
	client.SetMaxRetries(0) // await asks again, and says for what it waits
	if err := await(ctx, "vault", 90*time.Second, func(ctx context.Context) error {
		return local.Initialise(ctx, client)
	}); err != nil {
		return err
	}
	if err := start("unsealer", "", c.bin("unsealer"),
		"--address="+vault.Address, "--ca="+local.CA(), "--key="+local.KeyFile()); err != nil {
		return err
	}
	// A pod that is on its way out would still answer.
	if err := c.kubectlQuiet(ctx, "-n", "vault", "rollout", "status", "statefulset/vault", "--timeout=120s"); err != nil {
		return err
	}
	if err := awaitActive(ctx, client); err != nil {
		return err
	}
	policy, err := os.ReadFile(filepath.Join(c.source, "..", "..", "config", "vault", "operator-policy.hcl"))
	if err != nil {
		return err
	}
	return local.AsRoot(ctx, func(root *api.Client) error { return c.prepareVault(ctx, root, string(policy)) })
}

// awaitActive waits until Vault answers requests: unsealed alone is not enough,
// it first takes the lead of its cluster of one.
func awaitActive(ctx context.Context, client *api.Client) error {
	return await(ctx, "unsealer", 60*time.Second, func(ctx context.Context) error {
		health, err := client.Sys().HealthWithContext(ctx)
		if err == nil && (health.Sealed || health.Standby) {
			err = errors.New("not active yet")
		}
		return err
	})
}

// printRootToken is for people and for tests that do what only an administrator
// may: up leaves no root token behind.
func printRootToken(ctx context.Context) error {
	token, err := localVault().RootToken(ctx)
	if err != nil {
		return err
	}
	fmt.Println(token)
	return nil
}
