package casemanagement

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// sealOld encrypts the documents that were filed before documents were
// encrypted. Replicas may do it at once and may be stopped at any moment: each
// document is either as it was or encrypted.
func (a *App) sealOld(ctx context.Context) error {
	after := uuid.Nil
	for {
		var size int64
		err := a.pool.QueryRow(ctx, `SELECT id, octet_length(content) FROM document_content
			WHERE key_id IS NULL AND id > $1 ORDER BY id LIMIT 1`, after).Scan(&after, &size)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("find documents to encrypt: %w", err)
		}
		if err := a.sealOne(ctx, after, size); err != nil {
			return err
		}
	}
}

// sealOne encrypts one document, when memory has room beside the filings.
func (a *App) sealOne(ctx context.Context, id uuid.UUID, size int64) error {
	room := min(2*size, a.maxBody)
	if err := a.bodies.Acquire(ctx, room); err != nil {
		return err
	}
	defer a.bodies.Release(room)
	var content []byte
	err := a.pool.QueryRow(ctx, `SELECT content FROM document_content WHERE id = $1 AND key_id IS NULL`, id).Scan(&content)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // another replica was faster
	}
	if err != nil {
		return fmt.Errorf("read document to encrypt: %w", err)
	}
	key := a.keys.Own()
	sealed, err := sealContent(key, id, content)
	if err != nil {
		return err
	}
	if _, err := a.pool.Exec(ctx, `UPDATE document_content SET content = $2, key_id = $3 WHERE id = $1 AND key_id IS NULL`,
		id, sealed, key.ID); err != nil {
		return fmt.Errorf("store encrypted document: %w", err)
	}
	return nil
}
