package casemanagement

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"ejustice.dev/operator/modules/kit"
)

// chunkBytes is how much of a document is fetched at once while it is read.
const chunkBytes = 256 << 10

// errDamaged is a document that is not what was filed.
var errDamaged = errors.New("a stored document is not what was filed")

// errSealedMeanwhile is a document that was encrypted while it was being read.
var errSealedMeanwhile = errors.New("the document was encrypted while it was read")

// sealContent encrypts a document's bytes.
func sealContent(key kit.Key, id uuid.UUID, content []byte) ([]byte, error) {
	var sealed bytes.Buffer
	// Its own overhead is a header, and a tag for each segment.
	sealed.Grow(len(content) + len(content)/1024 + 256)
	w, err := key.Seal(&sealed, id)
	if err != nil {
		return nil, fmt.Errorf("encrypt document: %w", err)
	}
	if _, err := w.Write(content); err != nil {
		return nil, fmt.Errorf("encrypt document: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("encrypt document: %w", err)
	}
	return sealed.Bytes(), nil
}

// stored reads a document's stored bytes in pieces, each with a connection of
// its own: a client on a slow line holds none.
type stored struct {
	ctx    context.Context
	pool   *pgxpool.Pool
	id     uuid.UUID
	key    uuid.NullUUID // of the beginning
	offset int64
	piece  []byte
	ended  bool
	err    error
}

func (s *stored) Read(p []byte) (int, error) {
	if len(s.piece) == 0 && !s.ended {
		if s.err = s.fetch(); s.err != nil {
			return 0, s.err
		}
	}
	if len(s.piece) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.piece)
	s.piece = s.piece[n:]
	return n, nil
}

func (s *stored) fetch() error {
	err := s.pool.QueryRow(s.ctx, `SELECT substring(content FROM $2 FOR $3) FROM document_content
		WHERE id = $1 AND key_id IS NOT DISTINCT FROM $4`, s.id, s.offset+1, chunkBytes, s.key).Scan(&s.piece)
	if errors.Is(err, pgx.ErrNoRows) {
		return errSealedMeanwhile
	}
	if err != nil {
		return fmt.Errorf("read document content: %w", err)
	}
	s.offset += int64(len(s.piece))
	s.ended = len(s.piece) < chunkBytes
	return nil
}

// openContent gives a document's bytes as they were filed.
func openContent(ctx context.Context, pool *pgxpool.Pool, keys *kit.Keyring, id uuid.UUID) (io.Reader, error) {
	s := &stored{ctx: ctx, pool: pool, id: id}
	if err := pool.QueryRow(ctx, `SELECT key_id FROM document_content WHERE id = $1`, id).Scan(&s.key); err != nil {
		return nil, fmt.Errorf("read document content: %w", err)
	}
	if !s.key.Valid {
		return s, nil // filed before documents were encrypted, and not yet converted
	}
	key, err := keys.Key(ctx, s.key.UUID)
	if err != nil {
		return nil, err
	}
	plain, err := key.Open(s, id)
	if err != nil {
		return nil, s.blame(err)
	}
	return &opened{plain, s}, nil
}

// opened is content that is decrypted while it is read.
type opened struct {
	plain  io.Reader
	stored *stored
}

func (o *opened) Read(p []byte) (int, error) {
	n, err := o.plain.Read(p)
	if err != nil && err != io.EOF {
		err = o.stored.blame(err)
	}
	return n, err
}

// blame tells a database that went away from content that is not authentic.
func (s *stored) blame(err error) error {
	if s.err != nil {
		return s.err
	}
	return fmt.Errorf("%w: %w", errDamaged, err)
}

// sendContent writes a document's bytes to w. The last of them are held back
// until the whole is known to be what was filed: otherwise it fails, and who
// reads it gets less than was announced.
func sendContent(ctx context.Context, pool *pgxpool.Pool, keys *kit.Keyring, document Document, w io.Writer) error {
	var sent int64
	for {
		content, err := openContent(ctx, pool, keys, document.ID)
		if err != nil {
			return named(err, document)
		}
		err = sendFrom(content, document, &sent, w)
		if err == nil || !errors.Is(err, errSealedMeanwhile) {
			return named(err, document)
		}
	}
}

// sendFrom reads the whole content, and sends what follows the first sent bytes.
func sendFrom(content io.Reader, document Document, sent *int64, w io.Writer) error {
	hash := sha256.New()
	piece := make([]byte, min(chunkBytes, document.Size))
	for offset := int64(0); offset < document.Size; {
		n, err := io.ReadFull(content, piece[:min(int64(len(piece)), document.Size-offset)])
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return fmt.Errorf("%w: shorter", errDamaged)
		}
		if err != nil {
			return err
		}
		hash.Write(piece[:n])
		offset += int64(n)
		if offset == document.Size {
			if err := checkEnd(content, hash.Sum(nil), document); err != nil {
				return err
			}
		}
		if offset <= *sent {
			continue
		}
		fresh := piece[:n][max(0, int64(n)-(offset-*sent)):]
		if _, err := w.Write(fresh); err != nil {
			return fmt.Errorf("send document: %w", err)
		}
		*sent = offset
	}
	return nil
}

// checkEnd says whether nothing follows and the digest is that of the filing.
func checkEnd(content io.Reader, sum []byte, document Document) error {
	n, err := io.ReadFull(content, make([]byte, 1))
	switch {
	case n != 0:
		return fmt.Errorf("%w: longer", errDamaged)
	case !errors.Is(err, io.EOF):
		return err
	case hex.EncodeToString(sum) != document.SHA256:
		return fmt.Errorf("%w: another SHA-256", errDamaged)
	}
	return nil
}

// named has the log say which document is damaged.
func named(err error, document Document) error {
	if errors.Is(err, errDamaged) {
		return fmt.Errorf("document %s: %w", document.ID, err)
	}
	return err
}
