package trace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// DB reads and calls: a pool, a connection or a transaction.
type DB interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// maxAppend is how many entries are appended at once, as in the database.
const maxAppend = 1000

const appendEntries = `SELECT trace.append($1)`

// Append records entries in the caller's transaction, in one round trip: if it
// fails the transaction fails, and what is not recorded does not happen.
//
// From here to the end of the transaction nobody else can use the chain that the
// entries went to, so append as late as possible. A court has several chains; one
// waits only when all are in use. Append everything in one call: entries of
// several courts are then put in an order in which no two transactions wait for
// each other. The transaction must be READ COMMITTED, PostgreSQL's default: a
// stricter one fails with a serialization failure whenever somebody else appended
// since it began.
func Append(ctx context.Context, tx pgx.Tx, entries ...Entry) error {
	text, err := encode(entries)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, appendEntries, text); err != nil {
		return fmt.Errorf("append to the trace: %w", err)
	}
	return nil
}

// Queue is Append as part of a batch. Send the batch in a transaction, and put
// this last.
func Queue(batch *pgx.Batch, entries ...Entry) error {
	text, err := encode(entries)
	if err != nil {
		return err
	}
	batch.Queue(appendEntries, text)
	return nil
}

func encode(entries []Entry) (string, error) {
	if len(entries) == 0 || len(entries) > maxAppend {
		return "", fmt.Errorf("append to the trace: there must be 1 to %d entries", maxAppend)
	}
	for i, entry := range entries {
		if err := entry.Check(); err != nil {
			return "", fmt.Errorf("append to the trace: entry %d: %w", i, err)
		}
	}
	sorted := slices.Clone(entries)
	slices.SortStableFunc(sorted, func(a, b Entry) int { return strings.Compare(a.Court, b.Court) })
	text, err := json.Marshal(sorted)
	if err != nil {
		return "", errors.New("append to the trace: an entry cannot be encoded")
	}
	return string(text), nil
}
