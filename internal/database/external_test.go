package database

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// TestEnsure works on a real server that asks for passwords, as an administrator who is no
// superuser.
func TestEnsure(t *testing.T) {
	server := startPostgres(t)
	ctx := t.Context()
	super, err := connect(ctx, server, "postgres", "super", "super")
	if err != nil {
		t.Fatal(err)
	}
	defer super.Close(ctx)
	if err := execute(ctx, super, "CREATE ROLE admin LOGIN CREATEROLE CREATEDB PASSWORD 'admin-secret'"); err != nil {
		t.Fatal(err)
	}
	server.AdminUsername, server.AdminPassword = "admin", "admin-secret"
	owner := OwnerFor("a-b", "c")

	if err := Ensure(ctx, server, owner); err != nil {
		t.Fatalf("first time: %v", err)
	}
	first := versionOf(t, super, owner.Name)
	if err := Ensure(ctx, server, owner); err != nil {
		t.Fatalf("second time: %v", err)
	}
	if second := versionOf(t, super, owner.Name); second != first {
		t.Errorf("repeating wrote to the server: %s, then %s", first, second)
	}

	// Another tenant's name leads to the same role.
	err = Ensure(ctx, server, OwnerFor("a", "b-c"))
	if err == nil || !strings.Contains(err.Error(), "is not ejustice.dev/a/b-c") {
		t.Errorf("a second tenant got the first one's role: %v", err)
	}

	// Vault makes users of the owner, which enter the owner's database and no other.
	other := OwnerFor("other", "c")
	if err := Ensure(ctx, server, other); err != nil {
		t.Fatal(err)
	}
	asVault := vaultOn(t, server, "a-b", "first")
	for _, statement := range []string{
		"CREATE ROLE dynamic LOGIN PASSWORD 'dynamic' IN ROLE " + quote(owner.Name),
		"ALTER ROLE dynamic SET role = " + quote(owner.Name),
	} {
		if err := execute(ctx, asVault, statement); err != nil {
			t.Fatalf("Vault cannot make a user: %v", err)
		}
	}
	user, err := connect(ctx, server, owner.Name, "dynamic", "dynamic")
	if err != nil {
		t.Fatalf("the user cannot sign in: %v", err)
	}
	defer user.Close(ctx)
	if err := execute(ctx, user, "CREATE TABLE kept (x int)"); err != nil {
		t.Fatalf("the user cannot work: %v", err)
	}
	var tableOwner string
	if err := user.QueryRow(ctx, "SELECT tableowner FROM pg_tables WHERE tablename = 'kept'").Scan(&tableOwner); err != nil || tableOwner != owner.Name {
		t.Errorf("the table belongs to %q, want the owner role (%v)", tableOwner, err)
	}
	_, err = connect(ctx, server, other.Name, "dynamic", "dynamic")
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || pgErr.Code != "42501" {
		t.Errorf("a stranger's connection must be denied, got %v", err)
	}
	if err := execute(ctx, asVault, "GRANT "+quote(other.Name)+" TO dynamic"); err == nil && versionNumber(t, super) >= 160000 {
		t.Error("one tenant's Vault role gives away another tenant's role")
	}
	checkRuntime(t, server, asVault, user, owner)
	if err := execute(ctx, asVault, "DROP ROLE dynamic"); err != nil {
		t.Errorf("a user cannot be dropped: %v", err)
	}

	// A new password ends the old one.
	vaultOn(t, server, "a-b", "second")
	if _, err := connect(ctx, server, "postgres", VaultRole("a-b"), "first"); err == nil {
		t.Error("the old password of Vault's role still opens")
	}
	if _, err := connect(ctx, server, owner.Name, owner.Name, ""); err == nil {
		t.Error("the owner of the database can sign in")
	}

	// A wrong administrator's password is refused, and not shown.
	server.AdminPassword = "not-the-secret"
	if err := Ensure(ctx, server, owner); err == nil || strings.Contains(err.Error(), "not-the-secret") {
		t.Errorf("err = %v, want a refusal without the password", err)
	}
}

// checkRuntime has Vault make a user of the role that the module works in, which may do what the
// owner grants it and nothing with the tables themselves.
func checkRuntime(t *testing.T, server Server, asVault, asOwner *pgx.Conn, owner Owner) {
	t.Helper()
	ctx := t.Context()
	for _, statement := range []string{
		"CREATE ROLE working LOGIN PASSWORD 'working' IN ROLE " + quote(owner.Runtime),
		"ALTER ROLE working SET role = " + quote(owner.Runtime),
	} {
		if err := execute(ctx, asVault, statement); err != nil {
			t.Fatalf("Vault cannot make a user at work: %v", err)
		}
	}
	if err := execute(ctx, asOwner, "GRANT SELECT ON kept TO "+quote(owner.Runtime)); err != nil {
		t.Fatal(err)
	}
	working, err := connect(ctx, server, owner.Name, "working", "working")
	if err != nil {
		t.Fatalf("the user at work cannot sign in: %v", err)
	}
	if err := execute(ctx, working, "SELECT * FROM kept"); err != nil {
		t.Errorf("what was granted is refused: %v", err)
	}
	for _, statement := range []string{
		"INSERT INTO kept VALUES (1)", "CREATE TABLE mine (x int)", "DROP TABLE kept", "ALTER TABLE kept ADD y int",
		"SET ROLE " + quote(owner.Name),
	} {
		if err := execute(ctx, working, statement); err == nil {
			t.Errorf("the user at work may: %s", statement)
		}
	}
	if err := working.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if err := execute(ctx, asVault, "DROP ROLE working"); err != nil {
		t.Errorf("the user at work cannot be dropped: %v", err)
	}
}

// vaultOn signs in as Vault would, with a password just set.
func vaultOn(t *testing.T, server Server, tenant, password string) *pgx.Conn {
	t.Helper()
	if err := SetVaultPassword(t.Context(), server, tenant, password); err != nil {
		t.Fatal(err)
	}
	conn, err := connect(t.Context(), server, "postgres", VaultRole(tenant), password)
	if err != nil {
		t.Fatalf("Vault cannot sign in: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

func versionNumber(t *testing.T, conn *pgx.Conn) int {
	t.Helper()
	var version int
	if err := conn.QueryRow(t.Context(), "SELECT current_setting('server_version_num')::int").Scan(&version); err != nil {
		t.Fatal(err)
	}
	return version
}

// versionOf changes with every write to the role or its database.
func versionOf(t *testing.T, super *pgx.Conn, name string) string {
	t.Helper()
	var version string
	err := super.QueryRow(t.Context(), `SELECT r.xmin::text || '/' || d.xmin::text || '/' || (SELECT count(*) FROM pg_auth_members)
		FROM pg_authid r JOIN pg_database d ON d.datname = r.rolname WHERE r.rolname = $1`, name).Scan(&version)
	if err != nil {
		t.Fatal(err)
	}
	return version
}

// startPostgres runs a server for the test, with the superuser super/super.
func startPostgres(t *testing.T) Server {
	t.Helper()
	bin := postgresBin(t)
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	account := unprivileged(t, dir)
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte("super\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "super", "--pwfile", password,
		"--auth=scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = account, dir
	if output, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, output)
	}
	port := freePort(t)
	postgres := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-k", dir, "-p", strconv.Itoa(port),
		"-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "log_min_messages=panic")
	postgres.SysProcAttr, postgres.Dir = account, dir
	if err := postgres.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = postgres.Process.Signal(syscall.SIGINT) // fast shutdown
		_ = postgres.Wait()
	})
	server := Server{Host: "127.0.0.1", Port: int32(port), SSLMode: "disable"}
	deadline := time.Now().Add(30 * time.Second)
	for {
		conn, err := connect(t.Context(), server, "postgres", "super", "super")
		if err == nil {
			_ = conn.Close(t.Context())
			return server
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server does not answer: %v", err)
		}
		time.Sleep(20 * time.Millisecond) // the pace of polling
	}
}

func postgresBin(t *testing.T) string {
	t.Helper()
	if bin := os.Getenv("TEST_POSTGRES_BIN"); bin != "" {
		return bin
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		t.Fatal("this test needs PostgreSQL: install Debian's postgresql package, or set TEST_POSTGRES_BIN to the folder of initdb and postgres")
	}
	slices.Sort(found)
	return filepath.Dir(found[len(found)-1])
}

// unprivileged gives dir to an ordinary account when the tests run as root, as whom
// PostgreSQL refuses to run. The server ends with the tests, even when they are killed.
func unprivileged(t *testing.T, dir string) *syscall.SysProcAttr {
	t.Helper()
	attributes := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if os.Getuid() != 0 {
		return attributes
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		account, err = user.Lookup("nobody")
	}
	if err != nil {
		t.Fatalf("running as root and there is no account to run PostgreSQL as: %v", err)
	}
	var uid, gid uint32
	if _, err := fmt.Sscan(account.Uid+" "+account.Gid, &uid, &gid); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, int(uid), int(gid)); err != nil {
		t.Fatal(err)
	}
	attributes.Credential = &syscall.Credential{Uid: uid, Gid: gid}
	return attributes
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}
