package trace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"ejustice.dev/operator/modules/trace/chain"
)

// Signer holds a key that the database does not have.
type Signer interface {
	// Sign makes an Ed25519 signature over message and says with which key.
	Sign(ctx context.Context, message []byte) (signature []byte, keyID string, err error)
	// PublicKeys are those of all keys that have signed and may still be
	// trusted.
	PublicKeys(ctx context.Context) (chain.Keys, error)
}

// Anchor puts the heads of all chains together and has them signed. It does
// nothing if no chain has moved since the last anchor. Several replicas may call
// it at once: one makes the anchor, for the others made is false.
func Anchor(ctx context.Context, db DB, signer Signer) (made bool, err error) {
	next, err := prepare(ctx, db)
	if err != nil || len(next.Heads) == 0 {
		return false, err
	}
	next.Signature, next.KeyID, err = signer.Sign(ctx, next.Signed())
	if err != nil {
		return false, fmt.Errorf("sign anchor: %w", err)
	}
	text, err := json.Marshal(next)
	if err != nil {
		return false, fmt.Errorf("encode anchor: %w", err)
	}
	_, err = db.Exec(ctx, `SELECT trace.append_anchor($1, $2)`, string(text), next.Signature)
	var answer *pgconn.PgError
	if errors.As(err, &answer) && (answer.Code == "40001" || answer.Code == "23505") {
		return false, nil // another replica was faster
	}
	if err != nil {
		return false, fmt.Errorf("store anchor: %w", err)
	}
	return true, nil
}

// prepare makes the anchor after the newest, without its signature.
func prepare(ctx context.Context, db DB) (chain.Anchor, error) {
	last, heads, err := newest(ctx, db)
	if err != nil {
		return chain.Anchor{}, err
	}
	next := chain.Anchor{Number: last.Number + 1}
	if last.Number > 0 {
		if len(heads) != last.Chains || chain.Root(heads) != last.Root {
			return chain.Anchor{}, fmt.Errorf("make anchor: anchor %d was altered; nothing is signed on top of it", last.Number)
		}
		next.Previous = last.Hash()
	}
	states, now, err := readChains(ctx, db)
	if err != nil {
		return chain.Anchor{}, err
	}
	for _, state := range states {
		switch before := heads[state.ID]; {
		case state.Seq < before.Seq:
			return chain.Anchor{}, fmt.Errorf("make anchor: %s was set back from entry %d to %d; that is not signed", state.ID, before.Seq, state.Seq)
		case state.Seq > before.Seq:
			heads[state.ID] = state.Head
			next.Heads = append(next.Heads, state.Head)
		}
	}
	next.At, next.Chains, next.Root = chain.Time{Time: now}, len(heads), chain.Root(heads)
	slices.SortFunc(next.Heads, func(a, b chain.Head) int { return a.ID.Compare(b.ID) })
	return next, nil
}

// newest reads the last anchor and the heads that it covers; nothing if there
// is none.
func newest(ctx context.Context, db DB) (chain.Anchor, map[chain.ID]chain.Head, error) {
	var number int64
	if err := db.QueryRow(ctx, `SELECT trace.newest_anchor()`).Scan(&number); err != nil {
		return chain.Anchor{}, nil, fmt.Errorf("find the last anchor: %w", err)
	}
	if number == 0 {
		return chain.Anchor{}, map[chain.ID]chain.Head{}, nil
	}
	return Live{db}.Base(ctx, number)
}

// readChains reads the heads as of one moment, and the database's clock.
func readChains(ctx context.Context, db DB) (states []chain.State, now time.Time, err error) {
	rows, _ := db.Query(ctx, `SELECT court, shard, seq, hash, last, clock_timestamp() FROM trace.chains()`)
	states, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (chain.State, error) {
		var s chain.State
		var hash []byte
		err := row.Scan(&s.Court, &s.Shard, &s.Seq, &hash, &s.Last, &now)
		copy(s.Hash[:], hash)
		return s, err
	})
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("read the chains' heads: %w", err)
	}
	return states, now.UTC().Truncate(time.Microsecond), nil
}
