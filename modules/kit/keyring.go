package kit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// KeyWrapper holds the key that data keys are wrapped with and does not give it
// away. Vault's transit engine does so.
type KeyWrapper interface {
	// NewKey makes a data key of 32 bytes: as it is used, and as it is stored.
	NewKey(ctx context.Context) (plain []byte, wrapped string, err error)
	// Unwrap answers in the same order, with nil for what nobody can unwrap.
	Unwrap(ctx context.Context, wrapped []string) ([][]byte, error)
	// Rewrap wraps with the newest version of the key, and answers in the same
	// order, with "" for what nobody can unwrap.
	Rewrap(ctx context.Context, wrapped []string) ([]string, error)
}

const (
	// keyAge is how long a process uses one data key for new documents.
	keyAge = 24 * time.Hour
	// rememberedKeys is how many of the newest keys are in memory, so that recent
	// documents can be read while Vault is away.
	rememberedKeys = 256
	// learnEvery is how soon the keys of other replicas are known here.
	learnEvery = time.Minute
	// rewrapEvery is how often the key in Vault is asked for its version.
	rewrapEvery = time.Hour
	rewrapBatch = 100
)

// Keyring holds the data keys that documents are encrypted with (envelope
// encryption). They are stored wrapped, in the table
//
//	data_key (id uuid, wrapped text, key_version int, created_at timestamptz)
//
// and are readable in the memory of the process only. Each process makes its
// own, and another each day; a document names the key it was encrypted with.
type Keyring struct {
	pool    *pgxpool.Pool
	wrapper KeyWrapper
	log     *slog.Logger
	now     func() time.Time
	ready   chan struct{} // closed when there is a key of this process

	mu    sync.RWMutex
	own   Key
	made  time.Time
	known map[uuid.UUID]Key
}

// NewKeyring makes a keyring without keys; Prepare gets them.
func NewKeyring(pool *pgxpool.Pool, wrapper KeyWrapper, log *slog.Logger) *Keyring {
	return &Keyring{
		pool: pool, wrapper: wrapper, log: log, now: time.Now,
		ready: make(chan struct{}), known: map[uuid.UUID]Key{},
	}
}

// Prepare gets the first key of this process and the newest of the others. It
// may be repeated until it succeeds.
func (k *Keyring) Prepare(ctx context.Context) error {
	select {
	case <-k.ready:
		return nil
	default:
	}
	if k.made.IsZero() {
		if err := k.renew(ctx); err != nil {
			return err
		}
	}
	if err := k.learn(ctx); err != nil {
		return err
	}
	close(k.ready)
	return nil
}

// Ready is closed when Prepare has succeeded.
func (k *Keyring) Ready() <-chan struct{} { return k.ready }

// Keep looks after the keys until ctx ends. What fails is tried again in a
// minute; meanwhile the keys in memory go on working.
func (k *Keyring) Keep(ctx context.Context) {
	select {
	case <-ctx.Done():
		return
	case <-k.ready:
	}
	var rewrapped time.Time
	failing := false
	for ctx.Err() == nil {
		err := k.learn(ctx)
		if k.now().Sub(k.made) >= keyAge {
			err = errors.Join(err, k.renew(ctx))
		}
		if k.now().Sub(rewrapped) >= rewrapEvery {
			again := k.Rewrap(ctx)
			if again == nil {
				rewrapped = k.now()
			}
			err = errors.Join(err, again)
		}
		if err != nil && !failing && ctx.Err() == nil {
			k.log.Warn("looking after the data keys failed; trying again", "error", err)
		}
		failing = err != nil
		await(ctx, nil, spread(learnEvery))
	}
}

// Own is the key for new documents. Call it after Prepare.
func (k *Keyring) Own() Key {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.own
}

// Key finds the key that a document names.
func (k *Keyring) Key(ctx context.Context, id uuid.UUID) (Key, error) {
	k.mu.RLock()
	key, found := k.known[id]
	k.mu.RUnlock()
	if found {
		return key, nil
	}
	var wrapped string
	if err := k.pool.QueryRow(ctx, `SELECT wrapped FROM data_key WHERE id = $1`, id).Scan(&wrapped); err != nil {
		return Key{}, fmt.Errorf("read data key: %w", err)
	}
	unwrapped, err := k.unwrap(ctx, []uuid.UUID{id}, []string{wrapped})
	var away *VaultError
	switch {
	case errors.As(err, &away):
		k.log.Warn("a data key that is not in memory cannot be unwrapped", "error", err)
		return Key{}, TryLater("The key of this document is in Vault, which does not give it just now. The document is safe. Try again in a few minutes.")
	case err != nil:
		return Key{}, err
	case len(unwrapped) == 0:
		return Key{}, fmt.Errorf("data key %s cannot be unwrapped any more", id)
	}
	return unwrapped[0], nil
}

// renew makes this process another key. It is used only once it is stored.
func (k *Keyring) renew(ctx context.Context) error {
	plain, wrapped, err := k.wrapper.NewKey(ctx)
	if err != nil {
		return fmt.Errorf("make data key: %w", err)
	}
	version, err := wrapVersion(wrapped)
	if err != nil {
		return err
	}
	key, err := newKey(uuid.New(), plain)
	if err != nil {
		return err
	}
	if _, err := k.pool.Exec(ctx, `INSERT INTO data_key (id, wrapped, key_version) VALUES ($1, $2, $3)`,
		key.ID, wrapped, version); err != nil {
		return fmt.Errorf("store data key: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.own, k.made, k.known[key.ID] = key, k.now(), key
	return nil
}

// learn unwraps those of the newest keys that are not known yet.
func (k *Keyring) learn(ctx context.Context) error {
	rows, _ := k.pool.Query(ctx, `SELECT id, wrapped FROM data_key ORDER BY created_at DESC LIMIT $1`, rememberedKeys)
	var ids []uuid.UUID
	var wrapped []string
	var id uuid.UUID
	var text string
	_, err := pgx.ForEachRow(rows, []any{&id, &text}, func() error {
		k.mu.RLock()
		defer k.mu.RUnlock()
		if _, found := k.known[id]; !found {
			ids, wrapped = append(ids, id), append(wrapped, text)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read data keys: %w", err)
	}
	if len(ids) == 0 {
		return nil
	}
	_, err = k.unwrap(ctx, ids, wrapped)
	return err
}

// unwrap adds the keys that can be unwrapped to those that are known.
func (k *Keyring) unwrap(ctx context.Context, ids []uuid.UUID, wrapped []string) ([]Key, error) {
	plain, err := k.wrapper.Unwrap(ctx, wrapped)
	if err != nil {
		return nil, fmt.Errorf("unwrap data keys: %w", err)
	}
	var keys []Key
	for i, id := range ids {
		if key, err := newKey(id, plain[i]); err == nil { // else it may not spoil the others
			keys = append(keys, key)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range keys {
		k.known[key.ID] = key
	}
	return keys, nil
}
