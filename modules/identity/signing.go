package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// Tokens are signed by ECDSA with P-256 and SHA-256.
const signingAlgorithm = jose.ES256

const (
	// signingLife is how long one key signs.
	signingLife = 30 * 24 * time.Hour
	// signingLead is how long a key is published before it signs, so that nobody
	// meets a signature of a key that they have not heard of.
	signingLead = 24 * time.Hour
	// signingTail is how long a key is published after it signed last: longer than
	// any token lives.
	signingTail = time.Hour
	// signingKnown is how long a process goes by what it read of the keys.
	signingKnown = time.Minute
)

// signingKey is a key with or without its private half.
type signingKey struct {
	id         uuid.UUID
	public     *ecdsa.PublicKey
	activeFrom time.Time
	sealed     sealed
}

// signers remembers what the database says of the keys.
type signers struct {
	mu      sync.Mutex
	read    time.Time
	keys    []signingKey // newest first
	private map[uuid.UUID]*ecdsa.PrivateKey
}

// signingKeys lists the keys that are published now, newest first.
func (a *App) signingKeys(ctx context.Context) ([]signingKey, error) {
	a.signers.mu.Lock()
	defer a.signers.mu.Unlock()
	now := a.now()
	if age := now.Sub(a.signers.read); age >= 0 && age < signingKnown && len(a.signers.keys) > 0 {
		return a.signers.keys, nil
	}
	rows, _ := a.pool.Query(ctx, `SELECT id, public, active_from, private, data_key_id FROM signing_key ORDER BY active_from DESC, id`)
	all, err := pgx.CollectRows(rows, scanSigningKey)
	if err != nil {
		return nil, fmt.Errorf("read signing keys: %w", err)
	}
	a.signers.keys, a.signers.read = published(all, now), now
	return a.signers.keys, nil
}

// published leaves out the keys whose successor has signed for so long that no
// token of theirs is left.
func published(all []signingKey, now time.Time) []signingKey {
	for i := 1; i < len(all); i++ {
		if now.Sub(all[i-1].activeFrom) > signingTail {
			return all[:i]
		}
	}
	return all
}

func scanSigningKey(row pgx.CollectableRow) (signingKey, error) {
	var k signingKey
	var public []byte
	if err := row.Scan(&k.id, &public, &k.activeFrom, &k.sealed.content, &k.sealed.key); err != nil {
		return k, err
	}
	parsed, err := x509.ParsePKIXPublicKey(public)
	if err != nil {
		return k, err
	}
	var ok bool
	if k.public, ok = parsed.(*ecdsa.PublicKey); !ok {
		return k, errors.New("not a key of this kind")
	}
	return k, nil
}

// signer is the key that signs now.
func (a *App) signer(ctx context.Context) (uuid.UUID, *ecdsa.PrivateKey, error) {
	keys, err := a.signingKeys(ctx)
	if err != nil {
		return uuid.Nil, nil, err
	}
	for _, k := range keys {
		if !k.activeFrom.After(a.now()) {
			private, err := a.privateKey(ctx, k)
			return k.id, private, err
		}
	}
	return uuid.Nil, nil, errors.New("there is no signing key yet")
}

func (a *App) privateKey(ctx context.Context, k signingKey) (*ecdsa.PrivateKey, error) {
	a.signers.mu.Lock()
	defer a.signers.mu.Unlock()
	if known := a.signers.private[k.id]; known != nil {
		return known, nil
	}
	plain, err := a.open(ctx, forSigning, k.id, k.sealed)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		return nil, errors.New("the signing key is damaged")
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !private.PublicKey.Equal(k.public) {
		return nil, errors.New("the signing key is not that of its row")
	}
	if a.signers.private == nil {
		a.signers.private = map[uuid.UUID]*ecdsa.PrivateKey{}
	}
	a.signers.private[k.id] = private
	return private, nil
}

// rotationLock has replicas make one key, not several.
const rotationLock = 0x726f7461

// rotateSigning makes the first key, and each further one before its time, and
// removes those that are published no longer. Any number of replicas may call it.
func (a *App) rotateSigning(ctx context.Context) error {
	return pgx.BeginFunc(ctx, a.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(rotationLock)); err != nil {
			return fmt.Errorf("rotate signing keys: %w", err)
		}
		var newest time.Time
		if err := tx.QueryRow(ctx, `SELECT coalesce(max(active_from), '0001-01-01 00:00:00Z') FROM signing_key`).Scan(&newest); err != nil {
			return fmt.Errorf("read signing keys: %w", err)
		}
		now := a.now()
		switch {
		case newest.IsZero():
			return a.makeSigningKey(ctx, tx, now)
		case now.Add(signingLead).Before(newest.Add(signingLife)):
			return nil
		}
		if err := a.makeSigningKey(ctx, tx, now.Add(signingLead)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `DELETE FROM signing_key k WHERE EXISTS (SELECT FROM signing_key n WHERE n.active_from > k.active_from AND n.active_from < $1)`,
			now.Add(-signingTail))
		return err
	})
}

func (a *App) makeSigningKey(ctx context.Context, tx pgx.Tx, activeFrom time.Time) error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make signing key: %w", err)
	}
	plain, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return fmt.Errorf("make signing key: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		return fmt.Errorf("make signing key: %w", err)
	}
	id := uuid.New()
	kept, err := a.seal(forSigning, id, plain)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `INSERT INTO signing_key (id, private, data_key_id, public, active_from) VALUES ($1, $2, $3, $4, $5)`,
		id, kept.content, kept.key, public, activeFrom); err != nil {
		return fmt.Errorf("store signing key: %w", err)
	}
	return nil
}

// webKey gives a key to the library; private is nil for the published half.
type webKey struct {
	id  string
	key any
}

func (k webKey) SignatureAlgorithm() jose.SignatureAlgorithm { return signingAlgorithm }
func (k webKey) Algorithm() jose.SignatureAlgorithm          { return signingAlgorithm }
func (k webKey) Use() string                                 { return "sig" }
func (k webKey) Key() any                                    { return k.key }
func (k webKey) ID() string                                  { return k.id }

// SigningKey implements op.Storage.
func (s storage) SigningKey(ctx context.Context) (op.SigningKey, error) {
	id, private, err := s.signer(ctx)
	if err != nil {
		return nil, err
	}
	return webKey{id.String(), private}, nil
}

// SignatureAlgorithms implements op.Storage.
func (s storage) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{signingAlgorithm}, nil
}

// KeySet implements op.Storage.
func (s storage) KeySet(ctx context.Context) ([]op.Key, error) {
	keys, err := s.signingKeys(ctx)
	if err != nil {
		return nil, err
	}
	set := make([]op.Key, len(keys))
	for i, k := range keys {
		set[i] = webKey{k.id.String(), k.public}
	}
	return set, nil
}
