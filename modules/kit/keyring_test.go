package kit_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"ejustice.dev/operator/modules/kit"
	"ejustice.dev/operator/modules/kit/pgtest"
	"ejustice.dev/operator/modules/kit/vaulttest"
)

// replica is a keyring as one process of a module has it.
func (m *signedIn) replica(t *testing.T) *kit.Keyring {
	t.Helper()
	keys := kit.NewKeyring(m.pool, m.Vault, kit.NewLogger(m.log, "test"))
	await(t, "keys", func() bool { return keys.Prepare(context.Background()) == nil })
	return keys
}

func withKeys(t *testing.T) *signedIn {
	t.Helper()
	m := signIn(t, vaulttest.Usual)
	asOwner(t, m.db, `CREATE TABLE data_key (id uuid PRIMARY KEY, wrapped text NOT NULL, key_version int NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
		GRANT ALL ON data_key TO "`+pgtest.RuntimeRole(m.db)+`"`)
	return m
}

func asOwner(t *testing.T, db kit.Database, sql string) {
	t.Helper()
	if _, err := openPool(t, db).Exec(context.Background(), sql); err != nil {
		t.Fatal(err)
	}
}

func (m *signedIn) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := m.pool.Exec(context.Background(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

func (m *signedIn) count(t *testing.T, sql string, args ...any) (n int) {
	t.Helper()
	if err := m.pool.QueryRow(context.Background(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// opens fails the test unless the keyring finds the key with which text was sealed.
func opens(t *testing.T, keys *kit.Keyring, id uuid.UUID, sealed []byte) {
	t.Helper()
	key, err := keys.Key(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := open(key, documentID, sealed); err != nil || string(got) != "statement" {
		t.Fatalf("got %q, %v", got, err)
	}
}

// The key in Vault is rotated, the stored keys are wrapped anew by two replicas
// at once, and older versions are ended: every document can still be read, by a
// process that has just started too.
func TestRewrap(t *testing.T) {
	t.Parallel()
	m := withKeys(t)
	ctx := context.Background()
	one := m.replica(t)
	old, sealed := one.Own(), seal(t, one.Own(), documentID, []byte("statement"))
	for range 120 { // more than a batch
		_, wrapped, err := m.NewKey(ctx)
		if err != nil {
			t.Fatal(err)
		}
		m.exec(t, `INSERT INTO data_key VALUES ($1, $2, 1)`, uuid.New(), wrapped)
	}
	m.exec(t, `INSERT INTO data_key VALUES ($1, 'vault:v1:damaged', 1)`, uuid.Nil) // must not stop the others
	m.server.Write(t, m.settings.Mount+"/transit/keys/"+m.settings.Name+"/rotate", nil)
	two := m.replica(t)
	var group sync.WaitGroup
	for _, keys := range []*kit.Keyring{one, two} {
		group.Go(func() {
			if err := keys.Rewrap(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := m.count(t, `SELECT count(*) FROM data_key WHERE key_version = 2 AND wrapped LIKE 'vault:v2:%'`); n != 122 {
		t.Errorf("%d keys are wrapped anew, want 122", n)
	}
	m.server.Write(t, m.settings.Mount+"/transit/keys/"+m.settings.Name+"/config", map[string]any{"min_decryption_version": 2})
	opens(t, m.replica(t), old.ID, sealed)
	if err := one.Rewrap(ctx); err != nil {
		t.Errorf("again: %v", err)
	}
	if _, err := one.Key(ctx, uuid.Nil); err == nil || !strings.Contains(err.Error(), "cannot be unwrapped") {
		t.Errorf("a damaged key: %v", err)
	}
}

// While Vault is away a process reads what it remembers, seals with the key it
// has, and says plainly what it cannot read.
func TestKeysWhileVaultIsAway(t *testing.T) {
	t.Parallel()
	m := withKeys(t)
	ctx := context.Background()
	one := m.replica(t)
	sealed := seal(t, one.Own(), documentID, []byte("statement"))
	two := m.replica(t) // knows the keys of the first
	late, lateWrapped, err := m.NewKey(ctx)
	if err != nil {
		t.Fatal(err)
	}
	m.server.Seal(t)
	opens(t, two, one.Own().ID, sealed)
	opens(t, two, two.Own().ID, seal(t, two.Own(), documentID, []byte("statement")))

	id := uuid.New()
	m.exec(t, `INSERT INTO data_key VALUES ($1, $2, 1)`, id, lateWrapped)
	_, err = two.Key(ctx, id)
	var problem *kit.Problem
	if !errors.As(err, &problem) || problem.Status != http.StatusServiceUnavailable || problem.RetryAfter == 0 ||
		!strings.Contains(problem.Detail, "The document is safe") {
		t.Errorf("a key out of reach: %v", err)
	}
	m.server.Unseal(t)
	opens(t, two, id, seal(t, must(kit.NewTestKey(id, late)), documentID, []byte("statement")))
}

// A running process learns the keys of the others, makes itself a new one each
// day, and wraps anew when the key in Vault was rotated.
func TestKeep(t *testing.T) {
	t.Parallel()
	m := withKeys(t)
	one := m.replica(t)
	first := one.Own().ID
	sealed := seal(t, one.Own(), documentID, []byte("statement"))
	two := m.replica(t)
	fromTwo := seal(t, two.Own(), documentID, []byte("statement"))
	m.server.Write(t, m.settings.Mount+"/transit/keys/"+m.settings.Name+"/rotate", nil)
	tomorrow := time.Now().Add(25 * time.Hour)
	one.SetClock(func() time.Time { return tomorrow })
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { one.Keep(ctx); close(done) }()
	await(t, "a new key", func() bool { return one.Own().ID != first })
	await(t, "keys to be wrapped anew", func() bool { return m.count(t, `SELECT count(*) FROM data_key WHERE key_version < 2`) == 0 })
	stop()
	<-done
	m.server.Seal(t)
	opens(t, one, first, sealed)
	opens(t, one, two.Own().ID, fromTwo)
}

func TestTheTableHoldsNoReadableKey(t *testing.T) {
	t.Parallel()
	m := withKeys(t)
	plain, wrapped, err := m.NewKey(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if len(plain) != 32 || bytes.Contains([]byte(wrapped), plain) || !strings.HasPrefix(wrapped, "vault:v1:") {
		t.Errorf("wrapped = %q", wrapped)
	}
}
