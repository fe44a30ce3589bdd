// Package pgtest gives tests a real PostgreSQL: one temporary server a test
// process, one fresh database a test.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"ejustice.dev/operator/modules/kit"
)

// server is the socket folder of the server that Run started.
var server string

var databases atomic.Int32

// Run starts a server, runs the tests and stops the server. Call it from
// TestMain: os.Exit(pgtest.Run(m)). Without PostgreSQL the tests fail: a test
// that does not run proves nothing.
func Run(m *testing.M) int {
	stop, err := start()
	if err != nil {
		fmt.Fprintln(os.Stderr, "PostgreSQL for the tests did not start:", err)
		return 1
	}
	defer stop()
	return m.Run()
}

// Credentials connect as one user for ever, for tests of other things.
type Credentials struct{ User, Password string }

// DatabaseUser implements kit.Credentials.
func (c Credentials) DatabaseUser(context.Context) (user, password string, err error) {
	return c.User, c.Password, nil
}

// Refused implements kit.Credentials.
func (Credentials) Refused(string) {}

// WhenReplaced implements kit.Credentials.
func (Credentials) WhenReplaced(func()) {}

// Owner connects as the owner of a database that Database made.
func Owner(db kit.Database) Credentials { return Credentials{User: db.Name, Password: password} }

// Runtime connects as the role that a running module works in.
func Runtime(db kit.Database) Credentials {
	return Credentials{User: RuntimeRole(db), Password: password}
}

// RuntimeRole is the role that a running module works in: it owns nothing.
func RuntimeRole(db kit.Database) string { return db.Name + ".app" }

// password of every role.
const password = "test"

// Admin is how an administrator connects to the server.
func Admin() string { return fmt.Sprintf("host=%s user=admin dbname=postgres", server) }

// Database makes an empty database that belongs to a role of its own, with a
// role to work in, as a module's does.
func Database(t testing.TB) kit.Database {
	t.Helper()
	ctx := context.Background()
	admin, err := pgx.Connect(ctx, Admin())
	if err != nil {
		t.Fatalf("connect to the test server: %v", err)
	}
	defer admin.Close(ctx)
	name := fmt.Sprintf("test_%d", databases.Add(1))
	for _, statement := range []string{
		"CREATE ROLE " + name + " LOGIN PASSWORD '" + password + "'",
		`CREATE ROLE "` + name + `.app" LOGIN PASSWORD '` + password + "'",
		"CREATE DATABASE " + name + " OWNER " + name,
	} {
		if _, err := admin.Exec(ctx, statement); err != nil {
			t.Fatalf("make test database: %v", err)
		}
	}
	return kit.Database{Host: server, Port: 5432, Name: name, SSLMode: "disable"}
}

// access has everybody but the administrator show a password.
const access = "local all admin trust\nlocal all all scram-sha-256\n"

func start() (stop func(), err error) {
	bin, err := findBin()
	if err != nil {
		return nil, err
	}
	// Short, because a socket's path may have about a hundred characters.
	dir, err := os.MkdirTemp("", "pgtest")
	if err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	remove := func() { _ = os.RemoveAll(dir) }
	account, err := unprivileged(dir)
	if err != nil {
		remove()
		return nil, err
	}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "admin", "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = account, dir
	if output, err := initdb.CombinedOutput(); err != nil {
		remove()
		return nil, fmt.Errorf("initdb: %w\n%s", err, output)
	}
	if err := os.WriteFile(filepath.Join(data, "pg_hba.conf"), []byte(access), 0o600); err != nil {
		remove()
		return nil, fmt.Errorf("say who may connect: %w", err)
	}
	postgres := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-k", dir,
		"-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200", "-c", "log_min_messages=fatal")
	postgres.SysProcAttr, postgres.Dir = account, dir
	if err := postgres.Start(); err != nil {
		remove()
		return nil, fmt.Errorf("start postgres: %w", err)
	}
	stop = func() {
		_ = postgres.Process.Signal(syscall.SIGINT) // fast shutdown
		_ = postgres.Wait()
		remove()
	}
	if err := await(dir); err != nil {
		stop()
		return nil, err
	}
	server = dir
	return stop, nil
}

// await waits until the server takes connections.
func await(dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		connection, err := pgx.Connect(ctx, fmt.Sprintf("host=%s user=admin dbname=postgres", dir))
		if err == nil {
			return connection.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server does not answer: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// findBin finds the folder of PostgreSQL's programs: TEST_POSTGRES_BIN, else
// Debian's newest.
func findBin() (string, error) {
	if bin := os.Getenv("TEST_POSTGRES_BIN"); bin != "" {
		return bin, nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		return "", errors.New("it is not installed; install Debian's postgresql package, or set TEST_POSTGRES_BIN to the folder of initdb and postgres")
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(newest), nil
}

func version(path string) int {
	n, _ := strconv.Atoi(strings.Split(path, "/")[4])
	return n
}

// unprivileged gives dir to an ordinary account when the tests run as root, as
// whom PostgreSQL refuses to run. The server ends with the tests, even when
// they are killed.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	attributes := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if os.Getuid() != 0 {
		return attributes, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		account, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, fmt.Errorf("find an account for postgres: %w", err)
	}
	uid, _ := strconv.ParseUint(account.Uid, 10, 32)
	gid, _ := strconv.ParseUint(account.Gid, 10, 32)
	if err := os.Chown(dir, int(uid), int(gid)); err != nil {
		return nil, fmt.Errorf("give folder to %s: %w", account.Username, err)
	}
	attributes.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attributes, nil
}
