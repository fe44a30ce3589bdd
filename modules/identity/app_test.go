package identity

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"ejustice.dev/operator/modules/kit"
	"ejustice.dev/operator/modules/kit/charttest"
	"ejustice.dev/operator/modules/kit/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

// testConfig is the configuration that the chart makes of testdata/values.json.
func testConfig(t testing.TB) map[string]any {
	t.Helper()
	values := charttest.Values(t)
	tenant := values["platform"].(map[string]any)["tenant"].(map[string]any)
	values["tenant"], values["issuer"] = tenant, "https://"+tenant["domain"].(string)+"/identity"
	delete(values, "platform")
	for _, one := range values["clients"].([]any) {
		client := one.(map[string]any)
		client["authentication"] = byNothing
		if module, found := client["module"]; found {
			client["authentication"], client["certificate"] = byCertificate, module.(string)+".justice-palestine.svc"
		}
		delete(client, "module")
		delete(client, "public")
	}
	return values
}

func readConfig(t testing.TB, config map[string]any) (*Settings, error) {
	t.Helper()
	content, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return ReadSettings(file)
}

func testSettings(t testing.TB) *Settings {
	t.Helper()
	settings, err := readConfig(t, testConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

// clock is a time that tests move.
type clock struct{ atomic.Pointer[time.Time] }

func newClock() *clock {
	c := &clock{}
	// Near the real time, because the OpenID Connect library looks at that.
	now := time.Now().UTC().Truncate(time.Second)
	c.Store(&now)
	return c
}

func (c *clock) now() time.Time { return *c.Load() }

func (c *clock) pass(d time.Duration) {
	next := c.now().Add(d)
	c.Store(&next)
}

// openWrapper wraps nothing, for tests of other things.
type openWrapper struct{}

func (openWrapper) NewKey(context.Context) ([]byte, string, error) {
	plain := make([]byte, 32)
	_, _ = rand.Read(plain)
	return plain, "vault:v1:" + base64.StdEncoding.EncodeToString(plain), nil
}

func (openWrapper) Unwrap(_ context.Context, wrapped []string) ([][]byte, error) {
	plain := make([][]byte, len(wrapped))
	for i, text := range wrapped {
		plain[i], _ = base64.StdEncoding.DecodeString(strings.TrimPrefix(text, "vault:v1:"))
	}
	return plain, nil
}

func (openWrapper) Rewrap(_ context.Context, wrapped []string) ([]string, error) { return wrapped, nil }

// testApp is the application on a database of its own, migrated, without a
// server.
type testApp struct {
	*App
	clock *clock
	owner *pgxpool.Pool // of the database, as whom nothing runs
}

func newTestApp(t testing.TB) *testApp {
	t.Helper()
	db := pgtest.Database(t)
	owner := openPool(t, db, pgtest.Owner(db))
	migrate(t, owner, db)
	pool := openPool(t, db, pgtest.Runtime(db))
	c := newClock()
	app, err := NewApp(testSettings(t), pool, kit.NewKeyring(pool, openWrapper{}, slog.New(slog.DiscardHandler)), c.now)
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &testApp{app, c, owner}
}

func openPool(t testing.TB, db kit.Database, credentials kit.Credentials) *pgxpool.Pool {
	t.Helper()
	pool, err := kit.OpenDatabase(context.Background(), db, credentials)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// migrate does what "identity migrate" does.
func migrate(t testing.TB, owner *pgxpool.Pool, db kit.Database) {
	t.Helper()
	if err := Migrate(context.Background(), owner, pgtest.RuntimeRole(db)); err != nil {
		t.Fatal(err)
	}
}

const goodPassword = "correct horse battery"

// account makes an account with a password of its own and roles.
func (a *testApp) account(t testing.TB, login string, grants ...Grant) Person {
	t.Helper()
	p := Person{ID: uuid.New(), Login: login, Name: "A. Sample " + login}
	err := pgx.BeginFunc(t.Context(), a.pool, func(tx pgx.Tx) error {
		if err := a.addPerson(t.Context(), tx, p, newOneTime()); err != nil {
			return err
		}
		for _, g := range grants {
			g.ID = uuid.New()
			if err := addGrant(t.Context(), tx, p.ID, g, a.now()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.setPassword(t.Context(), p.ID, goodPassword); err != nil {
		t.Fatal(err)
	}
	return a.person(t, p.ID)
}

// withFactor gives an account a second factor and returns its secret.
func (a *testApp) withFactor(t testing.TB, p Person) (secret string, recovery []string) {
	t.Helper()
	secret = newTOTPSecret()
	recovery, err := a.setTOTP(t.Context(), p.ID, secret, 0)
	if err != nil {
		t.Fatal(err)
	}
	return secret, recovery
}

func (a *testApp) person(t testing.TB, id uuid.UUID) Person {
	t.Helper()
	p, err := findPerson(t.Context(), a.pool, "id", id, a.now())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (a *testApp) count(t testing.TB, query string, args ...any) int {
	t.Helper()
	var n int
	if err := a.pool.QueryRow(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
