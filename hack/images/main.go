// Command images builds the operator's and the modules' images and charts
// without a container engine, pushes them to an OCI registry, and writes what a
// cluster needs to install them: images.json and catalog.yaml.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/hack/oci"
	"golang.org/x/sync/errgroup"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// release is the platform release this repository builds: the name of its
// ModuleCatalog.
const release = "0.1.0"

// modules are the folders below charts/, modules/ and cmd/ that tenants run.
var modules = []string{"casemanagement", "frontdoor", "identity"}

const operator = "operator"

func main() {
	registry := flag.String("registry", "", "where to push, for example registry.example.org/ejustice")
	ca := flag.String("ca", "", "file with the registry's certificate authority, if it is not a public one")
	out := flag.String("out", "_artifacts", "folder to write images.json and catalog.yaml to")
	flag.Parse()
	if *registry == "" {
		fmt.Fprintln(os.Stderr, "images: say where to push with --registry")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *registry, *ca, *out); err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, registry, ca, out string) error {
	transport, err := oci.Transport(ca)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(out, "bin"), 0o755); err != nil {
		return err
	}
	programs := append([]string{operator}, modules...)
	if err := build(ctx, programs, filepath.Join(out, "bin")); err != nil {
		return err
	}
	refs := make([]string, len(programs))
	group, groupCtx := errgroup.WithContext(ctx)
	for i, name := range programs {
		group.Go(func() (err error) {
			refs[i], err = pushImage(groupCtx, filepath.Join(out, "bin", name), registry+"/"+name, transport)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	images := map[string]string{}
	for i, name := range programs {
		images[name] = refs[i]
	}
	catalog, err := pushCharts(ctx, registry, images, transport)
	if err != nil {
		return err
	}
	return write(out, images, catalog)
}

// build compiles all programs at once, so that what they share is compiled once.
func build(ctx context.Context, programs []string, dir string) error {
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", dir + "/"}
	for _, name := range programs {
		args = append(args, "./cmd/"+name)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if b, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building: %w\n%s", err, b)
	}
	return nil
}

func pushImage(ctx context.Context, program, repository string, transport http.RoundTripper) (string, error) {
	name := filepath.Base(program)
	image, err := oci.Static([]oci.File{{Path: name, Source: program}}, "/"+name)
	if err != nil {
		return "", fmt.Errorf("image %s: %w", name, err)
	}
	return oci.Push(ctx, image, repository, transport)
}

func pushCharts(ctx context.Context, registry string, images map[string]string, transport http.RoundTripper) (*v1alpha1.ModuleCatalog, error) {
	catalog := &v1alpha1.ModuleCatalog{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "ModuleCatalog"},
		ObjectMeta: metav1.ObjectMeta{Name: release},
	}
	for _, name := range modules {
		dir := filepath.Join("charts", name)
		c, err := loader.Load(dir)
		if err != nil {
			return nil, fmt.Errorf("chart %s: %w", name, err)
		}
		digest, err := oci.PushChart(ctx, dir, c.Metadata, registry+"/charts/"+name, transport)
		if err != nil {
			return nil, err
		}
		module, err := catalogModule(name, c.Metadata)
		if err != nil {
			return nil, err
		}
		module.Chart = v1alpha1.CatalogChart{Ref: "oci://" + registry + "/charts/" + name, Digest: digest}
		module.Images = []v1alpha1.CatalogImage{{Name: v1alpha1.ModuleName(name), Ref: images[name]}}
		catalog.Spec.Modules = append(catalog.Spec.Modules, module)
	}
	return catalog, nil
}

// catalogModule reads what only the module itself knows.
func catalogModule(name string, meta *chart.Metadata) (v1alpha1.CatalogModule, error) {
	migrations, err := filepath.Glob(filepath.Join("modules", name, "migrations", "*.sql"))
	return v1alpha1.CatalogModule{
		Name:          v1alpha1.ModuleName(name),
		Version:       v1alpha1.Version(meta.Version),
		Database:      len(migrations) > 0,
		SchemaVersion: int32(len(migrations)),
	}, err
}

func write(out string, images map[string]string, catalog *v1alpha1.ModuleCatalog) error {
	b, err := json.MarshalIndent(images, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, "images.json"), b, 0o644); err != nil {
		return err
	}
	if b, err = yaml.Marshal(catalog); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, "catalog.yaml"), b, 0o644)
}
