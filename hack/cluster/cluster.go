package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"ejustice.dev/operator/hack/vault"
)

// Addresses of the cluster. Everything hangs on one bridge of the host: the
// control plane and the registry answer on the host's end of it, each node lives
// in a network namespace of its own behind it.
const (
	stateDir  = "/var/lib/ejustice-cluster"
	cacheName = "ejustice-operator" // in the user's cache folder

	bridge      = "ejc0"
	cniNetwork  = "ejustice"
	hostIP      = "10.89.0.1"
	networkCIDR = "10.89.0.0/24"
	podCIDR     = "10.244.0.0/16"
	serviceCIDR = "10.96.0.0/16"
	apiService  = "10.96.0.1"
	dnsService  = "10.96.0.10"
	// Fixed like Vault's: people's hosts file and tests name it.
	gatewayService = "10.96.0.30"
	registry       = hostIP + ":5000"
	apiserver      = "https://" + hostIP + ":6443"
)

// node is one member of the cluster. Its jurisdiction is the ISO 3166-1 code of
// the country it pretends to stand in.
type node struct {
	name, ip, podCIDR, jurisdiction string
}

var nodes = []node{
	{"node1", "10.89.0.11", "10.244.1.0/24", "PS"},
	{"node2", "10.89.0.12", "10.244.2.0/24", "CI"},
	{"node3", "10.89.0.13", "10.244.3.0/24", "LC"},
}

func (n node) netns() string { return "ejc-" + n.name }
func (n node) dir(sub ...string) string {
	return filepath.Join(append([]string{stateDir, n.name}, sub...)...)
}
func (n node) containerdSocket() string { return n.dir("containerd.sock") }
func (n node) cgroup() string           { return "ejustice-" + n.name }

// cluster is where its parts are kept: what is built lives in the cache and
// outlives the cluster, what runs lives in stateDir and goes with it.
type cluster struct {
	source string // this folder
	cache  string
}

func newCluster() (*cluster, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("finding the cache folder: %w", err)
	}
	source, err := filepath.Abs("hack/cluster")
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(source, "components")); err != nil {
		return nil, errors.New("run this from the top of the repository")
	}
	return &cluster{source: source, cache: filepath.Join(cache, cacheName)}, nil
}

func (c *cluster) bin(name string) string { return filepath.Join(c.cache, "bin", name) }
func state(sub ...string) string          { return filepath.Join(append([]string{stateDir}, sub...)...) }
func kubeconfig(user string) string       { return state("pki", user+".kubeconfig") }

// up makes every step true that is not yet. What an interrupted or killed run
// left behind is either still good and kept, or removed first.
func (c *cluster) up(ctx context.Context) error {
	if os.Geteuid() != 0 {
		return errors.New("nodes need network namespaces and mounts: run as root")
	}
	unlock, err := lock()
	if err != nil {
		return err
	}
	defer unlock()
	if c.broken() {
		if err := step("clearing what an earlier run left", func() error { return clean(ctx) }); err != nil {
			return err
		}
	}
	steps := []struct {
		what string
		do   func(context.Context) error
	}{
		{"host packages", installPackages},
		{"programs", c.buildAll},
		{"keys and certificates", func(context.Context) error { return writePKI() }},
		{"network of the nodes", setUpNetwork},
		{"image registry", c.startRegistry},
		{"images of the platform", c.pushPlatformImages},
		{"etcd and the control plane", c.startControlPlane},
		{"nodes", c.startNodes},
		{"DNS, storage and CloudNativePG", c.applyAddons},
		{"Vault and cert-manager", c.applyCertManagerAndVault},
		{"Gateway", c.applyGateway},
	}
	for _, s := range steps {
		if err := step(s.what, func() error { return s.do(ctx) }); err != nil {
			return err
		}
	}
	return c.linkTools()
}

// broken says whether what stands in stateDir cannot be built on: the host was
// restarted, or the processes that hold the cluster's state were killed.
func (c *cluster) broken() bool {
	if _, err := os.Stat(stateDir); err != nil {
		return false
	}
	for _, p := range recorded() {
		if !p.alive() {
			return true
		}
	}
	return !networkStands() && len(recorded()) > 0
}

func (c *cluster) down(ctx context.Context) error {
	unlock, err := lock()
	if err != nil {
		return err
	}
	defer unlock()
	return step("ending the cluster", func() error { return clean(ctx) })
}

// lock keeps two runs from working on the cluster at once.
func lock() (func(), error) {
	f, err := os.OpenFile("/run/ejustice-cluster.lock", os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, errors.New("another run is working on the cluster: wait for it to end")
	}
	return func() { f.Close() }, nil
}

// step prints what is being done and how long it took.
func step(what string, do func() error) error {
	begin := time.Now()
	fmt.Printf("  %-34s ", what)
	err := do()
	if err != nil {
		fmt.Printf("failed after %.1fs\n", time.Since(begin).Seconds())
		return fmt.Errorf("%s: %w", what, err)
	}
	fmt.Printf("%6.1fs\n", time.Since(begin).Seconds())
	return nil
}

// linkTools puts kubectl and helm's configuration where the README says.
func (c *cluster) linkTools() error {
	dir, err := filepath.Abs("bin")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return link(c.bin("kubectl"), filepath.Join(dir, "kubectl"))
}

func (c *cluster) printEnv() error {
	if _, err := os.Stat(kubeconfig("admin")); err != nil {
		return errors.New("there is no cluster: run make cluster-up")
	}
	fmt.Printf("export KUBECONFIG=%s\nexport PATH=%s:$PATH\n", kubeconfig("admin"), filepath.Join(c.cache, "bin"))
	fmt.Printf("export VAULT_ADDR=%s\nexport VAULT_CACERT=%s\n", vault.Address, localVault().CA())
	return nil
}

func (c *cluster) status() error {
	procs := recorded()
	if len(procs) == 0 {
		fmt.Println("no cluster: run make cluster-up")
		return nil
	}
	dead := 0
	for _, p := range procs {
		if p.alive() {
			fmt.Printf("  %-28s running, pid %d\n", p.Name, p.PID)
			continue
		}
		dead++
		fmt.Printf("  %-28s ENDED; its last lines in %s:\n%s\n", p.Name, p.log(), indent(tail(p.log(), 5)))
	}
	if dead > 0 {
		return fmt.Errorf("%d of %d programs ended: run make cluster-up, which begins afresh", dead, len(procs))
	}
	fmt.Printf("logs: %s\n", state("logs"))
	return c.kubectl(context.Background(), "get", "nodes", "-L", "ejustice.dev/jurisdiction")
}
