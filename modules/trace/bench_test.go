package trace_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"ejustice.dev/operator/modules/trace"
)

// bareInsert is the same row in a table that has the same columns, limits and
// indexes, and no chain.
const bareInsert = `INSERT INTO bare.entry VALUES ($1, 0, $2, gen_random_uuid(), clock_timestamp(), $3, 's-1', 'judge', $1, $4, '2001:db8::1', 'case.read', 'allowed',
	'case', $5, $5::text::uuid, $6, $7, sha256('x'))`

// BenchmarkAppend measures transactions that append one entry beside transactions
// that insert the same row without a chain, in the same run. Half of the clients'
// court is one and the same: the worst case.
//
//	ratio  appends a second to bare inserts a second; 1 would be free
//
// The server is pgtest's: it does not wait for the disk, so that the ratio shows
// what the trace costs and not what is the same for both.
func BenchmarkAppend(b *testing.B) {
	for _, clients := range []int{1, 4, 16, 64} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			f := start(b)
			pool := f.connect(b, clients)
			makeBare(b, f)
			var bare, chained time.Duration
			for b.Loop() {
				// In turns, so that both see the same weather.
				bare += together(b, pool, clients, func(ctx context.Context, tx pgx.Tx, client, n int) error {
					e := entry("AAA")
					_, err := tx.Exec(ctx, bareInsert, "AAA", client*1_000_000_000+n, e.Person, e.For, e.ObjectID, e.Reason, e.Details)
					return err
				})
				chained += together(b, pool, clients, func(ctx context.Context, tx pgx.Tx, _, _ int) error {
					return trace.Append(ctx, tx, entry("AAA"))
				})
			}
			perRound := float64(transactions * b.N)
			b.ReportMetric(perRound/chained.Seconds(), "appends/s")
			b.ReportMetric(perRound/bare.Seconds(), "bare/s")
			b.ReportMetric(bare.Seconds()/chained.Seconds(), "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// transactions of one round, shared by the clients.
const transactions = 1024

func makeBare(b *testing.B, f *fixture) {
	b.Helper()
	for _, statement := range []string{
		`CREATE SCHEMA bare`, `CREATE TABLE bare.entry (LIKE trace.entry INCLUDING ALL)`,
		`GRANT USAGE ON SCHEMA bare TO ` + f.roles.Module, `GRANT ALL ON bare.entry TO ` + f.roles.Module,
	} {
		if _, err := f.admin.Exec(ctx, statement); err != nil {
			b.Fatal(err)
		}
	}
}

var sequence int

// together has clients do a round of transactions and says how long it took.
func together(b *testing.B, pool *pgxpool.Pool, clients int, do func(ctx context.Context, tx pgx.Tx, client, n int) error) time.Duration {
	b.Helper()
	sequence += transactions
	first := sequence
	begin := time.Now()
	var group sync.WaitGroup
	for client := range clients {
		group.Go(func() {
			for n := range transactions / clients {
				err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return do(ctx, tx, client, first+n) })
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	return time.Since(begin)
}

// BenchmarkVerify measures verifying beside reading the same rows and columns
// without looking at them.
//
//	ratio  rows verified a second to rows scanned a second
func BenchmarkVerify(b *testing.B) {
	f := start(b)
	const rows = 20_000
	for range rows / 500 {
		entries := make([]trace.Entry, 500)
		for i := range entries {
			entries[i] = entry("AAA")
		}
		if err := appendTo(f.pool, entries...); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := trace.Anchor(ctx, f.pool, f.key); err != nil {
		b.Fatal(err)
	}
	var scanned, verified time.Duration
	for b.Loop() {
		begin := time.Now()
		found, err := f.admin.Query(ctx, `SELECT * FROM trace.entry ORDER BY court, shard, seq`)
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for found.Next() {
			n++
		}
		scanned += time.Since(begin)
		begin = time.Now()
		report, err := trace.Verify(ctx, f.pool, f.key, trace.Filter{})
		verified += time.Since(begin)
		if err != nil || !report.OK() || report.Links != rows || n != rows {
			b.Fatalf("%d scanned, %s, error %v", n, report, err)
		}
	}
	b.ReportMetric(rows*float64(b.N)/verified.Seconds(), "rows/s")
	b.ReportMetric(scanned.Seconds()/verified.Seconds(), "ratio")
	b.ReportMetric(0, "ns/op")
}
