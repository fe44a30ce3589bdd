package trace_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"ejustice.dev/operator/modules/trace"
)

// Sixty-four at once append to several courts, some to two of them in the wrong
// order, some roll back, some are killed in the middle, and anchors are made and
// the trace is verified meanwhile. The chains are gapless, and what was
// acknowledged is there.
func TestManyAppend(t *testing.T) {
	t.Parallel()
	f := start(t)
	const clients, rounds = 64, 12
	pool := f.connect(t, clients)
	courts := []string{"AAA", "BBB", "CCC", ""}
	var acknowledged, killed, rolledBack atomic.Int64
	var group errgroup.Group
	for client := range clients {
		random := rand.New(rand.NewPCG(uint64(client), 2026))
		group.Go(func() error {
			for round := range rounds {
				entries := []trace.Entry{entry(courts[random.IntN(len(courts))]), entry(courts[random.IntN(len(courts))])}
				tx, err := pool.Begin(ctx)
				if err != nil {
					return err
				}
				if err := trace.Append(ctx, tx, entries...); err != nil {
					_ = tx.Rollback(ctx)
					return fmt.Errorf("client %d, round %d: %w", client, round, err)
				}
				switch random.IntN(5) {
				case 0:
					rolledBack.Add(1)
					_ = tx.Rollback(ctx)
				case 1: // the server ends the connection, as when the client's host dies
					killed.Add(1)
					if _, err := f.admin.Exec(ctx, `SELECT pg_terminate_backend($1)`, tx.Conn().PgConn().PID()); err != nil {
						return err
					}
					_ = tx.Rollback(ctx)
				default:
					if err := tx.Commit(ctx); err != nil {
						return err
					}
					acknowledged.Add(int64(len(entries)))
				}
			}
			return nil
		})
	}
	done := make(chan struct{})
	var watching errgroup.Group
	watching.Go(func() error { return watch(f, done) })
	err := group.Wait()
	close(done)
	if err != nil {
		t.Fatal(err)
	}
	if err := watching.Wait(); err != nil {
		t.Error(err)
	}
	if killed.Load() == 0 || rolledBack.Load() == 0 {
		t.Error("the test did not disturb")
	}
	f.fill(t, 1, "AAA")
	f.anchor(t)
	report := f.verify(t, trace.Filter{})
	if !report.OK() || report.Links != acknowledged.Load()+1 || report.Uncovered != 0 {
		t.Errorf("%d acknowledged: %s", acknowledged.Load()+1, report)
	}
	t.Logf("%d acknowledged, %d killed, %d rolled back, %d anchors", acknowledged.Load(), killed.Load(), rolledBack.Load(), report.Anchors)
}

// watch anchors and verifies until done, from two replicas at once.
func watch(f *fixture, done chan struct{}) error {
	for {
		select {
		case <-done:
			return nil
		default:
		}
		var replicas errgroup.Group
		for range 2 {
			replicas.Go(func() error { _, err := trace.Anchor(ctx, f.pool, f.key); return err })
		}
		if err := replicas.Wait(); err != nil {
			return err
		}
		report, err := trace.Verify(ctx, f.pool, f.key, trace.Filter{})
		if err != nil || !report.OK() {
			return fmt.Errorf("while others append: %s, error %w", report, err)
		}
	}
}

// Who appends does not wait for others of the same court, of another court, or for
// readers, unless all chains of the court are in use.
func TestNobodyWaitsWhileAChainIsFree(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.fill(t, 1, "AAA")
	pool := f.connect(t, 9)
	var open []pgx.Tx
	for range 8 {
		tx, err := pool.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback(ctx) }()
		soon, cancel := context.WithTimeout(ctx, 30*time.Second)
		if err := trace.Append(soon, tx, entry("AAA")); err != nil {
			t.Fatalf("after %d others: %v", len(open), err)
		}
		cancel()
		open = append(open, tx)
	}
	// The ninth waits for one of them, and goes on as soon as that one ends.
	waiting := make(chan error, 1)
	go func() { waiting <- appendTo(pool, entry("AAA")) }()
	for blocked := false; !blocked; {
		if err := f.admin.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock')`, f.db.Name).Scan(&blocked); err != nil {
			t.Fatal(err)
		}
	}
	for _, tx := range open {
		if err := tx.Commit(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-waiting; err != nil {
		t.Fatal(err)
	}
	f.holds(t, 10)
}
