package trace_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"iter"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"ejustice.dev/operator/modules/kit"
	"ejustice.dev/operator/modules/kit/pgtest"
	"ejustice.dev/operator/modules/trace"
	"ejustice.dev/operator/modules/trace/chain"
	"ejustice.dev/operator/modules/trace/tracetest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

var ctx = context.Background()

// fixture is a database with a trace.
type fixture struct {
	db    kit.Database
	pool  *pgxpool.Pool // works as the module does
	admin *pgxpool.Pool // may do anything
	roles trace.Roles
	key   tracetest.Key
}

func start(t testing.TB) *fixture {
	t.Helper()
	db := pgtest.Database(t)
	f := &fixture{db: db, roles: tracetest.Install(t, db), admin: tracetest.Superuser(t, db), key: tracetest.NewKey(1)}
	f.pool = f.connect(t, 8)
	return f
}

// connect gives the module a pool of so many connections.
func (f *fixture) connect(t testing.TB, connections int) *pgxpool.Pool {
	t.Helper()
	owner := pgtest.Owner(f.db)
	pool, err := pgxpool.New(ctx, fmt.Sprintf("host=%s dbname=%s user=%s password=%s pool_max_conns=%d", f.db.Host, f.db.Name, owner.User, owner.Password, connections))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

const (
	clerk = "3a1f0c52-0b1e-4c5e-9b6f-1d2c3b4a5968"
	judge = "b7c0a1d2-33e4-4f55-8a66-77889900aabb"
)

var firstCase, secondCase = uuid.MustParse("00000000-0000-4000-8000-000000000001"), uuid.MustParse("00000000-0000-4000-8000-000000000002")

// entry is an act that every field says something of.
func entry(court string) trace.Entry {
	return trace.Entry{
		Court: court, Person: judge, Session: "s-1", Role: "judge", RoleCourt: court, For: clerk,
		From: netip.MustParseAddr("2001:db8::1"), Action: "case.read", Outcome: trace.Allowed,
		ObjectKind: "case", ObjectID: firstCase.String(), Case: firstCase,
		Reason:  "سبب القراءة: «é», \"quoted\" \\ <b>\nsecond line",
		Details: map[string]string{"fields": "parties, title", "b": "ب", "a": "1:x,"},
	}
}

func (f *fixture) append(t testing.TB, entries ...trace.Entry) {
	t.Helper()
	if err := appendTo(f.pool, entries...); err != nil {
		t.Fatal(err)
	}
}

func appendTo(pool *pgxpool.Pool, entries ...trace.Entry) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return trace.Append(ctx, tx, entries...) })
}

// fill appends so many entries to each court, one transaction each.
func (f *fixture) fill(t testing.TB, n int, courts ...string) {
	t.Helper()
	for i := range n {
		for _, court := range courts {
			e := entry(court)
			e.Details["n"] = fmt.Sprint(i)
			f.append(t, e)
		}
	}
}

func (f *fixture) anchor(t testing.TB) {
	t.Helper()
	if made, err := trace.Anchor(ctx, f.pool, f.key); err != nil || !made {
		t.Fatalf("anchor: made %v, error %v", made, err)
	}
}

func (f *fixture) verify(t testing.TB, filter trace.Filter, known ...chain.Ref) chain.Report {
	t.Helper()
	report, err := trace.Verify(ctx, f.pool, f.key, filter, known...)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// holds fails the test unless the whole trace holds with so many links.
func (f *fixture) holds(t testing.TB, links int64) {
	t.Helper()
	if report := f.verify(t, trace.Filter{}); !report.OK() || report.Links != links {
		t.Errorf("%d links, want %d: %s", report.Links, links, report)
	}
}

// export is a zip of an export.
func (f *fixture) export(t testing.TB, filter trace.Filter, documents iter.Seq2[trace.Document, error]) []byte {
	t.Helper()
	var b bytes.Buffer
	archive := zip.NewWriter(&b)
	if _, err := trace.Export(ctx, f.pool, f.key, filter, documents, archive); err != nil {
		t.Fatal(err)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func unzip(t testing.TB, archive []byte) *zip.Reader {
	t.Helper()
	files, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func (f *fixture) verifyExport(t testing.TB, archive []byte, known ...chain.Ref) chain.Report {
	t.Helper()
	keys, _ := f.key.PublicKeys(ctx)
	report, _, err := chain.VerifyExport(ctx, unzip(t, archive), keys, known...)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// exec runs a superuser's statements with the guards out of the way, and then
// covers the tracks.
func (f *fixture) exec(t testing.TB, statements ...string) {
	t.Helper()
	var off, on []string
	for _, table := range []string{"entry", "anchor", "anchor_head", "head"} {
		off = append(off, "ALTER TABLE trace."+table+" DISABLE TRIGGER ALL")
		on = append(on, "ALTER TABLE trace."+table+" ENABLE ALWAYS TRIGGER stays")
	}
	on = append(on, "ALTER TABLE trace.head ENABLE ALWAYS TRIGGER only_forward")
	all := strings.Join(slices.Concat(off, statements, on), ";")
	err := pgx.BeginFunc(ctx, f.admin, func(tx pgx.Tx) error { _, err := tx.Exec(ctx, all); return err })
	if err != nil {
		t.Fatal(err)
	}
}
