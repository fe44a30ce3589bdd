package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is the record of a program that up started. A pid alone may by now be
// somebody else's, so the kernel's start time of the process is kept with it.
type process struct {
	Name  string `json:"name"`
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks since boot, field 22 of /proc/<pid>/stat
	Boot  string `json:"boot"`  // the kernel's boot id: start times repeat across boots
}

func (p process) file() string { return state("run", p.Name+".json") }
func (p process) log() string  { return state("logs", p.Name+".log") }

func (p process) alive() bool {
	start, err := startTime(p.PID)
	return err == nil && start == p.Start && p.Boot == bootID()
}

// start runs a program in the background unless it runs already. netns is the
// network namespace it belongs in, or empty for the host's own.
func start(name, netns string, argv ...string) error {
	p := process{Name: name}
	if b, err := os.ReadFile(p.file()); err == nil && json.Unmarshal(b, &p) == nil && p.alive() {
		return nil
	}
	for _, dir := range []string{state("run"), state("logs")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	log, err := os.OpenFile(p.log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	if netns != "" {
		// nsenter replaces itself, so the pid stays; `ip netns exec` would hide
		// the cgroup mounts.
		argv = append([]string{"nsenter", "--net=/run/netns/" + netns, "--"}, argv...)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = stateDir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + stateDir, "OTEL_TRACES_EXPORTER=none"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", name, err)
	}
	p.PID, p.Boot = cmd.Process.Pid, bootID()
	if p.Start, err = startTime(p.PID); err != nil {
		return fmt.Errorf("%s ended at once:\n%s", name, indent(tail(p.log(), 15)))
	}
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	go cmd.Wait() // reaps it if it dies while we look
	return os.WriteFile(p.file(), b, 0o600)
}

func recorded() []process {
	files, _ := filepath.Glob(state("run", "*.json"))
	sort.Strings(files)
	var all []process
	for _, f := range files {
		var p process
		if b, err := os.ReadFile(f); err == nil && json.Unmarshal(b, &p) == nil {
			all = append(all, p)
		}
	}
	return all
}

// await asks until ok, or says which program's log to read.
func await(ctx context.Context, name string, limit time.Duration, ok func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := ok(ctx)
		if err == nil {
			return nil
		}
		p := process{Name: name}
		if b, e := os.ReadFile(p.file()); e == nil && json.Unmarshal(b, &p) == nil && !p.alive() {
			return fmt.Errorf("%s ended; the last lines of %s:\n%s", name, p.log(), indent(tail(p.log(), 15)))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s was not ready within %s (%w); the last lines of %s:\n%s", name, limit, err, p.log(), indent(tail(p.log(), 15)))
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func listening(addr string) func(context.Context) error {
	return func(ctx context.Context) error {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

func startTime(pid int) (uint64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name, in brackets, may hold spaces: count fields after it.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" {
		return 0, fmt.Errorf("process %d has ended", pid)
	}
	return strconv.ParseUint(fields[19], 10, 64)
}

func bootID() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b))
}

// command runs a program to its end and returns what it printed.
func command(ctx context.Context, argv ...string) (string, error) {
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, indent(string(out)))
	}
	return string(out), nil
}

func tail(file string, lines int) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

func indent(s string) string {
	return "      " + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n      ")
}
