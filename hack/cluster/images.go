package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ejustice.dev/operator/hack/oci"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// startRegistry runs the OCI registry that kubelet and the operator pull from.
func (c *cluster) startRegistry(ctx context.Context) error {
	config := fmt.Sprintf(`version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: %s}
  delete: {enabled: true}
http:
  addr: %s
  tls: {certificate: %s, key: %s, minimumtls: tls1.2}
`, state("registry"), registry, pki("registry.crt"), pki("registry.key"))
	if err := os.WriteFile(state("registry.yaml"), []byte(config), 0o600); err != nil {
		return err
	}
	if err := start("registry", "", c.bin("registry"), "serve", state("registry.yaml")); err != nil {
		return err
	}
	return await(ctx, "registry", 20*time.Second, listening(registry))
}

// pushPlatformImages puts what the cluster itself runs into the registry, and
// writes the references by digest to images.json for whoever deploys next.
func (c *cluster) pushPlatformImages(ctx context.Context) error {
	refs := map[string]string{}
	if made, err := os.Stat(imagesFile()); err == nil && !c.builtSince(made.ModTime()) {
		if refs, err = platformImages(); err != nil {
			return err
		}
	}
	transport, err := oci.Transport(pki("ca.crt"))
	if err != nil {
		return err
	}
	for name, make := range c.platformImageMakers(ctx) {
		if refs[name] != "" {
			continue
		}
		image, err := make()
		if err != nil {
			return fmt.Errorf("image %s: %w", name, err)
		}
		repository := registry + "/platform/" + name
		if refs[name], err = oci.Push(ctx, image, repository, transport); err != nil {
			return err
		}
		if name == "postgresql" {
			// CloudNativePG reads the major version from the tag; the digest pins it.
			refs[name] = strings.Replace(refs[name], "@", ":"+postgresMajor+"@", 1)
		}
	}
	b, err := json.MarshalIndent(refs, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(imagesFile(), b, 0o644)
}

func (c *cluster) platformImageMakers(ctx context.Context) map[string]func() (v1.Image, error) {
	program := func(name string) func() (v1.Image, error) {
		return func() (v1.Image, error) {
			return oci.Static([]oci.File{{Path: name, Source: c.bin(name)}}, "/"+name)
		}
	}
	return map[string]func() (v1.Image, error){
		"coredns":      program("coredns"),
		"cert-manager": program("cert-manager"),
		"gateway":      program("gateway"),
		// Vault starts no program that is not in its plugin folder.
		"vault": func() (v1.Image, error) {
			return oci.Static([]oci.File{
				{Path: "vault", Source: c.bin("vault")},
				{Path: "plugins/" + authPlugin, Source: c.bin(authPlugin)},
				{Path: "plugins/" + databasePlugin, Source: c.bin(databasePlugin)},
			}, "/vault")
		},
		"pause": func() (v1.Image, error) {
			pause, err := c.buildPause(ctx)
			if err != nil {
				return nil, err
			}
			return oci.Static([]oci.File{{Path: "pause", Source: pause}}, "/pause")
		},
		// The layout is what the operator expects when it copies itself into
		// a database pod.
		"cloudnative-pg": func() (v1.Image, error) {
			return oci.Static([]oci.File{
				{Path: "operator/manager_amd64", Source: c.bin("cloudnative-pg")},
				{Path: "manager", Target: "operator/manager_amd64"},
			}, "/manager")
		},
		"postgresql": func() (v1.Image, error) {
			postgres, err := c.buildPostgres(ctx)
			if err != nil {
				return nil, err
			}
			return oci.FromTar(postgres, v1.Config{
				User: "26:26",
				Env:  []string{"PATH=/usr/lib/postgresql/15/bin:/usr/bin:/bin", "LANG=C.UTF-8"},
			})
		},
	}
}

// builtSince says whether a program became another since then: its image, and
// the digests of Vault's plugins, must not fall behind.
func (c *cluster) builtSince(then time.Time) bool {
	links, _ := os.ReadDir(c.bin(""))
	return slices.ContainsFunc(links, func(link os.DirEntry) bool {
		info, err := link.Info()
		return err == nil && info.ModTime().After(then)
	})
}

func imagesFile() string { return state("images.json") }

func platformImages() (refs map[string]string, err error) {
	b, err := os.ReadFile(imagesFile())
	if err != nil {
		return nil, err
	}
	return refs, json.Unmarshal(b, &refs)
}

// buildPause makes the program that holds a pod's namespaces open.
func (c *cluster) buildPause(ctx context.Context) (string, error) {
	out := filepath.Join(c.cache, "builds", "pause")
	_, err := command(ctx, "env", "CGO_ENABLED=0", "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", out, "./hack/cluster/pause")
	return out, err
}

// The PostgreSQL image is Debian's, less what a server never reads: manuals,
// translations, and the JIT compiler, which is larger than all the rest.
const (
	postgresMajor    = "15"
	postgresPackages = "postgresql-" + postgresMajor + ",ca-certificates"
	postgresHook     = `set -e
sed -i -E 's/^postgres:x:[0-9]+:[0-9]+:/postgres:x:26:26:/' "$1/etc/passwd"
sed -i -E 's/^postgres:x:[0-9]+:/postgres:x:26:/' "$1/etc/group"
rm -rf "$1"/usr/share/doc "$1"/usr/share/man "$1"/usr/share/locale "$1"/usr/share/info \
  "$1"/usr/lib/x86_64-linux-gnu/libLLVM* "$1"/usr/lib/postgresql/15/lib/bitcode "$1"/usr/lib/postgresql/15/lib/llvmjit* \
  "$1"/usr/lib/x86_64-linux-gnu/libz3* "$1"/usr/share/perl "$1"/usr/lib/x86_64-linux-gnu/perl "$1"/var/lib/postgresql/15 \
  "$1"/var/cache/* "$1"/var/lib/apt/lists/* "$1"/var/log/*`
)

func (c *cluster) buildPostgres(ctx context.Context) (string, error) {
	pin, err := fingerprint("/nowhere", postgresPackages, postgresHook)
	if err != nil {
		return "", err
	}
	out := filepath.Join(c.cache, "builds", "postgresql-"+pin+".tar")
	if exists(out) {
		return out, nil
	}
	fmt.Printf("\n    building %-25s ", "postgresql")
	hook := filepath.Join(c.cache, "builds", "postgres-hook.sh")
	if err := os.WriteFile(hook, []byte("#!/bin/sh\n"+postgresHook+"\n"), 0o755); err != nil {
		return "", err
	}
	_, err = command(ctx, "env", "SOURCE_DATE_EPOCH=0", "mmdebstrap", "--mode=root", "--variant=essential", "--format=tar",
		"--include="+postgresPackages, "--customize-hook="+hook, "bookworm", out+".part")
	if err != nil {
		return "", err
	}
	return out, os.Rename(out+".part", out)
}
