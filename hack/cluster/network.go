package main

import (
	"context"
	"fmt"
	"os"
	"strings"
)

const (
	forwarding       = "/proc/sys/net/ipv4/ip_forward"
	forwardingWasOff = "forwarding-was-off" // in stateDir: down turns it off again
)

func turnOnForwarding() error {
	b, err := os.ReadFile(forwarding)
	if err != nil || strings.TrimSpace(string(b)) == "1" {
		return err
	}
	if err := os.WriteFile(state(forwardingWasOff), nil, 0o600); err != nil {
		return err
	}
	return os.WriteFile(forwarding, []byte("1"), 0o644)
}

// setUpNetwork makes the bridge, and for each node a network namespace with one
// leg on it. All rules of kube-proxy, CNI and NetworkPolicy live inside the
// namespaces and vanish with them; the host gets routes and two accept rules.
func setUpNetwork(ctx context.Context) error {
	if err := turnOnForwarding(); err != nil {
		return fmt.Errorf("turning on forwarding: %w", err)
	}
	if !exists("/sys/class/net/" + bridge) {
		if err := script(ctx, `
			ip link add `+bridge+` type bridge
			ip addr add `+hostIP+`/24 dev `+bridge+`
			ip link set `+bridge+` up`); err != nil {
			return err
		}
	}
	// Hosts with a container engine drop forwarded packets unless told otherwise.
	for _, way := range []string{"-i", "-o"} {
		if err := script(ctx, fmt.Sprintf(`iptables -w -C FORWARD %[1]s %[2]s -j ACCEPT 2>/dev/null || iptables -w -I FORWARD %[1]s %[2]s -j ACCEPT`, way, bridge)); err != nil {
			return err
		}
	}
	for _, n := range nodes {
		if err := n.setUpNetwork(ctx); err != nil {
			return fmt.Errorf("%s: %w", n.name, err)
		}
	}
	// The host reaches services the way a client outside does: through a node.
	return script(ctx, "ip route replace "+serviceCIDR+" via "+nodes[0].ip)
}

func (n node) setUpNetwork(ctx context.Context) error {
	if !exists("/run/netns/" + n.netns()) {
		if err := script(ctx, "ip netns add "+n.netns()); err != nil {
			return err
		}
	}
	if !exists("/sys/class/net/" + n.veth()) {
		if err := script(ctx, fmt.Sprintf(`
			ip link add %[1]s type veth peer name eth0 netns %[2]s
			ip link set %[1]s master %[3]s up`, n.veth(), n.netns(), bridge)); err != nil {
			return err
		}
	}
	inside := fmt.Sprintf(`
		ip link set lo up
		ip addr replace %s/24 dev eth0
		ip link set eth0 up
		ip route replace default via %s
		echo 1 > /proc/sys/net/ipv4/ip_forward
		# Without this, policies do not see what passes between pods of one node.
		echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables`, n.ip, hostIP)
	for _, other := range nodes {
		if other != n {
			inside += fmt.Sprintf("\nip route replace %s via %s", other.podCIDR, other.ip)
		}
	}
	if _, err := command(ctx, "nsenter", "--net=/run/netns/"+n.netns(), "--", "sh", "-ec", inside); err != nil {
		return err
	}
	return script(ctx, "ip route replace "+n.podCIDR+" via "+n.ip)
}

// veth is the host's end of the node's cable.
func (n node) veth() string { return "ejc-" + n.name }

func networkStands() bool {
	for _, n := range nodes {
		if !exists("/sys/class/net/"+n.veth()) || !exists("/run/netns/"+n.netns()) {
			return false
		}
	}
	return exists("/sys/class/net/" + bridge)
}

// removeNetwork takes the namespaces and the bridge away; their routes go with them.
func removeNetwork(ctx context.Context) error {
	var lines []string
	for _, n := range nodes {
		if exists("/sys/class/net/" + n.veth()) {
			lines = append(lines, "ip link del "+n.veth())
		}
		if exists("/run/netns/" + n.netns()) {
			lines = append(lines, "ip netns del "+n.netns())
		}
	}
	if exists("/sys/class/net/" + bridge) {
		lines = append(lines, "ip link del "+bridge)
	}
	for _, way := range []string{"-i", "-o"} {
		lines = append(lines, fmt.Sprintf("while iptables -w -D FORWARD %s %s -j ACCEPT 2>/dev/null; do :; done", way, bridge))
	}
	return script(ctx, strings.Join(lines, "\n"))
}

func script(ctx context.Context, text string) error {
	_, err := command(ctx, "sh", "-ec", text)
	return err
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
