package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// component is a program of the cluster, built from the pinned module in
// components/<name>, or in another's folder that it shares. A folder without a
// module of its own belongs to this repository's.
type component struct {
	name    string
	folder  string
	pkg     string   // what to build there
	ldflags string   // beside -s -w
	tags    string   // build tags
	names   []string // other names the binary is called by
}

const kubernetesVersion = "v1.36.3"

var components = []component{
	{
		name: "kubernetes", pkg: ".",
		ldflags: "-X k8s.io/component-base/version.gitVersion=" + kubernetesVersion +
			" -X k8s.io/client-go/pkg/version.gitVersion=" + kubernetesVersion,
		names: []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl"},
	},
	{name: "etcd", pkg: "go.etcd.io/etcd/server/v3"},
	{name: "registry", pkg: "github.com/distribution/distribution/v3/cmd/registry"},
	{name: "coredns", pkg: "."},
	{name: "provisioner", pkg: "."},
	{name: "kube-router", pkg: "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"},
	{
		name: "cloudnative-pg", pkg: "github.com/cloudnative-pg/cloudnative-pg/cmd/manager",
		ldflags: "-X github.com/cloudnative-pg/cloudnative-pg/pkg/versions.buildVersion=1.30.0",
	},
	{name: "cert-manager", pkg: "."},
	// Without the tag come the clients of every cloud and database Vault knows.
	{name: "vault", pkg: ".", tags: "minimal"},
	{name: authPlugin, folder: "vault", pkg: "github.com/hashicorp/vault-plugin-auth-kubernetes/cmd/vault-plugin-auth-kubernetes"},
	{name: databasePlugin, folder: "vault", pkg: "github.com/hashicorp/vault/plugins/database/postgresql/postgresql-database-plugin"},
	{name: "unsealer", pkg: "."},
	{name: "gateway", pkg: "."},
}

// buildAll builds what the cache lacks, one after the other: the compiler uses
// every core by itself.
func (c *cluster) buildAll(ctx context.Context) error {
	for _, comp := range components {
		if err := c.build(ctx, comp); err != nil {
			return err
		}
	}
	return c.writeManifests(ctx)
}

// assets are what tests outside the cluster run: an apiserver with its etcd, and
// a Vault with its plugins.
var assets = []string{"kubernetes", "etcd", "vault", authPlugin, databasePlugin}

// buildAssets builds the assets and prints where they are.
func (c *cluster) buildAssets(ctx context.Context) error {
	for _, comp := range components {
		if !slices.Contains(assets, comp.name) {
			continue
		}
		if err := c.build(ctx, comp); err != nil {
			return err
		}
	}
	if err := c.gatherPlugins(); err != nil {
		return err
	}
	if err := c.writeManifests(ctx); err != nil {
		return err
	}
	fmt.Printf("export KUBEBUILDER_ASSETS=%s\nexport EJUSTICE_ASSETS=%s\n", filepath.Join(c.cache, "bin"), c.cache)
	fmt.Printf("export EJUSTICE_VAULT_BIN=%s\nexport EJUSTICE_VAULT_PLUGINS=%s\n", c.bin("vault"), c.plugins())
	return nil
}

func (c *cluster) plugins() string { return filepath.Join(c.cache, "plugins") }

// gatherPlugins makes a folder of nothing but plugins, because Vault registers
// all it finds in one; and of files, because Vault follows no link out of it.
func (c *cluster) gatherPlugins() error {
	// Made anew beside the old one, so that it is never half full for long.
	part := c.plugins() + ".part"
	if err := errors.Join(os.RemoveAll(part), os.MkdirAll(part, 0o755)); err != nil {
		return err
	}
	for _, name := range []string{authPlugin, databasePlugin} {
		built, err := filepath.EvalSymlinks(c.bin(name))
		if err != nil {
			return err
		}
		if err := os.Link(built, filepath.Join(part, name)); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(c.plugins()); err != nil {
		return err
	}
	return os.Rename(part, c.plugins())
}

// build makes <cache>/builds/<name>-<pin> and lets <cache>/bin point at it. The
// pin is everything the result depends on.
func (c *cluster) build(ctx context.Context, comp component) error {
	dir := filepath.Join(c.source, "components", cmp.Or(comp.folder, comp.name))
	pins := comp.pins()
	if !exists(filepath.Join(dir, "go.mod")) {
		own, err := os.ReadFile(filepath.Join(c.source, "..", "..", "go.mod"))
		if err != nil {
			return err
		}
		pins = append(pins, string(own))
	}
	pin, err := fingerprint(dir, pins...)
	if err != nil {
		return err
	}
	out := filepath.Join(c.cache, "builds", comp.name+"-"+pin)
	if !exists(out) {
		if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
			return err
		}
		// Not where assets prints what a shell is to read.
		fmt.Fprintf(os.Stderr, "\n    building %-25s ", comp.name)
		cmd := exec.CommandContext(ctx, "go", "build", "-mod=readonly", "-trimpath", "-buildvcs=false",
			"-tags", comp.tags, "-ldflags", "-s -w "+comp.ldflags, "-o", out+".part", comp.pkg)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
		if b, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("building %s: %w\n%s", comp.name, err, indent(string(b)))
		}
		if err := os.Rename(out+".part", out); err != nil {
			return err
		}
	}
	for _, name := range append([]string{comp.name}, comp.names...) {
		if err := link(out, c.bin(name)); err != nil {
			return err
		}
	}
	return nil
}

// pins are what the result depends on beside the files of its folder.
func (c component) pins() []string {
	pins := []string{c.pkg, c.ldflags, runtime.Version()}
	if c.tags != "" { // added only where there are some: older results stay good
		pins = append(pins, c.tags)
	}
	return pins
}

// fingerprint is a digest of a folder's files and of whatever else matters.
func fingerprint(dir string, more ...string) (string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return "", err
	}
	slices.Sort(files)
	h := sha256.New()
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(h, filepath.Base(file))
		_, err = io.Copy(h, f)
		f.Close()
		if err != nil {
			return "", err
		}
	}
	fmt.Fprintln(h, more)
	return fmt.Sprintf("%x", h.Sum(nil))[:16], nil
}

// link points name at target, replacing what it pointed at.
func link(target, name string) error {
	if now, err := os.Readlink(name); err == nil && now == target {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if err := os.RemoveAll(name); err != nil {
		return err
	}
	return os.Symlink(target, name)
}

// packages are the Debian packages the nodes stand on, each with a file that
// shows it is there.
var packages = map[string]string{
	"containerd":                  "/usr/bin/containerd",
	"runc":                        "/usr/sbin/runc",
	"containernetworking-plugins": "/usr/lib/cni/bridge",
	"iptables":                    "/usr/sbin/iptables",
	"ipset":                       "/usr/sbin/ipset",
	"iproute2":                    "/bin/ip",
	"conntrack":                   "/usr/sbin/conntrack",
	"mmdebstrap":                  "/usr/bin/mmdebstrap",
	"util-linux":                  "/usr/bin/nsenter",
	"mount":                       "/bin/mount",
}

func installPackages(ctx context.Context) error {
	var missing []string
	for name, file := range packages {
		if !exists(file) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("install %s (or their like) with this system's package manager, then run this again", strings.Join(missing, ", "))
	}
	if _, err := command(ctx, "apt-get", "-q", "update"); err != nil {
		return err
	}
	_, err := command(ctx, append([]string{"env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qy", "--no-install-recommends", "install"}, missing...)...)
	return err
}
