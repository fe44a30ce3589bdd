package main

import (
	"context"
	"crypto/sha256"
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
// components/<name>.
type component struct {
	name    string
	pkg     string   // what to build there
	ldflags string   // beside -s -w
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

// buildAssets builds what tests against an apiserver need and prints where it is.
func (c *cluster) buildAssets(ctx context.Context) error {
	for _, comp := range components[:2] {
		if err := c.build(ctx, comp); err != nil {
			return err
		}
	}
	if err := c.writeManifests(ctx); err != nil {
		return err
	}
	fmt.Printf("export KUBEBUILDER_ASSETS=%s\nexport EJUSTICE_ASSETS=%s\n", filepath.Join(c.cache, "bin"), c.cache)
	return nil
}

// build makes <cache>/builds/<name>-<pin> and lets <cache>/bin point at it. The
// pin is everything the result depends on.
func (c *cluster) build(ctx context.Context, comp component) error {
	dir := filepath.Join(c.source, "components", comp.name)
	pin, err := fingerprint(dir, comp.pkg, comp.ldflags, runtime.Version())
	if err != nil {
		return err
	}
	out := filepath.Join(c.cache, "builds", comp.name+"-"+pin)
	if !exists(out) {
		if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
			return err
		}
		fmt.Printf("\n    building %-25s ", comp.name)
		cmd := exec.CommandContext(ctx, "go", "build", "-mod=readonly", "-trimpath", "-buildvcs=false",
			"-ldflags", "-s -w "+comp.ldflags, "-o", out+".part", comp.pkg)
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

// writeManifests keeps CloudNativePG's install manifest, which is part of its
// module, where the cluster and the controller tests find it.
func (c *cluster) writeManifests(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}} {{.Version}}", "github.com/cloudnative-pg/cloudnative-pg")
	cmd.Dir = filepath.Join(c.source, "components", "cloudnative-pg")
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off")
	b, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("finding CloudNativePG's manifest: %w", err)
	}
	dir, version, _ := strings.Cut(strings.TrimSpace(string(b)), " ")
	if dir == "" { // its module is not unpacked when the program came from the cache
		download := exec.CommandContext(ctx, "go", "mod", "download", "github.com/cloudnative-pg/cloudnative-pg")
		download.Dir, download.Env = cmd.Dir, cmd.Env
		if b, err := download.CombinedOutput(); err != nil {
			return fmt.Errorf("fetching CloudNativePG's manifest: %w\n%s", err, b)
		}
		return c.writeManifests(ctx)
	}
	manifest, err := os.ReadFile(filepath.Join(dir, "releases", "cnpg-"+strings.TrimPrefix(version, "v")+".yaml"))
	if err != nil {
		return fmt.Errorf("reading CloudNativePG's manifest: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(c.cache, "manifests"), 0o755); err != nil {
		return err
	}
	return os.WriteFile(c.manifest("cnpg"), manifest, 0o644)
}

func (c *cluster) manifest(name string) string {
	return filepath.Join(c.cache, "manifests", name+".yaml")
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
