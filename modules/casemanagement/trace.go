package casemanagement

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"ejustice.dev/operator/modules/kit"
	"ejustice.dev/operator/modules/trace"
)

// Actions as the trace calls them.
const (
	actionList       = "case.list"
	actionRead       = "case.read"
	actionFile       = "case.file"
	actionRegister   = "case.register"
	actionReadDoc    = "document.read"
	actionDescribe   = "document.describe"
	actionAddDoc     = "document.add"
	kindCase         = "case"
	kindDocument     = "document"
	kindList         = "list"
	detailSHA256     = "sha256"
	traceEvery       = 30 * time.Second
	traceFullEvery   = time.Minute
	traceFullAnchors = 200
	// traceMaxUncovered is longer than an outage of Vault, without which nothing is
	// signed.
	traceMaxUncovered = time.Hour
)

// querier reads: a pool, or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	SendBatch(ctx context.Context, batch *pgx.Batch) pgx.BatchResults
}

// act is an entry of the trace about who sent the request. There is no sign-in
// yet.
func act(r *http.Request, action, court string, caseID uuid.UUID) trace.Entry {
	return trace.Entry{
		Court: court, Person: trace.Anonymous, From: kit.ClientAddress(r),
		Action: action, Outcome: trace.Allowed, ObjectKind: kindCase, ObjectID: caseID.String(), Case: caseID,
	}
}

// actOnDocument is an entry about one document of a case.
func actOnDocument(r *http.Request, action, court string, caseID uuid.UUID, d Document) trace.Entry {
	entry := act(r, action, court, caseID)
	entry.ObjectKind, entry.ObjectID = kindDocument, d.ID.String()
	entry.Details = map[string]string{detailSHA256: d.SHA256}
	return entry
}

// seen reads something in a transaction that also records it: what cannot be
// recorded is not shown. What is not there is recorded as refused, because
// whoever asks for many such things is worth a look.
func (a *App) seen(r *http.Request, action string, id uuid.UUID, read func(context.Context, querier) ([]trace.Entry, error)) error {
	ctx := r.Context()
	err := pgx.BeginFunc(ctx, a.pool, func(tx pgx.Tx) error {
		entries, err := read(ctx, tx)
		if err != nil {
			return err
		}
		return trace.Append(ctx, tx, entries...)
	})
	var problem *kit.Problem
	if !errors.As(err, &problem) || problem.Status != http.StatusNotFound {
		return err
	}
	refused := act(r, action, "", id)
	refused.Outcome = trace.Refused
	if failed := pgx.BeginFunc(ctx, a.pool, func(tx pgx.Tx) error { return trace.Append(ctx, tx, refused) }); failed != nil {
		return failed
	}
	return err
}

// filed is what the trace says of a filing.
func filed(r *http.Request, c Case) []trace.Entry {
	entries := []trace.Entry{act(r, actionFile, c.CourtCode, c.ID)}
	for _, d := range c.Documents {
		entries = append(entries, actOnDocument(r, actionAddDoc, c.CourtCode, c.ID, d))
	}
	return entries
}

// traceState is what the last passes over the trace came to, in this replica.
type traceState struct {
	// recent and full are how many breaks the last pass of the kind found.
	recent, full atomic.Int64
	// verified and anchored are when that last succeeded, in seconds since 1970.
	verified, anchored atomic.Int64
}

func (s *traceState) watch(router *kit.Router) {
	value := func(at *atomic.Int64) func() float64 { return func() float64 { return float64(at.Load()) } }
	router.Watch("ejustice_trace_breaks", "Places at which the trace was found changed, incomplete or not proven. Any is an alarm.",
		func() float64 { return float64(s.recent.Load() + s.full.Load()) })
	router.Watch("ejustice_trace_verified_timestamp_seconds", "When what is new in the trace was last verified without a break, in seconds since 1970.", value(&s.verified))
	router.Watch("ejustice_trace_anchored_timestamp_seconds", "When the heads of the trace were last signed, in seconds since 1970.", value(&s.anchored))
}

// KeepTrace has the trace signed and verified until ctx ends.
func (a *App) KeepTrace(ctx context.Context, signer trace.Signer, log *slog.Logger) {
	select {
	case <-ctx.Done():
		return
	case <-a.keys.Ready():
	}
	keeper := trace.Keeper{
		DB: a.pool, Signer: signer, Every: traceEvery, FullEvery: traceFullEvery, FullAnchors: traceFullAnchors,
		MaxUncovered: traceMaxUncovered, Found: func(f trace.Finding) { a.trace.note(f, log) },
	}
	keeper.Run(ctx)
}

func (s *traceState) note(f trace.Finding, log *slog.Logger) {
	now, breaks := time.Now().Unix(), int64(len(f.Report.Breaks))
	switch {
	case f.Err != nil:
		log.Error("the trace was not looked after; trying again", "pass", f.Pass, "error", f.Err)
		return
	case f.Pass == trace.Anchoring:
		s.anchored.Store(now)
		return
	case f.Pass == trace.Full:
		s.full.Store(breaks)
	default:
		s.recent.Store(breaks)
		if breaks == 0 {
			s.verified.Store(now)
		}
	}
	if breaks > 0 {
		log.Error("the trace is broken", "pass", f.Pass, "breaks", breaks, "first", f.Report.Breaks[0].String())
	}
}

// Migrate brings the database, which pool opens as its owner, to this version's
// schema; runtime is the role that the module works in.
func Migrate(ctx context.Context, pool *pgxpool.Pool, runtime string) error {
	schema, err := kit.ReadSchema(files)
	if err != nil {
		return err
	}
	if err := schema.Migrate(ctx, pool, runtime); err != nil {
		return err
	}
	return trace.Install(ctx, pool, trace.Roles{Owner: pool.Config().ConnConfig.Database, Module: runtime})
}
