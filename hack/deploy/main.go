// Command deploy installs what hack/images built on the cluster that KUBECONFIG
// names: the operator by its Helm chart, and the platform release's catalog.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/hack/tenant"
	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/storage/driver"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	namespace = "ejustice-system"
	release   = "ejustice-operator"
	caBundle  = "registry-authority"
	vaultCA   = "vault-authority"
)

func main() {
	artifacts := flag.String("artifacts", "_artifacts", "folder that hack/images wrote to")
	ca := flag.String("ca", "", "file with the registry's certificate authority, if it is not a public one")
	postgres := flag.String("postgres-image", "", "PostgreSQL image of embedded databases: repository:major@sha256:…")
	podCIDRs := flag.String("pod-cidrs", "", "networks of the cluster's pods, joined by commas: modules answer clients outside them")
	vaultAddress := flag.String("vault-address", "", "Vault's address, https://…")
	vaultAuthority := flag.String("vault-ca", "", "file with the authority of Vault's certificate, if it is not a public one")
	publicIssuer := flag.String("public-issuer", "", "cert-manager ClusterIssuer for the domains of tenants that name none")
	gateway := flag.String("gateway", "", "Gateway that leads the tenants' domains to their front doors, as namespace/name")
	registries := flag.String("allowed-registries", "", "further registries of tenants' images, joined by commas: CloudNativePG's, if it is another")
	flag.Parse()
	if *postgres == "" {
		fmt.Fprintln(os.Stderr, "deploy: say which PostgreSQL image tenants run with --postgres-image")
		os.Exit(2)
	}
	if *vaultAddress == "" {
		fmt.Fprintln(os.Stderr, "deploy: say where Vault is with --vault-address")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	log.SetOutput(io.Discard) // Helm repeats there what it returns as errors
	access := map[string]any{"address": *vaultAddress}
	values := map[string]any{"postgresImage": *postgres, "publicIssuer": *publicIssuer, "gateway": *gateway, "vault": access}
	for key, given := range map[string]string{"podCIDRs": *podCIDRs, "allowedRegistries": *registries} {
		var list []any // Helm's schema check knows no other kind of list
		for item := range strings.SplitSeq(given, ",") {
			if item != "" {
				list = append(list, item)
			}
		}
		if list != nil {
			values[key] = list
		}
	}
	authorities := map[string]string{caBundle: *ca, vaultCA: *vaultAuthority}
	if *ca != "" {
		values["caConfigMap"] = caBundle
	}
	if *vaultAuthority != "" {
		access["caConfigMap"] = vaultCA
	}
	if err := run(ctx, *artifacts, authorities, values); err != nil {
		fmt.Fprintln(os.Stderr, "deploy:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, artifacts string, authorities map[string]string, values map[string]any) error {
	c, err := tenant.Connect()
	if err != nil {
		return err
	}
	b, err := os.ReadFile(filepath.Join(artifacts, "images.json"))
	if err != nil {
		return fmt.Errorf("run hack/images first: %w", err)
	}
	var images map[string]string
	if err := json.Unmarshal(b, &images); err != nil {
		return fmt.Errorf("reading images.json: %w", err)
	}
	values["image"] = images["operator"]
	if err := c.Apply(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: map[string]string{
		"pod-security.kubernetes.io/enforce": "restricted",
	}}}); err != nil {
		return err
	}
	for name, file := range authorities {
		if file == "" {
			continue
		}
		if err := applyAuthority(ctx, c, name, file); err != nil {
			return err
		}
	}
	if err := install(ctx, values); err != nil {
		return fmt.Errorf("installing the operator's chart: %w", err)
	}
	return applyCatalog(ctx, c, filepath.Join(artifacts, "catalog.yaml"))
}

func applyAuthority(ctx context.Context, c *tenant.Cluster, name, file string) error {
	pem, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading the authority for %s: %w", name, err)
	}
	return c.Apply(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
		Data:       map[string]string{"ca.crt": string(pem)},
	})
}

// install installs or upgrades the chart and waits until the operator runs.
// What is installed already with the same chart and values is left alone.
func install(ctx context.Context, values map[string]any) error {
	flags := genericclioptions.NewConfigFlags(true)
	ns := namespace
	flags.Namespace = &ns
	config := new(action.Configuration)
	if err := config.Init(flags, namespace, "secret", func(string, ...any) {}); err != nil {
		return err
	}
	chart, err := loader.Load("charts/ejustice-operator")
	if err != nil {
		return err
	}
	last, err := config.Releases.Last(release)
	if errors.Is(err, driver.ErrReleaseNotFound) {
		do := action.NewInstall(config)
		do.ReleaseName, do.Namespace, do.Wait, do.Timeout = release, namespace, true, 3*time.Minute
		_, err = do.RunWithContext(ctx, chart, values)
		return err
	}
	if err != nil {
		return err
	}
	if last.Info.Status.IsPending() {
		// An earlier run was killed half-way: without this Helm refuses for ever.
		last.SetStatus("failed", "interrupted")
		if err := config.Releases.Update(last); err != nil {
			return err
		}
	}
	do := action.NewUpgrade(config)
	do.Namespace, do.Wait, do.Timeout, do.MaxHistory = namespace, true, 3*time.Minute, 5
	do.DryRun = true
	preview, err := do.RunWithContext(ctx, release, chart, values)
	if err != nil || preview.Manifest == last.Manifest && last.Info.Status == "deployed" {
		return err
	}
	do.DryRun = false
	_, err = do.RunWithContext(ctx, release, chart, values)
	return err
}

// applyCatalog publishes the release. A release never changes, but a developer's
// working copy of one does: the old catalog then makes room for the new.
func applyCatalog(ctx context.Context, c *tenant.Cluster, file string) error {
	var catalog v1alpha1.ModuleCatalog
	if err := tenant.Read(file, &catalog); err != nil {
		return err
	}
	var live v1alpha1.ModuleCatalog
	err := c.Get(ctx, client.ObjectKeyFromObject(&catalog), &live)
	switch {
	case apierrors.IsNotFound(err):
	case err != nil:
		return fmt.Errorf("reading the catalog: %w", err)
	case equality.Semantic.DeepEqual(live.Spec, catalog.Spec):
		return nil
	default:
		fmt.Printf("  release %s was rebuilt: its catalog is replaced\n", catalog.Name)
		if err := c.Delete(ctx, &live); err != nil {
			return fmt.Errorf("removing the earlier build's catalog: %w", err)
		}
	}
	return c.Apply(ctx, &catalog)
}
