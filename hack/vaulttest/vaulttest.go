// Package vaulttest gives tests a real Vault: a server of their own in its
// development mode.
package vaulttest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/vault/api"
)

// TB is what of testing.TB is needed here, so that a whole package's tests can
// share a server, too.
type TB interface {
	Helper()
	Cleanup(func())
	TempDir() string
	Failed() bool
	Logf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// Server is a running Vault.
type Server struct {
	// Root may do everything in it.
	Root *api.Client
	// CA is the file of the authority of its certificate.
	CA string

	process *os.Process
	output  *output
}

const rootToken = "root"

// Start runs a Vault until the test ends. Without the program the test fails: a
// test that does not run proves nothing.
func Start(t TB) *Server {
	t.Helper()
	forgetEnvironment()
	program, plugins := find(t)
	address, certs := freeAddress(t), t.TempDir()
	s := &Server{output: &output{}, CA: filepath.Join(certs, "vault-ca.pem")}
	vault := exec.Command(program, "server", "-dev", "-dev-no-store-token", "-dev-root-token-id="+rootToken,
		"-dev-listen-address="+address, "-dev-tls", "-dev-tls-cert-dir="+certs, "-dev-plugin-dir="+plugins)
	vault.Env = []string{"HOME=" + certs, "PATH=" + os.Getenv("PATH")}
	vault.Stdout, vault.Stderr = s.output, s.output
	// It ends its plugins, and ends with the tests even when they are killed.
	vault.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := vault.Start(); err != nil {
		t.Fatalf("start Vault: %v", err)
	}
	s.process = vault.Process
	t.Cleanup(func() {
		s.Resume(t)
		_ = s.process.Signal(syscall.SIGTERM)
		_ = vault.Wait()
		if t.Failed() {
			t.Logf("Vault said:\n%s", s.output.tail())
		}
	})
	// It prints its key once its certificate is written and it can be asked.
	s.await(t, "its key", func(context.Context) error { _, err := s.key(); return err })
	s.Root = s.client(t, "https://"+address)
	s.awaitActive(t)
	return s
}

// forgetEnvironment takes away what a person's shell says of another Vault: its client
// fails over a file that is named there and does not exist.
func forgetEnvironment() {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "VAULT_") {
			_ = os.Unsetenv(name)
		}
	}
}

// find is where "go run ./hack/cluster assets" says that they are, or puts them.
func find(t TB) (program, plugins string) {
	t.Helper()
	cache, _ := os.UserCacheDir()
	built := filepath.Join(cache, "ejustice-operator")
	program = cmp.Or(os.Getenv("EJUSTICE_VAULT_BIN"), filepath.Join(built, "bin", "vault"))
	plugins = cmp.Or(os.Getenv("EJUSTICE_VAULT_PLUGINS"), filepath.Join(built, "plugins"))
	for _, file := range []string{program, plugins} {
		if _, err := os.Stat(file); err != nil {
			t.Fatalf("these tests need a Vault server; go run ./hack/cluster assets builds it once: %v", err)
		}
	}
	return program, plugins
}

func (s *Server) client(t TB, address string) *api.Client {
	t.Helper()
	config := api.DefaultConfig()
	config.Address, config.MaxRetries = address, 0
	if err := config.ConfigureTLS(&api.TLSConfig{CACert: s.CA}); err != nil {
		t.Fatal(err)
	}
	client, err := api.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	client.SetToken(rootToken)
	return client
}

func (s *Server) awaitActive(t TB) {
	t.Helper()
	s.await(t, "active", func(ctx context.Context) error {
		health, err := s.Root.Sys().HealthWithContext(ctx)
		if err == nil && (health.Sealed || health.Standby) {
			err = errors.New("sealed or standby")
		}
		return err
	})
}

func (s *Server) await(t TB, what string, ask func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	for {
		err := ask(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("Vault: waited in vain for %s: %v\n%s", what, err, s.output.tail())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Pause stops the process as a dead node would: it takes connections and does
// not answer.
func (s *Server) Pause(t TB) {
	t.Helper()
	if err := s.process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
}

// Resume ends Pause.
func (s *Server) Resume(t TB) {
	t.Helper()
	if err := s.process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
}

// Seal locks Vault: it answers, and does nothing.
func (s *Server) Seal(t TB) {
	t.Helper()
	if err := s.Root.Sys().Seal(); err != nil {
		t.Fatal(err)
	}
}

var unsealKey = regexp.MustCompile(`Unseal Key: (\S+)`)

// Unseal ends Seal.
func (s *Server) Unseal(t TB) {
	t.Helper()
	key, err := s.key()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Root.Sys().Unseal(key); err != nil {
		t.Fatal(err)
	}
	s.awaitActive(t)
}

func (s *Server) key() (string, error) {
	found := unsealKey.FindSubmatch(s.output.bytes())
	if found == nil {
		return "", errors.New("the server has not printed its unseal key")
	}
	return string(found[1]), nil
}

// Write writes to a path as root.
func (s *Server) Write(t TB, path string, body map[string]any) *api.Secret {
	t.Helper()
	secret, err := s.Root.Logical().Write(path, body)
	if err != nil {
		t.Fatalf("write %s: %v", path, err)
	}
	return secret
}

func freeAddress(t TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return fmt.Sprint(listener.Addr())
}

// output keeps what the process prints.
type output struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buffer.Write(p)
}

func (o *output) bytes() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Clone(o.buffer.Bytes())
}

func (o *output) tail() []byte {
	all := o.bytes()
	return all[max(0, len(all)-4000):]
}
