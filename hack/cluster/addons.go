package main

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"text/template"
)

//go:embed manifests
var manifests embed.FS

// applyAddons installs what runs inside the cluster before any operator does.
func (c *cluster) applyAddons(ctx context.Context) error {
	images, err := platformImages()
	if err != nil {
		return err
	}
	if err := c.kubectlApply(ctx, "storage.yaml", storageClasses()); err != nil {
		return err
	}
	if err := start("provisioner", "", c.bin("provisioner"), "--kubeconfig="+kubeconfig("provisioner"), "--root="+stateDir); err != nil {
		return err
	}
	if err := c.kubectlApply(ctx, "coredns.yaml", map[string]string{"Image": images["coredns"], "ClusterIP": dnsService}); err != nil {
		return err
	}
	if err := c.applyCloudNativePG(ctx, images["cloudnative-pg"]); err != nil {
		return err
	}
	for namespace, deployment := range map[string]string{"kube-system": "coredns", "cnpg-system": "cnpg-controller-manager"} {
		if err := c.awaitDeployment(ctx, namespace, deployment); err != nil {
			return err
		}
	}
	return nil
}

type storageClass struct{ Name, Jurisdiction string }

// storageClasses is one for each jurisdiction that a node stands in.
func storageClasses() []storageClass {
	var classes []storageClass
	for _, n := range nodes {
		class := storageClass{"local-" + strings.ToLower(n.jurisdiction), n.jurisdiction}
		if !slices.Contains(classes, class) {
			classes = append(classes, class)
		}
	}
	return classes
}

var cnpgImage = regexp.MustCompile(`ghcr\.io/cloudnative-pg/cloudnative-pg:[^\s"]+`)

// applyCloudNativePG applies its own release manifest with its image taken from
// the local registry.
func (c *cluster) applyCloudNativePG(ctx context.Context, image string) error {
	manifest, err := os.ReadFile(c.manifest("cnpg"))
	if err != nil {
		return err
	}
	return c.apply(ctx, cnpgImage.ReplaceAll(manifest, []byte(image)))
}

func (c *cluster) awaitDeployment(ctx context.Context, namespace, name string) error {
	err := c.kubectlQuiet(ctx, "-n", namespace, "rollout", "status", "deployment/"+name, "--timeout=180s")
	if err != nil {
		pods, _ := command(ctx, c.bin("kubectl"), "--kubeconfig="+kubeconfig("admin"), "-n", namespace, "describe", "pods")
		return fmt.Errorf("%w\n%s", err, indent(lastLines(pods, 20)))
	}
	return nil
}

func lastLines(s string, n int) string {
	all := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-n):], "\n")
}

// kubectlApply applies one of the embedded manifests, filled in with data.
func (c *cluster) kubectlApply(ctx context.Context, name string, data any) error {
	t, err := template.ParseFS(manifests, "manifests/"+name)
	if err != nil {
		return err
	}
	var manifest bytes.Buffer
	if err := t.Execute(&manifest, data); err != nil {
		return err
	}
	return c.apply(ctx, manifest.Bytes())
}

func (c *cluster) apply(ctx context.Context, manifest []byte) error {
	cmd := exec.CommandContext(ctx, c.bin("kubectl"), "--kubeconfig="+kubeconfig("admin"), "apply", "--server-side", "--force-conflicts", "-f", "-")
	cmd.Stdin = bytes.NewReader(manifest)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("kubectl apply: %w\n%s", err, indent(string(out)))
	}
	return nil
}

func (c *cluster) kubectlQuiet(ctx context.Context, args ...string) error {
	_, err := command(ctx, append([]string{c.bin("kubectl"), "--kubeconfig=" + kubeconfig("admin")}, args...)...)
	return err
}

func (c *cluster) kubectl(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, c.bin("kubectl"), append([]string{"--kubeconfig=" + kubeconfig("admin")}, args...)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}
