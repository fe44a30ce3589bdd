package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// clean removes everything up ever makes on the host, whatever is left of it:
// after a clean run, after kill -9, after a reboot. It recognises its own by the
// records of pids, by cgroup, by mount point and by name, and touches nothing else.
func clean(ctx context.Context) error {
	if err := endProcesses(ctx); err != nil {
		return err
	}
	if err := unmountAll(); err != nil {
		return err
	}
	if err := removeNetwork(ctx); err != nil {
		return err
	}
	removeCgroups()
	removeTraces()
	if exists(state(forwardingWasOff)) {
		if err := os.WriteFile(forwarding, []byte("0"), 0o644); err != nil {
			return fmt.Errorf("turning off forwarding again: %w", err)
		}
	}
	if err := os.RemoveAll(stateDir); err != nil {
		return fmt.Errorf("removing %s: %w", stateDir, err)
	}
	return nil
}

// endProcesses ends the kubelets before the containers, or they would start new
// ones, and the containers before their shims.
func endProcesses(ctx context.Context) error {
	var components []int
	for _, p := range recorded() {
		if p.alive() {
			components = append(components, p.PID)
		}
	}
	for _, find := range []func() []int{
		func() []int { return alive(components) },
		containerProcesses,
		strays,
	} {
		if err := endAll(ctx, find); err != nil {
			return err
		}
	}
	return nil
}

// endAll asks kindly for five seconds, then not.
func endAll(ctx context.Context, find func() []int) error {
	begin := time.Now()
	for {
		pids := find()
		if len(pids) == 0 {
			return nil
		}
		sig := syscall.SIGTERM
		if time.Since(begin) > 5*time.Second {
			sig = syscall.SIGKILL
		}
		for _, pid := range pids {
			syscall.Kill(pid, sig)
		}
		if time.Since(begin) > 20*time.Second {
			return fmt.Errorf("processes %v do not end", pids)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func alive(pids []int) (left []int) {
	for _, pid := range pids {
		if _, err := startTime(pid); err == nil {
			left = append(left, pid)
		}
	}
	return left
}

// containerProcesses are those in a cgroup below a node's own.
func containerProcesses() []int {
	return processesWhere(func(dir string) bool {
		b, _ := os.ReadFile(filepath.Join(dir, "cgroup"))
		for _, n := range nodes {
			if strings.Contains(string(b), ":/"+n.cgroup()+"/") {
				return true
			}
		}
		return false
	})
}

// strays are programs of ours without a record: shims, which outlive the
// containerd that started them, and what was started a moment before a kill -9
// of up itself.
func strays() []int {
	return processesWhere(func(dir string) bool {
		exe, _ := os.Readlink(filepath.Join(dir, "exe"))
		cmdline, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		name := filepath.Base(exe)
		ours := strings.HasPrefix(name, "containerd") || name == "runc" || strings.Contains(exe, "/"+cacheName+"/")
		return ours && strings.Contains(string(cmdline), stateDir+"/")
	})
}

func processesWhere(ours func(procDir string) bool) (pids []int) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		pid, _ := strconv.Atoi(filepath.Base(dir))
		if _, err := startTime(pid); err == nil && ours(dir) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// unmountAll takes away every mount below stateDir, the newest first.
func unmountAll() error {
	for range 10 { // a mount may lie on another
		f, err := os.Open("/proc/self/mountinfo")
		if err != nil {
			return err
		}
		var points []string
		for lines := bufio.NewScanner(f); lines.Scan(); {
			fields := strings.Fields(lines.Text())
			if len(fields) > 4 && strings.HasPrefix(fields[4], stateDir+"/") {
				points = append(points, strings.ReplaceAll(fields[4], `\040`, " "))
			}
		}
		f.Close()
		if len(points) == 0 {
			return nil
		}
		for i := len(points) - 1; i >= 0; i-- {
			syscall.Unmount(points[i], syscall.MNT_DETACH)
		}
	}
	return errors.New("mounts below " + stateDir + " cannot be removed: see /proc/mounts")
}

// removeCgroups removes the nodes' cgroups, the innermost first. The kernel lets
// go of one some moments after its last process, so a few tries are needed.
func removeCgroups() {
	for range 20 {
		left := 0
		for _, n := range nodes {
			roots, _ := filepath.Glob("/sys/fs/cgroup/*/" + n.cgroup())
			for _, root := range append(roots, "/sys/fs/cgroup/"+n.cgroup()) {
				var dirs []string
				filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
					if err == nil && d.IsDir() {
						dirs = append(dirs, path)
					}
					return nil
				})
				for i := len(dirs) - 1; i >= 0; i-- {
					if syscall.Rmdir(dirs[i]) != nil {
						left++
					}
				}
			}
		}
		if left == 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// removeTraces removes what containerd, CNI and kubelet keep of ours at fixed
// places, and those places only if nothing else is in them.
func removeTraces() {
	logs, _ := filepath.Glob("/var/log/containers/*")
	for _, log := range logs {
		if target, err := os.Readlink(log); err == nil && strings.HasPrefix(target, stateDir+"/") {
			os.Remove(log)
		}
	}
	// containerd and CNI share these places with other programs of their kind: ours
	// are those that speak of the state folder.
	for pattern, inside := range map[string]string{
		"/var/lib/cni/results/*":        "",
		"/run/containerd/runc/k8s.io/*": "state.json",
	} {
		found, _ := filepath.Glob(pattern)
		for _, path := range found {
			if b, err := os.ReadFile(filepath.Join(path, inside)); err == nil && strings.Contains(string(b), stateDir+"/") {
				os.RemoveAll(path)
			}
		}
	}
	// A kubelet of the host's own keeps more there than sockets.
	if entries, _ := os.ReadDir("/var/lib/kubelet"); len(entries) == 1 {
		sockets, _ := filepath.Glob("/var/lib/kubelet/device-plugins/*")
		for _, socket := range sockets {
			os.Remove(socket)
		}
	}
	for _, dir := range []string{
		"/var/log/containers", "/var/lib/cni/results", "/var/lib/cni",
		"/var/lib/kubelet/device-plugins", "/var/lib/kubelet", "/run/containerd/runc/k8s.io",
		"/run/containerd/runc", "/run/containerd/s", "/run/containerd",
	} {
		os.Remove(dir) // refuses a folder that is not empty
	}
}
