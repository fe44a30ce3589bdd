package kit_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"ejustice.dev/operator/modules/kit"
	"ejustice.dev/operator/modules/kit/pgtest"
	"ejustice.dev/operator/modules/kit/vaulttest"
)

// signedIn is a module that is signed in to a Vault of its own.
type signedIn struct {
	*kit.Vault
	server   *vaulttest.Server
	settings kit.VaultSettings
	db       kit.Database
	pool     *pgxpool.Pool
	log      *lockedBuffer
	once     sync.Once
}

// close ends the module as cmd/casemanagement does.
func (m *signedIn) close() {
	m.once.Do(func() { m.pool.Close(); m.Close() })
}

func signIn(t *testing.T, times vaulttest.Times) *signedIn {
	t.Helper()
	server, db := vaulttest.Start(t), pgtest.Database(t)
	settings := server.Module(t, db, times)
	m := openVault(t, settings, db)
	m.server = server
	await(t, "signing in", func() bool { return m.pool.Ping(context.Background()) == nil })
	return m
}

func openVault(t *testing.T, settings kit.VaultSettings, db kit.Database) *signedIn {
	t.Helper()
	log := &lockedBuffer{}
	vault := kit.OpenVault(settings, kit.NewLogger(log, "test"))
	pool, err := kit.OpenDatabase(context.Background(), db, vault)
	if err != nil {
		t.Fatal(err)
	}
	m := &signedIn{Vault: vault, settings: settings, db: db, pool: pool, log: log}
	t.Cleanup(m.close)
	return m
}

// user is who the pool's next connection is.
func (m *signedIn) user(t *testing.T) string {
	t.Helper()
	var user string
	if err := m.pool.QueryRow(context.Background(), "SELECT session_user").Scan(&user); err != nil {
		t.Fatal(err)
	}
	return user
}

// load runs queries and transactions without a pause until it is stopped, and
// fails the test if one fails.
func (m *signedIn) load(t *testing.T) (stop func()) {
	t.Helper()
	ctx := context.Background()
	end := make(chan struct{})
	var group sync.WaitGroup
	var done atomic.Int64
	for range 6 {
		group.Go(func() {
			for {
				select {
				case <-end:
					return
				default:
				}
				err := pgx.BeginFunc(ctx, m.pool, func(tx pgx.Tx) error {
					if _, err := tx.Exec(ctx, "SELECT pg_sleep(0.02)"); err != nil {
						return err
					}
					_, err := tx.Exec(ctx, "SELECT current_user")
					return err
				})
				if err != nil {
					t.Errorf("under load: %v", err)
					return
				}
				done.Add(1)
			}
		})
	}
	return func() {
		close(end)
		group.Wait()
		t.Logf("%d transactions", done.Load())
	}
}

func TestVaultGivesADatabaseUser(t *testing.T) {
	t.Parallel()
	m := signIn(t, vaulttest.Usual)
	ctx := context.Background()
	var session, current string
	if err := m.pool.QueryRow(ctx, "SELECT session_user, current_user").Scan(&session, &current); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(session, "v-") || current != pgtest.RuntimeRole(m.db) {
		t.Errorf("signed in as %s, works as %s; want a user of Vault's that works as %s", session, current, pgtest.RuntimeRole(m.db))
	}
	if leases := m.server.Leases(t, m.db.Name); len(leases) != 1 {
		t.Errorf("leases = %v", leases)
	}
	m.close()
	await(t, "the lease to end with the module", func() bool { return len(m.server.Leases(t, m.db.Name)) == 0 })
	admin, err := pgx.Connect(ctx, pgtest.Admin())
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(ctx)
	await(t, "the user to be dropped", func() bool {
		var n int
		if err := admin.QueryRow(ctx, "SELECT count(*) FROM pg_roles WHERE rolname = $1", session).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n == 0
	})
}

// Renewal keeps the user; before the longest time is over another takes its
// place. Nobody who works meanwhile notices.
func TestSessionIsRenewedAndReplacedUnderLoad(t *testing.T) {
	t.Parallel()
	m := signIn(t, vaulttest.Times{TTL: "3s", MaxTTL: "8s"})
	first := m.user(t)
	begin := time.Now()
	stop := m.load(t)
	for n, user := 0, first; n < 2; n++ {
		await(t, "another user", func() bool { return m.user(t) != user })
		if n == 0 && time.Since(begin) < 3*time.Second {
			t.Errorf("replaced after %s: it was not renewed", time.Since(begin))
		}
		user = m.user(t)
	}
	stop()
	if log := m.log.String(); strings.Contains(log, "WARN") {
		t.Errorf("something failed:\n%s", log)
	}
}

// Vault is away for longer than it takes to notice: what there is goes on, the
// log says so once, and afterwards it is renewed again.
func TestVaultAwayUnderLoad(t *testing.T) {
	for name, outage := range map[string]struct {
		begin, end func(*vaulttest.Server)
		want       string
	}{
		"sealed":      {func(s *vaulttest.Server) { s.Seal(t) }, func(s *vaulttest.Server) { s.Unseal(t) }, "sealed"},
		"unreachable": {func(s *vaulttest.Server) { s.Pause(t) }, func(s *vaulttest.Server) { s.Resume(t) }, "unreachable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := signIn(t, vaulttest.Usual)
			user := m.user(t)
			stop := m.load(t)
			outage.begin(m.server)
			m.LookAgain()
			await(t, "the outage to be noticed", func() bool { return strings.Contains(m.log.String(), outage.want) })
			m.pool.Reset() // new connections as well
			if m.user(t) != user {
				t.Error("the user changed")
			}
			outage.end(m.server)
			await(t, "the end of the outage to be noticed", func() bool { return strings.Contains(m.log.String(), "gives again") })
			stop()
			if n := strings.Count(m.log.String(), "WARN"); n != 1 {
				t.Errorf("%d warnings, want 1:\n%s", n, m.log.String())
			}
			if m.user(t) != user {
				t.Error("what could be renewed was replaced")
			}
		})
	}
}

// What somebody takes away behind the module's back, it gets anew.
func TestSessionHeals(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, m *signedIn){
		"token revoked": func(t *testing.T, m *signedIn) {
			m.server.Write(t, "sys/leases/revoke-prefix/auth/jwt/login", nil)
		},
		"lease revoked": func(t *testing.T, m *signedIn) {
			m.server.Write(t, "sys/leases/revoke-prefix/"+m.settings.Mount+"/database", nil)
		},
		"user dropped": func(t *testing.T, m *signedIn) {
			ctx := context.Background()
			admin, err := pgx.Connect(ctx, pgtest.Admin())
			if err != nil {
				t.Fatal(err)
			}
			defer admin.Close(ctx)
			user := m.user(t)
			for _, statement := range []string{
				fmt.Sprintf(`DROP ROLE "%s"`, user),
				fmt.Sprintf(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '%s'`, m.db.Name),
			} {
				if _, err := admin.Exec(ctx, statement); err != nil {
					t.Fatal(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := signIn(t, vaulttest.Usual)
			before := m.user(t)
			harm(t, m)
			await(t, "another user", func() bool {
				var user string
				err := m.pool.QueryRow(context.Background(), "SELECT session_user").Scan(&user)
				// A connection may have begun just before its user was dropped. It goes
				// on working, but does not know its own name.
				nameless := err != nil && strings.Contains(err.Error(), "invalid role OID")
				if err != nil && !nameless && !kit.Unavailable(err) {
					t.Fatalf("not told as a passing fault: %v", err)
				}
				return err == nil && user != before
			})
			if _, _, err := m.NewKey(context.Background()); err != nil {
				t.Errorf("the keys are still out of reach: %v", err)
			}
			if len(m.server.Leases(t, m.db.Name)) == 0 {
				t.Error("no lease")
			}
		})
	}
}

// A token that is revoked is noticed by the next request for a key, long before
// the next renewal.
func TestRevokedTokenIsNoticedByTheKeys(t *testing.T) {
	t.Parallel()
	m := signIn(t, vaulttest.Usual)
	m.user(t)
	m.server.Write(t, "sys/leases/revoke-prefix/auth/jwt/login", nil)
	await(t, "a key", func() bool {
		_, _, err := m.NewKey(context.Background())
		var fault *kit.VaultError
		if err != nil && !errors.As(err, &fault) {
			t.Fatal(err)
		}
		return err == nil
	})
}

func TestReadinessSaysWhatVaultLacks(t *testing.T) {
	server, db := vaulttest.Start(t), pgtest.Database(t)
	good := server.Module(t, db, vaulttest.Usual)
	for name, test := range map[string]struct {
		spoil func(*kit.VaultSettings)
		want  string
	}{
		"unreachable":     {func(s *kit.VaultSettings) { s.Address = "https://127.0.0.1:1" }, "signing in to Vault: unreachable"},
		"wrong authority": {func(s *kit.VaultSettings) { s.CACert = "" }, "signing in to Vault: unreachable"},
		"wrong role":      {func(s *kit.VaultSettings) { s.Role = "other" }, "signing in to Vault: refused: check role other"},
		"wrong database":  {func(s *kit.VaultSettings) { s.Name = "other" }, "getting a database user from Vault: refused: check role " + good.Role},
		"no token file":   {func(s *kit.VaultSettings) { s.JWTFile += ".not" }, "signing in to Vault: the pod's token cannot be read"},
		"no authority":    {func(s *kit.VaultSettings) { s.CACert += ".not" }, "signing in to Vault: the settings cannot be used"},
	} {
		t.Run(name, func(t *testing.T) {
			settings := good
			test.spoil(&settings)
			m := openVault(t, settings, db)
			r := run(t, db, prepared, 0, func(router *kit.Router) { router.UseVault(m.Vault) })
			await(t, "readiness to say "+test.want, func() bool {
				code, body := r.probe(t, "/readyz")
				return code == 503 && strings.Contains(body, test.want)
			})
		})
	}
	if leases := server.Leases(t, db.Name); len(leases) != 0 {
		t.Errorf("failed attempts left %v", leases)
	}

	t.Run("sealed and back", func(t *testing.T) {
		server.Seal(t)
		m := openVault(t, good, db)
		r := run(t, db, prepared, 0, func(router *kit.Router) { router.UseVault(m.Vault) })
		await(t, "sealed", func() bool {
			_, body := r.probe(t, "/readyz")
			return strings.Contains(body, "signing in to Vault: sealed")
		})
		server.Unseal(t)
		r.awaitReady(t)
		_, metrics := r.probe(t, "/metrics")
		for _, want := range []string{"vault_token_remaining_seconds 35", "vault_database_lease_remaining_seconds 35", "vault_renewals_failed_total "} {
			if !strings.Contains(metrics, want) {
				t.Errorf("/metrics lacks %s", want)
			}
		}
		token, err := os.ReadFile(good.JWTFile)
		if err != nil {
			t.Fatal(err)
		}
		if text := m.log.String() + metrics; strings.Contains(text, string(token)) || strings.Contains(text, "hvs.") {
			t.Error("a token is in the log or the metrics")
		}
	})
}

// The variables of Vault's own tools are not the module's.
func TestVaultIgnoresTheToolsVariables(t *testing.T) {
	server, db := vaulttest.Start(t), pgtest.Database(t)
	settings := server.Module(t, db, vaulttest.Usual)
	t.Setenv("VAULT_TOKEN", "hvs.other")
	t.Setenv("VAULT_NAMESPACE", "other")
	t.Setenv("VAULT_ADDR", "https://127.0.0.1:1")
	m := openVault(t, settings, db)
	await(t, "signing in", func() bool { return m.pool.Ping(context.Background()) == nil })
}

// A module that ends while Vault is away does not wait for it for long.
func TestCloseWhileVaultIsAway(t *testing.T) {
	t.Parallel()
	m := signIn(t, vaulttest.Usual)
	m.server.Pause(t)
	begin := time.Now()
	m.close()
	if took := time.Since(begin); took > 8*time.Second {
		t.Errorf("it took %s; the pod would be killed meanwhile", took)
	}
}

func TestDatabaseAuthorityIsReadForEachConnection(t *testing.T) {
	db := pgtest.Database(t)
	db.SSLMode, db.RootCert = "verify-full", filepath.Join(t.TempDir(), "ca.crt")
	pool := openPool(t, db)
	if err := pool.Ping(context.Background()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the file: %v", err)
	}
	if err := os.WriteFile(db.RootCert, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := pool.Ping(context.Background()); err == nil || !strings.Contains(err.Error(), "holds no certificate") {
		t.Errorf("with an empty file: %v", err)
	}
}
