package trace_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"ejustice.dev/operator/modules/trace"
)

func TestAppendKeepsEveryField(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.append(t, entry("AAA"))
	f.holds(t, 1)
	links, _, err := trace.Find(ctx, f.pool, trace.Filter{}, trace.Position{}, 10)
	if err != nil || len(links) != 1 {
		t.Fatalf("%d links, error %v", len(links), err)
	}
	got, want := *links[0].Entry, entry("AAA")
	if len(got.ID) != 36 || links[0].Ref() != "AAA/0/1" {
		t.Errorf("id %q, ref %s", got.ID, links[0].Ref())
	}
	pairs := [][2]string{
		{got.Person, want.Person}, {got.Session, want.Session}, {got.Role, want.Role}, {got.RoleCourt, want.RoleCourt},
		{got.For, want.For}, {got.From, want.From.String()}, {got.Action, want.Action}, {got.Outcome, want.Outcome},
		{got.ObjectKind, want.ObjectKind}, {got.ObjectID, want.ObjectID}, {got.Case, want.Case.String()}, {got.Reason, want.Reason},
	}
	for i, pair := range pairs {
		if pair[0] != pair[1] {
			t.Errorf("field %d: %q, want %q", i, pair[0], pair[1])
		}
	}
	if !reflect.DeepEqual(got.Details, want.Details) {
		t.Errorf("details %v", got.Details)
	}
}

// What is empty or long is hashed in the database as it is in Go.
func TestHashesAgreeAtTheEdges(t *testing.T) {
	t.Parallel()
	f := start(t)
	bare := trace.Entry{Person: trace.Anonymous, Action: "list", Outcome: trace.Refused, ObjectKind: "list"}
	full := entry("AAA")
	full.Reason = strings.Repeat("語", 500)
	full.Details = map[string]string{}
	for i := range 18 {
		full.Details[fmt.Sprintf("Key-%d", i)] = strings.Repeat("é", 100)
	}
	f.append(t, bare)
	f.append(t, full, bare, full)
	f.holds(t, 4)
}

// Several entries in one call, of several courts, and as part of a batch.
func TestAppendSeveral(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.append(t, entry("BBB"), entry("AAA"), entry("BBB"), entry(""))
	err := pgx.BeginFunc(ctx, f.pool, func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		batch.Queue(`SELECT 1`)
		if err := trace.Queue(batch, entry("AAA"), entry("CCC")); err != nil {
			return err
		}
		return tx.SendBatch(ctx, batch).Close()
	})
	if err != nil {
		t.Fatal(err)
	}
	f.holds(t, 6)
}

func TestWhatIsRolledBackLeavesNoGap(t *testing.T) {
	t.Parallel()
	f := start(t)
	for i := range 6 {
		err := pgx.BeginFunc(ctx, f.pool, func(tx pgx.Tx) error {
			if err := trace.Append(ctx, tx, entry("AAA"), entry("AAA")); err != nil {
				return err
			}
			if i%2 == 0 {
				return errDeliberate
			}
			return nil
		})
		if (i%2 == 0) != errors.Is(err, errDeliberate) {
			t.Fatal(err)
		}
	}
	f.holds(t, 6)
}

func TestSavepoints(t *testing.T) {
	t.Parallel()
	f := start(t)
	err := pgx.BeginFunc(ctx, f.pool, func(tx pgx.Tx) error {
		for i := range 4 {
			err := pgx.BeginFunc(ctx, tx, func(inner pgx.Tx) error {
				if err := trace.Append(ctx, inner, entry("AAA"), entry("BBB")); err != nil {
					return err
				}
				if i%2 == 1 {
					return errDeliberate
				}
				return nil
			})
			if err != nil && !errors.Is(err, errDeliberate) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	f.holds(t, 4)
}

// A stricter transaction does not get a wrong chain, but an error that asks to try
// again.
func TestStricterTransaction(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.fill(t, 1, "AAA")
	err := pgx.BeginTxFunc(ctx, f.pool, pgx.TxOptions{IsoLevel: pgx.Serializable}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT 1`); err != nil {
			return err
		}
		f.fill(t, 1, "AAA")
		return trace.Append(ctx, tx, entry("AAA"))
	})
	var answer *pgconn.PgError
	if !errors.As(err, &answer) || answer.Code != "40001" {
		t.Errorf("error %v", err)
	}
	f.holds(t, 2)
}

var errDeliberate = errors.New("deliberate")

// If the trace cannot be written, what it would record does not happen.
func TestActFailsWithTheTrace(t *testing.T) {
	t.Parallel()
	f := start(t)
	if _, err := f.pool.Exec(ctx, `CREATE SCHEMA acts; CREATE TABLE acts.act (n int)`); err != nil {
		t.Fatal(err)
	}
	f.exec(t, `ALTER FUNCTION trace.append(jsonb) RENAME TO gone`)
	err := pgx.BeginFunc(ctx, f.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO acts.act VALUES (1)`); err != nil {
			return err
		}
		_ = trace.Append(ctx, tx, entry("AAA")) // even if nobody looks at the error
		return nil
	})
	var n int
	if scan := f.pool.QueryRow(ctx, `SELECT count(*) FROM acts.act`).Scan(&n); scan != nil || n != 0 || err == nil {
		t.Errorf("%d acts without a trace, errors %v, %v", n, err, scan)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for field, spoil := range map[string]func(*trace.Entry){
		"court":      func(e *trace.Entry) { e.Court = "aaa" },
		"person":     func(e *trace.Entry) { e.Person = "" },
		"session":    func(e *trace.Entry) { e.Session = "s 1" },
		"role":       func(e *trace.Entry) { e.Role = "Judge" },
		"roleCourt":  func(e *trace.Entry) { e.RoleCourt = "A\n" },
		"for":        func(e *trace.Entry) { e.For = "a@example.org" },
		"action":     func(e *trace.Entry) { e.Action = "" },
		"outcome":    func(e *trace.Entry) { e.Outcome = "perhaps" },
		"objectKind": func(e *trace.Entry) { e.ObjectKind = "" },
		"objectId":   func(e *trace.Entry) { e.ObjectID = strings.Repeat("x", 129) },
		"reason":     func(e *trace.Entry) { e.Reason = "a\x00" },
		"reason too": func(e *trace.Entry) { e.Reason = strings.Repeat("x", 501) },
		"reason bad": func(e *trace.Entry) { e.Reason = "\xff" },
		"details":    func(e *trace.Entry) { e.Details = map[string]string{"a b": ""} },
		"details.a":  func(e *trace.Entry) { e.Details = map[string]string{"a": strings.Repeat("x", 201)} },
	} {
		e := entry("AAA")
		spoil(&e)
		name, _, _ := strings.Cut(field, " ")
		if err := e.Check(); err == nil || !strings.HasPrefix(err.Error(), name+" ") {
			t.Errorf("%s: %v", field, err)
		}
	}
	if err := entry("AAA").Check(); err != nil {
		t.Error(err)
	}
}

// A module that goes round the Go package meets the same limits.
func TestDatabaseChecksToo(t *testing.T) {
	t.Parallel()
	f := start(t)
	for name, text := range map[string]string{
		"nothing":         `[]`,
		"no list":         `{}`,
		"no person":       `[{"action":"a","outcome":"allowed","objectKind":"k"}]`,
		"outcome":         `[{"person":"p","action":"a","outcome":"x","objectKind":"k"}]`,
		"court":           `[{"court":"a b","person":"p","action":"a","outcome":"allowed","objectKind":"k"}]`,
		"nested details":  `[{"person":"p","action":"a","outcome":"allowed","objectKind":"k","details":{"a":{"b":"c"}}}]`,
		"number":          `[{"person":"p","action":"a","outcome":"allowed","objectKind":"k","details":{"a":1}}]`,
		"list as details": `[{"person":"p","action":"a","outcome":"allowed","objectKind":"k","details":["a"]}]`,
		"long reason":     `[{"person":"p","action":"a","outcome":"allowed","objectKind":"k","reason":"` + strings.Repeat("x", 2001) + `"}]`,
	} {
		_, err := f.pool.Exec(ctx, `SELECT trace.append($1)`, text)
		var answer *pgconn.PgError
		if !errors.As(err, &answer) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	f.holds(t, 0)
}
