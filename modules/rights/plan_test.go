package rights

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// bigRegister has n cases in 50 courts, the newest first by an index. A lawyer
// (me) is counsel in 20 of them. public is the share of public cases in
// percent; of the others most are for the parties.
func bigRegister(t testing.TB, n, public int) (owner, admin *pgx.Conn) {
	t.Helper()
	owner, admin = connections(t)
	execute(t, owner, relationTable+`
		CREATE TABLE case_file (id uuid PRIMARY KEY, court_code text NOT NULL, sealing text NOT NULL, sent_from text, received_at timestamptz NOT NULL);
		CREATE INDEX case_file_newest ON case_file (received_at DESC, id DESC);
		CREATE INDEX case_file_newest_of_court ON case_file (court_code, received_at DESC, id DESC);
		CREATE INDEX case_file_newest_of_level ON case_file (sealing, received_at DESC, id DESC);`)
	execute(t, admin, `INSERT INTO case_file SELECT ('00000000-0000-4000-9000-' || lpad(to_hex(i), 12, '0'))::uuid, 'C' || i % 50,
		CASE WHEN i % 100 < $2 THEN 'public' WHEN i % 10 < 8 THEN 'parties' WHEN i % 10 = 8 THEN 'restricted' ELSE 'sealed' END,
		NULL, timestamptz '2026-11-25 12:00:00Z' - i * interval '1 minute' FROM generate_series(1, $1) i`, n, public)
	execute(t, admin, `INSERT INTO case_relation SELECT id, ('00000000-0000-4000-a000-' || lpad(to_hex(row_number() OVER () % 5000), 12, '0'))::uuid, 'counsel' FROM case_file`)
	execute(t, admin, `INSERT INTO case_relation SELECT id, $1, 'counsel' FROM (SELECT id, row_number() OVER (ORDER BY id) n, count(*) OVER () c FROM case_file) x WHERE n % (c / 20) = 7`, me)
	execute(t, owner, SQL(caseFile))
	execute(t, admin, "VACUUM ANALYZE case_file, case_relation")
	return owner, admin
}

var (
	lawyer = &Actor{Person: me, Grants: []Grant{{Role: Lawyer}}}
	clerk  = &Actor{Person: other, MFA: true, Grants: []Grant{{Role: Clerk, Court: "C7"}}}
)

const newest = " ORDER BY received_at DESC, id DESC LIMIT 50"

// list is what a module asks; bare is the same without rights.
type list struct {
	name        string
	actor       *Actor
	query, bare string
}

var (
	ofCourt = "SELECT id FROM case_file WHERE court_code = 'C7'" + newest
	ofMine  = "SELECT id FROM case_file WHERE id IN (SELECT case_id FROM case_relation WHERE person = '" + me + "' AND relation = 'counsel')" + newest
	lists   = []list{
		{"clerk, newest of the court", clerk, ofCourt, ofCourt},
		{"lawyer, newest of their own", lawyer, ofMine, ofMine},
		{"lawyer, newest of all", lawyer, "SELECT id FROM case_file WHERE true" + newest, "SELECT id FROM case_file WHERE true" + newest},
		{"lawyer, newest of all by the filter's parts", lawyer, "", "SELECT id FROM case_file WHERE true" + newest},
	}
)

// text is the query and its values. Without a query it is made of the filter's
// conditions, each by itself.
func (l list) text() (string, []any) {
	if l.query != "" {
		return l.query, nil
	}
	filter := NewFilter(l.actor, caseFile.Read, caseFile, "c", 1, noon)
	var parts []string
	for _, condition := range filter.Any {
		parts = append(parts, "(SELECT id, received_at FROM case_file c WHERE "+condition+newest+")")
	}
	return "SELECT id FROM (" + strings.Join(parts, " UNION ") + ") found" + newest, filter.Args
}

// hopeless: where next to nothing is public, a policy cannot tell PostgreSQL
// where a lawyer's few cases are, and it looks at all (0.8 s of 200,000). The
// filter is for that.
func (l list) hopeless(public int) bool { return public == 0 && l.name == "lawyer, newest of all" }

// plan is what EXPLAIN says of one step.
type plan struct {
	Node     string  `json:"Node Type"`
	Relation string  `json:"Relation Name"`
	Rows     float64 `json:"Actual Rows"`
	Removed  float64 `json:"Rows Removed by Filter"`
	Loops    float64 `json:"Actual Loops"`
	Plans    []plan
}

// touched counts the rows of a table that a plan reads, and whether it reads
// the table from one end to the other.
func (p plan) touched(table string) (rows float64, whole bool) {
	if p.Relation == table {
		rows, whole = (p.Rows+p.Removed)*p.Loops, p.Node == "Seq Scan"
	}
	for _, child := range p.Plans {
		r, w := child.touched(table)
		rows, whole = rows+r, whole || w
	}
	return rows, whole
}

func explain(t testing.TB, tx pgx.Tx, query string, args ...any) plan {
	t.Helper()
	var text []byte
	if err := tx.QueryRow(context.Background(), "EXPLAIN (ANALYZE, FORMAT JSON) "+query, args...).Scan(&text); err != nil {
		t.Fatal(err)
	}
	var plans []struct{ Plan plan }
	if err := json.Unmarshal(text, &plans); err != nil {
		t.Fatal(err)
	}
	return plans[0].Plan
}

// With the policies, lists go on using the indexes: they read about as many
// rows as they show.
func TestListsUnderThePoliciesUseIndexes(t *testing.T) {
	for _, public := range []int{70, 0} {
		owner, _ := bigRegister(t, 20_000, public)
		for _, l := range lists {
			if l.hopeless(public) {
				continue
			}
			as(t, owner, l.actor, func(tx pgx.Tx) {
				query, args := l.text()
				rows, whole := explain(t, tx, query, args...).touched("case_file")
				if rows > 200 || rows == 0 || whole {
					t.Errorf("%s with %d%% public: reads %g rows, the whole table: %v", l.name, public, rows, whole)
				}
			})
		}
	}
}

// Figures beside their baseline: each list with and without rights, in the
// same register of 200,000 cases.
func BenchmarkLists(b *testing.B) {
	for _, public := range []int{70, 0} {
		owner, admin := bigRegister(b, 200_000, public)
		for _, l := range lists {
			if l.hopeless(public) {
				continue
			}
			b.Run(fmt.Sprintf("%s/%d%% public", l.name, public), func(b *testing.B) {
				query, args := l.text()
				var with, without []time.Duration
				for b.Loop() {
					as(b, owner, l.actor, func(tx pgx.Tx) { with = append(with, timed(b, tx, query, args...)) })
					as(b, admin, l.actor, func(tx pgx.Tx) { without = append(without, timed(b, tx, l.bare)) })
				}
				b.ReportMetric(float64(median(with).Microseconds()), "µs-with")
				b.ReportMetric(float64(median(without).Microseconds()), "µs-bare")
				b.ReportMetric(float64(median(with))/float64(median(without)), "ratio")
			})
		}
	}
}

func timed(b *testing.B, tx pgx.Tx, query string, args ...any) time.Duration {
	b.Helper()
	begin := time.Now()
	rows, _ := tx.Query(context.Background(), query, args...)
	if _, err := pgx.CollectRows(rows, pgx.RowTo[[16]byte]); err != nil {
		b.Fatal(err)
	}
	return time.Since(begin)
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}
