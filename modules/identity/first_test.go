package identity

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"

	"ejustice.dev/operator/modules/kit"
	"ejustice.dev/operator/modules/kit/pgtest"
	"ejustice.dev/operator/modules/kit/vaulttest"
)

// safe keeps in memory what Vault would.
type safe struct {
	mu     sync.Mutex
	kept   map[string]string
	fault  error
	writes int
}

func (s *safe) KeepOnce(_ context.Context, _ string, secret map[string]string) (map[string]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault != nil {
		return nil, s.fault
	}
	if s.kept == nil {
		s.kept, s.writes = maps.Clone(secret), s.writes+1
	}
	return s.kept, nil
}

func TestTheFirstAdministrator(t *testing.T) {
	a := newTestApp(t)
	log := &logBuffer{}
	logger := slog.New(slog.NewTextHandler(log, nil))
	kept := &safe{fault: errors.New("away")}
	if err := a.MakeFirst(t.Context(), kept, logger); err == nil || a.count(t, `SELECT count(*) FROM person`) != 0 {
		t.Errorf("with Vault away: %v", err)
	}
	kept.fault = nil
	// Several replicas start at once.
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if err := a.MakeFirst(t.Context(), kept, logger); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	p, right, err := a.verifyPassword(t.Context(), "administrator", kept.kept["credential"])
	if err != nil || !right || !p.oneTime() || !p.Grants.has(roleTenantAdministrator, "") || a.count(t, `SELECT count(*) FROM person`) != 1 || kept.writes != 1 {
		t.Errorf("%v %v %+v", right, err, p)
	}
	if strings.Contains(log.String(), kept.kept["credential"]) {
		t.Error("the credential is logged")
	}
	// Never again, even when the account is shut.
	if _, err := a.pool.Exec(t.Context(), `UPDATE person SET status = 'disabled'`); err != nil {
		t.Fatal(err)
	}
	if err := a.MakeFirst(t.Context(), &safe{fault: errors.New("asked")}, logger); err != nil {
		t.Error(err)
	}
}

// A module that died after Vault had the credential goes on with it.
func TestTheFirstAdministratorAfterACrash(t *testing.T) {
	a := newTestApp(t)
	credential := newOneTime()
	kept := &safe{kept: map[string]string{"login": "administrator", "credential": credential}}
	if err := a.MakeFirst(t.Context(), kept, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if _, right, err := a.verifyPassword(t.Context(), "administrator", credential); err != nil || !right {
		t.Errorf("%v %v", right, err)
	}
	b := newTestApp(t)
	for _, wrong := range []map[string]string{{}, {"login": "somebody", "credential": credential}, {"login": "administrator", "credential": ""}} {
		if err := b.MakeFirst(t.Context(), &safe{kept: wrong}, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%v is taken", wrong)
		}
	}
}

// With a real Vault: keys, secrets and the first administrator.
func TestWithVault(t *testing.T) {
	server, db := vaulttest.Start(t), pgtest.Database(t)
	settings := server.Module(t, db, vaulttest.Usual)
	server.AllowSecret(t, settings, firstSecret)
	log := slog.New(slog.DiscardHandler)
	vault := kit.OpenVault(settings, log)
	t.Cleanup(vault.Close)
	owner := openPool(t, db, pgtest.Owner(db))
	migrate(t, owner, db)
	pool := openPool(t, db, vault)
	c := newClock()
	app, err := NewApp(testSettings(t), pool, kit.NewKeyring(pool, vault, log), c.now)
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the database user", func() bool { return pool.Ping(t.Context()) == nil })
	if err := app.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := app.MakeFirst(t.Context(), vault, log); err != nil {
		t.Fatal(err)
	}
	credential, _ := server.Secret(t, settings, firstSecret)["credential"].(string)
	p, right, err := app.verifyPassword(t.Context(), "administrator", credential)
	if err != nil || !right {
		t.Fatalf("the credential in Vault: %v %v", right, err)
	}
	secret, _ := (&testApp{app, c, owner}).withFactor(t, p)
	// Another process unwraps what this one sealed.
	again, err := NewApp(testSettings(t), pool, kit.NewKeyring(pool, vault, log), c.now)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if right, err := again.verifyTOTP(t.Context(), p.ID, codeOf(t, secret, c.now())); err != nil || !right {
		t.Errorf("the second factor in another process: %v %v", right, err)
	}
	one, _, err := app.signer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if two, _, err := again.signer(t.Context()); err != nil || one != two {
		t.Errorf("replicas sign with %s and %s: %v", one, two, err)
	}
}
