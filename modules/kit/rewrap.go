package kit

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Rewrap wraps every stored key with the newest version of the key in Vault, so
// that older versions may be ended. Documents are not touched: their keys stay
// the same.
//
// Replicas may do it at once and may be stopped at any moment: a row is written
// only if it is still what was read.
func (k *Keyring) Rewrap(ctx context.Context) error {
	newest, err := k.newestVersion(ctx)
	if err != nil {
		return err
	}
	after := uuid.Nil // each row once, even one that cannot be unwrapped
	for {
		ids, wrapped, err := k.olderThan(ctx, newest, after)
		if err != nil || len(ids) == 0 {
			return err
		}
		if err := k.rewrapRows(ctx, ids, wrapped); err != nil {
			return err
		}
		after = ids[len(ids)-1]
	}
}

// newestVersion has this process's own key wrapped anew: the answer tells the
// version, and no readable key is sent about for it.
func (k *Keyring) newestVersion(ctx context.Context) (int, error) {
	var wrapped string
	if err := k.pool.QueryRow(ctx, `SELECT wrapped FROM data_key WHERE id = $1`, k.Own().ID).Scan(&wrapped); err != nil {
		return 0, fmt.Errorf("read own data key: %w", err)
	}
	again, err := k.wrapper.Rewrap(ctx, []string{wrapped})
	if err != nil {
		return 0, fmt.Errorf("ask for the key's version: %w", err)
	}
	return wrapVersion(again[0])
}

func (k *Keyring) olderThan(ctx context.Context, version int, after uuid.UUID) (ids []uuid.UUID, wrapped []string, err error) {
	rows, _ := k.pool.Query(ctx, `SELECT id, wrapped FROM data_key WHERE key_version < $1 AND id > $2 ORDER BY id LIMIT $3`,
		version, after, rewrapBatch)
	var id uuid.UUID
	var text string
	_, err = pgx.ForEachRow(rows, []any{&id, &text}, func() error {
		ids, wrapped = append(ids, id), append(wrapped, text)
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read data keys: %w", err)
	}
	return ids, wrapped, nil
}

func (k *Keyring) rewrapRows(ctx context.Context, ids []uuid.UUID, wrapped []string) error {
	again, err := k.wrapper.Rewrap(ctx, wrapped)
	if err != nil {
		return fmt.Errorf("rewrap data keys: %w", err)
	}
	batch := &pgx.Batch{}
	for i, id := range ids {
		version, err := wrapVersion(again[i])
		if err != nil {
			k.log.Error("a data key cannot be rewrapped: its version of the key in Vault has been ended", "data_key", id)
			continue
		}
		batch.Queue(`UPDATE data_key SET wrapped = $2, key_version = $3 WHERE id = $1 AND wrapped = $4`,
			id, again[i], version, wrapped[i])
	}
	if err := k.pool.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("store rewrapped data keys: %w", err)
	}
	return nil
}

// wrapVersion reads the version of the wrapping key: 3 of "vault:v3:…".
func wrapVersion(wrapped string) (int, error) {
	text, found := strings.CutPrefix(wrapped, "vault:v")
	text, _, more := strings.Cut(text, ":")
	version, err := strconv.Atoi(text)
	if !found || !more || err != nil || version < 1 {
		return 0, errors.New("the wrapped key does not begin with its version")
	}
	return version, nil
}
