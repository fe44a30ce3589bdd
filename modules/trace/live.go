package trace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ejustice.dev/operator/modules/trace/chain"
)

// page is how many links are read at once.
const page = 2000

// Live is the database as a chain.Source.
type Live struct{ DB DB }

// Base implements chain.Source.
func (l Live) Base(ctx context.Context, number int64) (chain.Anchor, map[chain.ID]chain.Head, error) {
	anchors, err := l.bare(ctx, number-1, 1)
	if err != nil {
		return chain.Anchor{}, nil, err
	}
	if len(anchors) == 0 {
		return chain.Anchor{}, nil, nil
	}
	rows, _ := l.DB.Query(ctx, `SELECT number, court, shard, seq, hash FROM trace.heads_as_of($1)`, number)
	heads := map[chain.ID]chain.Head{}
	err = eachHead(rows, func(_ int64, head chain.Head) { heads[head.ID] = head })
	return anchors[0], heads, err
}

// Anchors implements chain.Source.
func (l Live) Anchors(ctx context.Context, after int64, limit int) ([]chain.Anchor, error) {
	if limit == 0 {
		limit = math.MaxInt32
	}
	anchors, err := l.bare(ctx, after, limit)
	if err != nil || len(anchors) == 0 {
		return nil, err
	}
	index := map[int64]int{}
	for i, anchor := range anchors {
		index[anchor.Number] = i
	}
	rows, _ := l.DB.Query(ctx, `SELECT number, court, shard, seq, hash FROM trace.anchor_heads($1, $2)`,
		after, anchors[len(anchors)-1].Number)
	err = eachHead(rows, func(number int64, head chain.Head) {
		if i, found := index[number]; found {
			anchors[i].Heads = append(anchors[i].Heads, head)
		}
	})
	return anchors, err
}

// bare reads anchors without their heads.
func (l Live) bare(ctx context.Context, after int64, limit int) ([]chain.Anchor, error) {
	rows, _ := l.DB.Query(ctx, `SELECT number, at, previous, root, chains, key_id, signature FROM trace.anchors($1, $2)`, after, limit)
	anchors, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (chain.Anchor, error) {
		a := chain.Anchor{Heads: []chain.Head{}}
		var previous, root []byte
		err := row.Scan(&a.Number, &a.At.Time, &previous, &root, &a.Chains, &a.KeyID, &a.Signature)
		a.At.Time = a.At.UTC()
		copy(a.Previous[:], previous)
		copy(a.Root[:], root)
		return a, err
	})
	if err != nil {
		return nil, fmt.Errorf("read anchors: %w", err)
	}
	return anchors, nil
}

func eachHead(rows pgx.Rows, f func(number int64, head chain.Head)) error {
	var number int64
	var head chain.Head
	var hash []byte
	_, err := pgx.ForEachRow(rows, []any{&number, &head.Court, &head.Shard, &head.Seq, &hash}, func() error {
		copy(head.Hash[:], hash)
		f(number, head)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the anchors' heads: %w", err)
	}
	return nil
}

// Chains implements chain.Source.
func (l Live) Chains(ctx context.Context) ([]chain.State, error) {
	states, _, err := readChains(ctx, l.DB)
	return states, err
}

// Links implements chain.Source.
func (l Live) Links(ctx context.Context, id chain.ID, after, through int64) iter.Seq2[chain.Link, error] {
	return func(yield func(chain.Link, error) bool) {
		for after < through {
			rows, _ := l.DB.Query(ctx, `SELECT `+linkColumns+` FROM trace.links($1, $2, $3, $4, $5)`, id.Court, id.Shard, after, through, page)
			links, err := pgx.CollectRows(rows, scanLink)
			var unreadable pgx.ScanArgError
			if errors.As(err, &unreadable) {
				err = &chain.FormError{What: "a column holds what the trace's own function never writes"}
			}
			if err != nil {
				yield(chain.Link{}, fmt.Errorf("read entries: %w", err))
				return
			}
			for _, link := range links {
				if !yield(link, nil) {
					return
				}
			}
			if len(links) < page {
				return
			}
			after = links[len(links)-1].Seq
		}
	}
}

// linkColumns are scanned by scanLink, in this order.
const linkColumns = `court, shard, seq, id, at, person, session, role, role_court, delegated_for, client, action, outcome,
	object_kind, object_id, case_id, reason, details, hash`

func scanLink(row pgx.CollectableRow) (chain.Link, error) {
	var link chain.Link
	e := &chain.Entry{}
	var id uuid.UUID
	var caseID uuid.NullUUID
	var at time.Time
	var details json.RawMessage
	var hash []byte
	err := row.Scan(&link.Court, &link.Shard, &link.Seq, &id, &at, &e.Person, &e.Session, &e.Role, &e.RoleCourt, &e.For, &e.From,
		&e.Action, &e.Outcome, &e.ObjectKind, &e.ObjectID, &caseID, &e.Reason, &details, &hash)
	if err != nil {
		return link, err
	}
	e.ID, link.At.Time, link.Entry = id.String(), at.UTC(), e
	if caseID.Valid {
		e.Case = caseID.UUID.String()
	}
	copy(link.Hash[:], hash)
	e.Details = map[string]string{}
	if string(details) == "{}" {
		return link, nil
	}
	if json.Unmarshal(details, &e.Details) != nil || e.Details == nil {
		// Only a superuser can have written this; it cannot have this hash.
		e.Details = map[string]string{"unreadable": string(details)}
	}
	return link, nil
}
