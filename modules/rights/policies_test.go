package rights

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

var (
	caseFile = Table{Name: "case_file", Case: "id", Court: "court_code", Sealing: "sealing", FromCourt: "sent_from", Read: Ask{CaseList, Bare},
		Insert: []Ask{{CaseFile, Bare}},
		Update: []Ask{{CaseRegister, Bare}, {CaseEvent, Bare}, {CaseSeal, Bare}, {CaseUnseal, Bare}, {CaseTransfer, Bare}}}
	documents = Table{Name: "document", Case: "case_id", Of: &caseFile, OwnSealing: "sealing", Read: Ask{CaseRead, Documents},
		Insert: []Ask{{DocumentAdd, Documents}}}
)

// register is a small register of cases, protected.
func register(t testing.TB) (owner, admin *pgx.Conn) {
	t.Helper()
	owner, admin = connections(t)
	execute(t, owner, relationTable+`
		CREATE TABLE case_file (id uuid PRIMARY KEY, court_code text NOT NULL, sealing text NOT NULL, sent_from text);
		CREATE TABLE document (id uuid PRIMARY KEY, case_id uuid NOT NULL REFERENCES case_file, sealing text NOT NULL);`)
	execute(t, owner, SQL(caseFile, documents))
	execute(t, owner, SQL(caseFile, documents)) // again, as a later migration does
	return owner, admin
}

// as runs f in a transaction of the actor, and rolls it back.
func as(t testing.TB, c *pgx.Conn, a *Actor, f func(tx pgx.Tx)) {
	t.Helper()
	ctx := context.Background()
	tx, err := c.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(ctx) }()
	if err := Enter(ctx, tx, a, noon); err != nil {
		t.Fatal(err)
	}
	f(tx)
}

func count(t testing.TB, c interface {
	QueryRow(context.Context, string, ...any) pgx.Row
}, table string) int {
	t.Helper()
	var n int
	if err := c.QueryRow(context.Background(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Without an actor every table is empty, for its owner too, and after the
// transaction of an actor it is empty again.
func TestNobodyIsShownNothing(t *testing.T) {
	owner, admin := register(t)
	execute(t, admin, `INSERT INTO case_file VALUES ($1, 'A', 'public')`, theCase)
	execute(t, admin, `INSERT INTO case_relation VALUES ($1, $2, 'named')`, theCase, me)
	tables := []string{"case_file", "document", "case_relation"}
	empty := func(when string) {
		t.Helper()
		for _, table := range tables {
			if n := count(t, owner, table); n != 0 {
				t.Errorf("%s: %d rows of %s are shown to nobody", when, n, table)
			}
		}
	}
	empty("at first")
	as(t, owner, &Actor{Person: me}, func(tx pgx.Tx) {
		if count(t, tx, "case_file") != 1 || count(t, tx, "case_relation") != 1 {
			t.Error("somebody is shown nothing")
		}
	})
	empty("after somebody")
	as(t, owner, &Actor{}, func(tx pgx.Tx) {
		if count(t, tx, "case_file") != 0 {
			t.Error("an actor who is nobody is shown something")
		}
	})
	for _, text := range []string{"{}", "null", "[]", `"x"`, `{"person": null, "grants": null}`} {
		execute(t, owner, "SELECT set_config('ejustice.actor', $1, false)", text)
		if n := count(t, owner, "case_file"); n != 0 {
			t.Errorf("%s is shown %d rows", text, n)
		}
	}
	execute(t, owner, "SELECT set_config('ejustice.actor', '{', false)")
	if _, err := owner.Exec(context.Background(), "SELECT * FROM case_file"); err == nil {
		t.Error("an actor that cannot be read is let in")
	}
}

func TestAnActorWithStrangeIDsIsAnError(t *testing.T) {
	for _, a := range []*Actor{{Person: "x"}, {Person: me, Reasons: []string{"x"}}, {Person: me, Orders: []string{"x"}},
		{Person: "{" + me + "}"}, {Person: me, Reasons: []string{"ABCDEF00-0000-4000-8000-000000000001"}}} {
		if _, err := Setting(a, noon); err == nil {
			t.Errorf("%+v: no error", a)
		}
	}
}

// Who files sees the parties' relations that they stored, and not those of
// others; who assigns sees all.
func TestRelationsAreShownToWhoHasThemAndToWhoAssigns(t *testing.T) {
	owner, admin := register(t)
	execute(t, admin, `INSERT INTO case_relation VALUES ($1, $2, 'counsel'), ($1, $3, 'party'), ($1, $4, 'named')`, theCase, me, absent, other)
	shown := map[string]struct {
		actor Actor
		want  int
	}{
		"a lawyer":           {Actor{Person: me, Grants: []Grant{{Role: Lawyer}}}, 1},
		"an auditor":         {Actor{Person: me, MFA: true, Grants: []Grant{{Role: Auditor}}}, 1},
		"a registrar":        {Actor{Person: me, MFA: true, Grants: []Grant{{Role: Registrar, Court: "A"}}}, 3},
		"a weak registrar":   {Actor{Person: me, Grants: []Grant{{Role: Registrar, Court: "A"}}}, 1},
		"a colleague's help": {Actor{Person: me, Grants: []Grant{{Role: Lawyer}, {Role: Lawyer, For: absent, Until: noon.Add(1)}}}, 2},
		"a program":          {Actor{Service: "reporting"}, 0},
	}
	for name, s := range shown {
		as(t, owner, &s.actor, func(tx pgx.Tx) {
			if n := count(t, tx, "case_relation"); n != s.want {
				t.Errorf("%s is shown %d relations, want %d", name, n, s.want)
			}
		})
	}
	lawyer := shown["a lawyer"].actor
	for relation, want := range map[string]bool{"party": true, "counsel": true, "named": false, "assigned": false, "excluded": false} {
		as(t, owner, &lawyer, func(tx pgx.Tx) {
			_, err := tx.Exec(context.Background(), `INSERT INTO case_relation VALUES ($1, $2, $3)`, uuid.NewString(), other, relation)
			if (err == nil) != want {
				t.Errorf("a lawyer says who is %s: %v", relation, err)
			}
		})
	}
}

func TestLoadRelations(t *testing.T) {
	owner, admin := register(t)
	execute(t, admin, `INSERT INTO case_relation VALUES ($1, $2, 'counsel'), ($1, $2, 'named'), ($1, $3, 'excluded'), ($1, $4, 'party')`, theCase, me, absent, other)
	a := &Actor{Person: me, Grants: []Grant{{Role: Lawyer}, {Role: Lawyer, For: absent, Until: noon.Add(1)}}}
	load := func(now time.Time) (relations map[string]RelationSet, err error) {
		as(t, owner, a, func(tx pgx.Tx) { relations, err = LoadRelations(context.Background(), tx, a, theCase, now) })
		return relations, err
	}
	if got, err := load(noon); err != nil || !maps.Equal(got, map[string]RelationSet{me: SetOf(Counsel, Named), absent: SetOf(Excluded)}) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := load(noon.Add(1)); err != nil || !maps.Equal(got, map[string]RelationSet{me: SetOf(Counsel, Named)}) {
		t.Errorf("after the delegation: %v, %v", got, err)
	}
	execute(t, admin, `UPDATE case_relation SET relation = 'suspended' WHERE relation = 'named'`)
	if got, err := load(noon); err == nil {
		t.Errorf("an unknown relation is read as %v", got)
	}
	execute(t, admin, `DELETE FROM case_relation`)
	if got, err := load(noon); err != nil || !maps.Equal(got, map[string]RelationSet{me: 0, absent: 0}) {
		t.Errorf("without relations: %v, %v", got, err)
	}
	tx, err := owner.Begin(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := LoadRelations(context.Background(), tx, a, theCase, noon); err != nil || len(got) != 0 {
		t.Errorf("before Enter: %v, %v", got, err)
	}
}

// A document is sealed at least as its case is, in the database as in Decide.
func TestADocumentIsAsSealedAsTheStricterOfBothLevels(t *testing.T) {
	owner, admin := register(t)
	type row struct {
		record Record
		id     string
	}
	var rows []row
	for own := Public; own < sealingEnd; own++ {
		for of := Public; of < sealingEnd; of++ {
			for _, relations := range []RelationSet{0, SetOf(PartyTo), SetOf(Named)} {
				r := row{Record{Case: uuid.NewString(), Court: "A", Sealing: Stricter(own, of), Relations: map[string]RelationSet{me: relations}}, uuid.NewString()}
				rows = append(rows, r)
				execute(t, admin, `INSERT INTO case_file VALUES ($1, 'A', $2)`, r.record.Case, of.String())
				execute(t, admin, `INSERT INTO document VALUES ($1, $2, $3)`, r.id, r.record.Case, own.String())
				for _, relation := range relations.stored() {
					execute(t, admin, `INSERT INTO case_relation VALUES ($1, $2, $3)`, r.record.Case, me, relation)
				}
			}
		}
	}
	for _, a := range []*Actor{{Person: me, Grants: []Grant{{Role: Party}}}, {Person: me, MFA: true, Grants: []Grant{{Role: Clerk, Court: "A"}}}} {
		var want []string
		for _, r := range rows {
			if Decide(a, CaseRead, Documents, &r.record, noon).Allowed {
				want = append(want, r.id)
			}
		}
		slices.Sort(want)
		check := func(by string, rows pgx.Rows, _ error) {
			t.Helper()
			got, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil || !slices.Equal(got, want) || len(want) == 0 {
				t.Errorf("%s sees %d documents by the %s, want %d: %v", a.Grants[0].Role, len(got), by, len(want), err)
			}
		}
		as(t, owner, a, func(tx pgx.Tx) {
			rows, err := tx.Query(context.Background(), "SELECT id::text FROM document ORDER BY 1")
			check("policies", rows, err)
		})
		filter := NewFilter(a, documents.Read, documents, "d", 2, noon)
		rows, err := admin.Query(context.Background(), "SELECT id::text FROM document d WHERE $1 = 'x' AND "+filter.SQL()+" ORDER BY 1",
			append([]any{"x"}, filter.Args...)...)
		check("filter", rows, err)
	}
	if Stricter(Public, 0) != 0 || Stricter(9, Sealed) != 0 {
		t.Error("a level that is none does not close")
	}
	execute(t, admin, `UPDATE document SET sealing = 'open'`)
	as(t, owner, &Actor{Person: me, Grants: []Grant{{Role: Party}}}, func(tx pgx.Tx) {
		if n := count(t, tx, "document"); n != 0 {
			t.Errorf("%d documents of an unknown level are shown", n)
		}
	})
}

func TestAQuestionThatMakesNoSenseShowsNothing(t *testing.T) {
	for _, ask := range []Ask{{}, {CaseList, Trace}, {actionEnd, Bare}, {CaseList, groupEnd}} {
		table := caseFile
		table.Read = ask
		if !strings.Contains(SQL(table), "CREATE POLICY rights_read ON \"case_file\" FOR SELECT USING (\nfalse\n);") {
			t.Errorf("%v: the policy shows something", ask)
		}
		a := &Actor{Person: me, MFA: true, Grants: []Grant{{Role: Registrar}}}
		if f := NewFilter(a, ask, table, "c", 1, noon); f.SQL() != "false" || len(f.Args) != 0 {
			t.Errorf("%v: the filter is %s", ask, f.SQL())
		}
	}
}
