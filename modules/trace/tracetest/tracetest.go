// Package tracetest gives other packages' tests a trace in their database, and a
// key in the memory of the test in the place of Vault's.
package tracetest

import (
	"context"
	"crypto/ed25519"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"ejustice.dev/operator/modules/kit"
	"ejustice.dev/operator/modules/kit/pgtest"
	"ejustice.dev/operator/modules/trace"
	"ejustice.dev/operator/modules/trace/chain"
)

// Install makes the trace in a database of pgtest's, as whoever provides the
// database does, for the role that owns the database.
func Install(t testing.TB, db kit.Database) trace.Roles {
	t.Helper()
	ctx := context.Background()
	admin := Superuser(t, db)
	roles := trace.Roles{Owner: db.Name + "_trace", Module: db.Name}
	if _, err := admin.Exec(ctx, "CREATE ROLE "+roles.Owner+" NOLOGIN"); err != nil {
		t.Fatalf("make the role of the trace: %v", err)
	}
	if err := trace.Install(ctx, admin, roles); err != nil {
		t.Fatal(err)
	}
	return roles
}

// Superuser connects to a database of pgtest's as the one who may do anything.
func Superuser(t testing.TB, db kit.Database) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), pgtest.Admin()+" dbname="+db.Name)
	if err != nil {
		t.Fatalf("connect as superuser: %v", err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// Key signs in the memory of the test.
type Key struct{ private ed25519.PrivateKey }

// KeyID is that of every Key.
const KeyID = "test/1"

// NewKey makes a key; another for each seed.
func NewKey(seed byte) Key {
	bytes := [ed25519.SeedSize]byte{seed}
	return Key{ed25519.NewKeyFromSeed(bytes[:])}
}

// Sign implements trace.Signer.
func (k Key) Sign(_ context.Context, message []byte) ([]byte, string, error) {
	return ed25519.Sign(k.private, message), KeyID, nil
}

// PublicKeys implements trace.Signer.
func (k Key) PublicKeys(context.Context) (chain.Keys, error) {
	return chain.Keys{KeyID: k.private.Public().(ed25519.PublicKey)}, nil
}
