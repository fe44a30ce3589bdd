package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// moduleManifest is YAML that a component's module carries beside its code.
type moduleManifest struct {
	name, component, module string
	files                   []string // inside the module; VERSION stands for its version
}

var moduleManifests = []moduleManifest{
	{"cnpg", "cloudnative-pg", "github.com/cloudnative-pg/cloudnative-pg", []string{"releases/cnpg-VERSION.yaml"}},
	{"cert-manager-crds", "cert-manager", "github.com/cert-manager/cert-manager", []string{"deploy/crds/*.yaml"}},
	{"gateway-api-crds", "gateway", "sigs.k8s.io/gateway-api", []string{
		"config/crd/standard/*_gatewayclasses.yaml", "config/crd/standard/*_gateways.yaml", "config/crd/standard/*_tlsroutes.yaml",
	}},
}

// writeManifests keeps them where the cluster and the controller tests find them.
func (c *cluster) writeManifests(ctx context.Context) error {
	for _, m := range moduleManifests {
		if err := c.writeManifest(ctx, m); err != nil {
			return fmt.Errorf("manifest %s: %w", m.name, err)
		}
	}
	return nil
}

func (c *cluster) writeManifest(ctx context.Context, m moduleManifest) error {
	dir, version, err := c.findModule(ctx, m)
	if err != nil {
		return err
	}
	var all [][]byte
	for _, pattern := range m.files {
		files, err := filepath.Glob(filepath.Join(dir, strings.ReplaceAll(pattern, "VERSION", strings.TrimPrefix(version, "v"))))
		if err != nil {
			return err
		}
		if len(files) == 0 {
			return fmt.Errorf("module %s %s has no %s", m.module, version, pattern)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			all = append(all, b)
		}
	}
	if err := os.MkdirAll(filepath.Dir(c.manifest(m.name)), 0o755); err != nil {
		return err
	}
	return os.WriteFile(c.manifest(m.name), bytes.Join(all, []byte("\n---\n")), 0o644)
}

// findModule fetches the module where it is not unpacked, as when its program
// came from the cache.
func (c *cluster) findModule(ctx context.Context, m moduleManifest) (dir, version string, err error) {
	run := func(args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Dir = filepath.Join(c.source, "components", m.component)
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off")
		out, err := cmd.Output()
		if err != nil {
			return "", fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
		}
		return strings.TrimSpace(string(out)), nil
	}
	for range 2 {
		out, err := run("list", "-m", "-f", "{{.Dir}} {{.Version}}", m.module)
		if err != nil {
			return "", "", err
		}
		if dir, version, _ = strings.Cut(out, " "); dir != "" {
			return dir, version, nil
		}
		if _, err := run("mod", "download", m.module); err != nil {
			return "", "", err
		}
	}
	return "", "", fmt.Errorf("module %s cannot be unpacked", m.module)
}

func (c *cluster) manifest(name string) string {
	return filepath.Join(c.cache, "manifests", name+".yaml")
}
