package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// startNodes runs, for each node and inside its network namespace, containerd,
// kubelet, kube-proxy and kube-router, and waits until the node is Ready.
func (c *cluster) startNodes(ctx context.Context) error {
	if err := c.kubectlApply(ctx, "rbac.yaml", nil); err != nil {
		return err
	}
	for _, n := range nodes {
		if err := c.startNode(ctx, n); err != nil {
			return fmt.Errorf("%s: %w", n.name, err)
		}
	}
	for _, n := range nodes {
		if err := await(ctx, n.name+"-kubelet", 90*time.Second, func(ctx context.Context) error { return c.nodeReady(ctx, n) }); err != nil {
			return err
		}
		if err := start(n.name+"-kube-router", n.netns(), c.bin("kube-router"),
			"--kubeconfig="+kubeconfig("kube-router"), "--hostname-override="+n.name,
			"--run-router=false", "--run-firewall=true", "--run-service-proxy=false", "--run-loadbalancer=false",
			"--enable-cni=false", "--service-cluster-ip-range="+serviceCIDR,
		); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) nodeReady(ctx context.Context, n node) error {
	kubectl := func(args ...string) (string, error) {
		return command(ctx, append([]string{c.bin("kubectl"), "--kubeconfig=" + kubeconfig("admin")}, args...)...)
	}
	// The pods' addresses were chosen beforehand; telling the API keeps the two one.
	if _, err := kubectl("patch", "node", n.name, "--type=merge", "-p", fmt.Sprintf(`{"spec":{"podCIDR":%q,"podCIDRs":[%[1]q]}}`, n.podCIDR)); err != nil {
		return err
	}
	out, err := kubectl("get", "node", n.name, "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}`)
	if err == nil && strings.TrimSpace(out) != "True" {
		err = fmt.Errorf("node %s is not Ready", n.name)
	}
	return err
}

func (c *cluster) startNode(ctx context.Context, n node) error {
	if err := n.makeCgroups(); err != nil {
		return fmt.Errorf("making cgroups: %w", err)
	}
	images, err := platformImages()
	if err != nil {
		return err
	}
	if err := n.writeConfig(images["pause"]); err != nil {
		return err
	}
	if err := start(n.name+"-containerd", n.netns(), "containerd", "--config", n.dir("containerd.toml")); err != nil {
		return err
	}
	if err := await(ctx, n.name+"-containerd", 20*time.Second, func(context.Context) error {
		_, err := os.Stat(n.containerdSocket())
		return err
	}); err != nil {
		return err
	}
	if err := start(n.name+"-kubelet", n.netns(), c.bin("kubelet"),
		"--config="+n.dir("kubelet.yaml"), "--kubeconfig="+kubeconfig(n.name), "--root-dir="+n.dir("kubelet"),
		"--hostname-override="+n.name, "--node-ip="+n.ip,
		"--node-labels=ejustice.dev/jurisdiction="+n.jurisdiction,
	); err != nil {
		return err
	}
	return start(n.name+"-kube-proxy", n.netns(), c.bin("kube-proxy"), "--config="+n.dir("kube-proxy.yaml"))
}

// makeCgroups makes the cgroup below which all pods of the node live, so that
// they are told from everything else on the host.
func (n node) makeCgroups() error {
	const root = "/sys/fs/cgroup"
	if exists(root + "/cgroup.controllers") { // version 2: one tree
		if err := os.WriteFile(root+"/cgroup.subtree_control", []byte("+cpu +cpuset +memory +pids +io"), 0o644); err != nil {
			return err
		}
		return os.MkdirAll(filepath.Join(root, n.cgroup()), 0o755)
	}
	trees, err := filepath.Glob(root + "/*/tasks")
	if err != nil {
		return err
	}
	for _, tasks := range trees {
		dir := filepath.Join(filepath.Dir(tasks), n.cgroup())
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		// A cpuset starts empty and takes no process until it names some.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			if b, err := os.ReadFile(filepath.Join(filepath.Dir(tasks), file)); err == nil {
				if err := os.WriteFile(filepath.Join(dir, file), b, 0o644); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (n node) writeConfig(pauseImage string) error {
	files := map[string]string{
		"containerd.toml": `version = 2
root = "` + n.dir("containerd") + `"
state = "` + n.dir("containerd-state") + `"
oom_score = 0
[grpc]
  address = "` + n.containerdSocket() + `"
[plugins."io.containerd.internal.v1.opt"]
  path = "` + n.dir("opt") + `"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "` + pauseImage + `"
  # The host may not allow a lower score than a process has already.
  restrict_oom_score_adj = true
  # Below the state folder, mounts are told from other programs' and removed.
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "` + n.dir("cni") + `"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "` + n.dir("registries") + `"
`,
		"registries/" + registry + "/hosts.toml": `server = "https://` + registry + `"
[host."https://` + registry + `"]
  ca = "` + pki("ca.crt") + `"
`,
		"cni/10-ejustice.conflist": `{"cniVersion": "0.4.0", "name": "` + cniNetwork + `", "plugins": [{
  "type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
  "ipam": {"type": "host-local", "dataDir": "` + n.dir("addresses") + `",
    "ranges": [[{"subnet": "` + n.podCIDR + `"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
`,
		"kubelet.yaml": `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  x509: {clientCAFile: ` + pki("ca.crt") + `}
  webhook: {enabled: true}
authorization: {mode: Webhook}
address: ` + n.ip + `
tlsCertFile: ` + pki(n.name+".crt") + `
tlsPrivateKeyFile: ` + pki(n.name+".key") + `
clusterDNS: [` + dnsService + `]
clusterDomain: cluster.local
resolvConf: ` + n.dir("resolv.conf") + `
containerRuntimeEndpoint: unix://` + n.containerdSocket() + `
cgroupDriver: cgroupfs
cgroupRoot: /` + n.cgroup() + `
failCgroupV1: false
failSwapOn: false
oomScoreAdj: 0
podLogsDir: ` + n.dir("pods") + `
volumePluginDir: ` + n.dir("volume-plugins") + `
serializeImagePulls: false
maxPods: 200
# The host's disk is not this cluster's to guard.
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 200Mi, nodefs.available: 2%, imagefs.available: 2%}
`,
		"resolv.conf": "",
		"kube-proxy.yaml": `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: ` + kubeconfig("kube-proxy") + `}
hostnameOverride: ` + n.name + `
clusterCIDR: ` + podCIDR + `
mode: iptables
oomScoreAdj: 0
# These settings belong to the host, not to a network namespace.
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
`,
	}
	for name, content := range files {
		path := n.dir(name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		// kube-proxy ends itself when its file is written to, even with the same words.
		if b, err := os.ReadFile(path); err == nil && string(b) == content {
			continue
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return err
		}
	}
	return os.MkdirAll(n.dir("volumes"), 0o755)
}
