package rights

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ejustice.dev/operator/modules/kit"
	"ejustice.dev/operator/modules/kit/pgtest"
)

// bothSides is a database with the same records in one table for each question
// of reading, so that the policies of each can be compared with Decide.
type bothSides struct {
	records []Record
	ids     map[string]int // index of each record
	tables  []Table
	owner   *pgx.Conn // bound by the policies, although the tables are its own
	admin   *pgx.Conn // not bound
}

// reading are the questions that stand for reading something.
var reading = []Ask{{CaseList, Bare}, {CaseList, Parties}, {CaseRead, Bare}, {CaseRead, Parties}, {CaseRead, Documents}, {CaseRead, Notes},
	{CaseRead, Evidence}, {CaseRead, Fees}, {DocumentRead, Documents}, {DocumentReadOriginal, Documents}, {PartyReadIdentity, Identities},
	{TraceRead, Trace}, {TraceReadNames, Trace}, {TraceExport, Trace}, {FeedRead, Bare}}

func connect(t testing.TB, connection string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(context.Background(), connection)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// connections are to a new database, as its owner and as an administrator.
func connections(t testing.TB) (owner, admin *pgx.Conn) {
	t.Helper()
	db := pgtest.Database(t)
	user, password, _ := pgtest.Owner(db).DatabaseUser(context.Background())
	return connect(t, ownerString(db, user, password)), connect(t, strings.Replace(pgtest.Admin(), "dbname=postgres", "dbname="+db.Name, 1))
}

func ownerString(db kit.Database, user, password string) string {
	return fmt.Sprintf("host=%s dbname=%s user=%s password=%s", db.Host, db.Name, user, password)
}

// execute runs statements that must not fail.
func execute(t testing.TB, c *pgx.Conn, statements string, args ...any) {
	t.Helper()
	if _, err := c.Exec(context.Background(), statements, args...); err != nil {
		t.Fatalf("%v\n%.2000s", err, statements)
	}
}

const relationTable = `CREATE TABLE case_relation (case_id uuid NOT NULL, person uuid NOT NULL, relation text NOT NULL,
	PRIMARY KEY (case_id, person, relation));
CREATE INDEX case_relation_person ON case_relation (person, relation, case_id);`

// newSides stores the records, each under a case id of its own.
func newSides(t testing.TB, records []Record) *bothSides {
	t.Helper()
	b := &bothSides{records: records, ids: map[string]int{}}
	b.owner, b.admin = connections(t)
	execute(t, b.owner, relationTable)
	for i, ask := range reading {
		table := Table{Name: fmt.Sprintf("reading %d", i), Case: "id", Court: "court", Sealing: "sealing", AppealCourt: "appeal court",
			FromCourt: "sent_from", Protected: "protected", Read: ask}
		b.tables = append(b.tables, table)
		execute(t, b.owner, fmt.Sprintf(`CREATE TABLE %q (id uuid PRIMARY KEY, court text NOT NULL, sealing text NOT NULL,
			"appeal court" text, sent_from text, protected boolean NOT NULL)`, table.Name))
		var rows [][]any
		for j := range records {
			r := &records[j]
			if r.Case == "" {
				r.Case = uuid.NewString()
				b.ids[r.Case] = j
			}
			rows = append(rows, []any{r.Case, r.Court, r.Sealing.String(), null(r.AppealCourt), null(r.FromCourt), r.Protected})
		}
		b.copy(t, table.Name, []string{"id", "court", "sealing", "appeal court", "sent_from", "protected"}, rows)
	}
	var rows [][]any
	for _, r := range records {
		for person, relations := range r.Relations {
			for _, relation := range relations.stored() {
				rows = append(rows, []any{r.Case, person, relation})
			}
		}
	}
	b.copy(t, "case_relation", []string{"case_id", "person", "relation"}, rows)
	execute(t, b.owner, SQL(b.tables...))
	return b
}

func (b *bothSides) copy(t testing.TB, table string, columns []string, rows [][]any) {
	t.Helper()
	if _, err := b.admin.CopyFrom(context.Background(), pgx.Identifier{table}, columns, pgx.CopyFromRows(rows)); err != nil {
		t.Fatal(err)
	}
}

func null(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// compare asks Decide, the policies and the filter for every record, and
// returns how many rows the actor reads.
func (b *bothSides) compare(t *testing.T, a *Actor, what string) int {
	t.Helper()
	ctx := context.Background()
	tx, err := b.owner.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(ctx) }()
	if err := Enter(ctx, tx, a, noon); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, table := range b.tables {
		var want []string
		for i := range b.records {
			if Decide(a, table.Read.Action, table.Read.Group, &b.records[i], noon).Allowed {
				want = append(want, b.records[i].Case)
			}
		}
		slices.Sort(want)
		seen += len(want)
		ask := fmt.Sprintf("%s of %s", table.Read.Action, table.Read.Group)
		b.same(t, tx, what+", policies: "+ask, want, fmt.Sprintf("SELECT id::text FROM %q ORDER BY 1", table.Name))
		filter := NewFilter(a, table.Read, table, "x", 1, noon)
		b.same(t, b.admin, what+", filter: "+ask, want, fmt.Sprintf("SELECT id::text FROM %q x WHERE %s ORDER BY 1", table.Name, filter.SQL()), filter.Args...)
	}
	return seen
}

func (b *bothSides) same(t *testing.T, from interface {
	Query(context.Context, string, ...any) (pgx.Rows, error)
}, what string, want []string, query string, args ...any) {
	t.Helper()
	rows, _ := from.Query(context.Background(), query, args...)
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v\n%s", what, err, query)
	}
	if slices.Equal(got, want) {
		return
	}
	for _, id := range got {
		if !slices.Contains(want, id) {
			t.Fatalf("%s: shows what Decide does not allow: %+v", what, b.records[b.ids[id]])
		}
	}
	for _, id := range want {
		if !slices.Contains(got, id) {
			t.Fatalf("%s: does not show what Decide allows: %+v", what, b.records[b.ids[id]])
		}
	}
}

// everyRecord has a record for each way in which courts, relations and level
// can come together for one person. In every other one somebody is protected.
func everyRecord() []Record {
	var records []Record
	for _, courts := range [][3]string{{"A"}, {"B"}, {"B", "A"}, {"B", "", "A"}, {"A", "A"}} {
		for level := Public; level < sealingEnd; level++ {
			for _, relations := range relationSets() {
				records = append(records, Record{Court: courts[0], AppealCourt: courts[1], FromCourt: courts[2], Sealing: level,
					Protected: len(records)%2 == 1, Relations: map[string]RelationSet{me: relations &^ SetOf(Self)}})
			}
		}
	}
	return records
}
