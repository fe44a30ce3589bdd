package trace_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ejustice.dev/operator/modules/trace"
)

// find reads all pages and gives what each entry's detail n says.
func (f *fixture) find(t testing.TB, filter trace.Filter, limit int) []string {
	t.Helper()
	var found []string
	for after, page := (trace.Position{}), 0; ; page++ {
		links, next, err := trace.Find(ctx, f.pool, filter, after, limit)
		if err != nil || len(links) > limit || page > 20 {
			t.Fatalf("page %d: %d links, error %v", page, len(links), err)
		}
		for _, link := range links {
			found = append(found, link.Entry.Details["n"])
		}
		if next == (trace.Position{}) {
			return found
		}
		again, ok := trace.ParsePosition(next.String())
		if !ok || again != next {
			t.Fatalf("position %v is read as %v", next, again)
		}
		after = again
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	f := start(t)
	var times []time.Time
	for i, change := range []func(*trace.Entry){
		func(*trace.Entry) {},
		func(e *trace.Entry) { e.Person = clerk },
		func(e *trace.Entry) { e.Court = "BBB" },
		func(e *trace.Entry) { e.Case = secondCase },
		func(e *trace.Entry) { e.Case = uuid.Nil },
		func(e *trace.Entry) { e.Action = "case.change" },
		func(e *trace.Entry) { e.Outcome = trace.Refused },
		func(e *trace.Entry) { e.Court = "" },
	} {
		e := entry("AAA")
		e.Details["n"] = fmt.Sprint(i)
		change(&e)
		f.append(t, e)
		links, _, err := trace.Find(ctx, f.pool, trace.Filter{}, trace.Position{}, 1)
		if err != nil {
			t.Fatal(err)
		}
		times = append(times, links[0].At.Time)
	}
	for name, test := range map[string]struct {
		filter trace.Filter
		want   string
	}{
		"everything":     {trace.Filter{}, "7 6 5 4 3 2 1 0"},
		"a person":       {trace.Filter{Person: clerk}, "1"},
		"a court":        {trace.Filter{Courts: []string{"BBB"}}, "2"},
		"two courts":     {trace.Filter{Courts: []string{"BBB", ""}}, "7 2"},
		"a case":         {trace.Filter{Case: firstCase}, "7 6 5 2 1 0"},
		"an action":      {trace.Filter{Action: "case.change"}, "5"},
		"refused":        {trace.Filter{Outcome: trace.Refused}, "6"},
		"allowed":        {trace.Filter{Outcome: trace.Allowed}, "7 5 4 3 2 1 0"},
		"from":           {trace.Filter{From: times[5]}, "7 6 5"},
		"to":             {trace.Filter{To: times[2]}, "1 0"},
		"all together":   {trace.Filter{Person: judge, Courts: []string{"AAA"}, Case: firstCase, Action: "case.read", Outcome: trace.Allowed, From: times[0], To: times[7]}, "0"},
		"nobody":         {trace.Filter{Person: "nobody"}, ""},
		"no SQL":         {trace.Filter{Person: "' OR true --", Action: "'; DROP TABLE trace.entry; --"}, ""},
		"a court of SQL": {trace.Filter{Courts: []string{"' OR true --", "{AAA}"}}, ""},
	} {
		for _, limit := range []int{1, 3, 100} {
			if got := strings.Join(f.find(t, test.filter, limit), " "); got != test.want {
				t.Errorf("%s, %d a page: %q, want %q", name, limit, got, test.want)
			}
		}
	}
}

// Entries of the same moment are neither skipped nor repeated.
func TestFindWithinOneMoment(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.fill(t, 7, "AAA")
	f.exec(t, `UPDATE trace.entry SET at = '2026-01-01'`)
	got := f.find(t, trace.Filter{Case: firstCase}, 2)
	slices.Sort(got)
	if strings.Join(got, "") != "0123456" {
		t.Error(got)
	}
}

// Each filter of the auditor's page has an index: none reads the whole table.
func TestFindUsesIndexes(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.exec(t, `INSERT INTO trace.entry SELECT 'AAA', 0, n, gen_random_uuid(), now() - n * interval '1 minute', 'p-' || n % 1000, '', '', '', '', '', 'a' || n % 200, 'allowed',
		'k', '', gen_random_uuid(), '', '{}', sha256('x') FROM generate_series(1, 20000) n`, `ANALYZE trace.entry`)
	for name, filter := range map[string]trace.Filter{
		"everything": {}, "person": {Person: "p-7"}, "case": {Case: firstCase}, "action": {Action: "a7"}, "outcome": {Outcome: trace.Refused},
		"date": {From: time.Now().Add(-time.Hour), To: time.Now()},
	} {
		const count = `SELECT seq_scan FROM pg_stat_xact_all_tables WHERE relid = 'trace.entry'::regclass`
		var before, after int64
		tx, err := f.admin.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := tx.QueryRow(ctx, count).Scan(&before); err != nil {
			t.Fatal(err)
		}
		if _, _, err := trace.Find(ctx, tx, filter, trace.Position{}, 50); err != nil {
			t.Fatal(err)
		}
		if err := tx.QueryRow(ctx, count).Scan(&after); err != nil {
			t.Fatal(err)
		}
		_ = tx.Rollback(ctx)
		if after != before {
			t.Errorf("%s reads the whole table", name)
		}
	}
}

// A party learns who opened their case, and nothing that helps against them.
func TestLooks(t *testing.T) {
	t.Parallel()
	f := start(t)
	refused, other := entry("AAA"), entry("AAA")
	refused.Outcome, other.Case = trace.Refused, secondCase
	f.append(t, entry("AAA"), refused, other)
	f.append(t, entry("BBB"))
	looks, next, err := trace.Looks(ctx, f.pool, firstCase, trace.Position{}, 10)
	if err != nil || len(looks) != 2 || next != (trace.Position{}) {
		t.Fatalf("%+v, %v, error %v", looks, next, err)
	}
	want := trace.Look{At: looks[0].At, Person: judge, Role: "judge", RoleCourt: "BBB", For: clerk, Action: "case.read", ObjectKind: "case", ObjectID: firstCase.String()}
	if looks[0] != want {
		t.Errorf("%+v, want %+v", looks[0], want)
	}
	if text := fmt.Sprintf("%+v", looks); strings.Contains(text, "2001:db8") || strings.Contains(text, "s-1") || strings.Contains(text, "quoted") {
		t.Errorf("it tells too much: %s", text)
	}
	if _, _, err := trace.Looks(ctx, f.pool, uuid.Nil, trace.Position{}, 10); err == nil {
		t.Error("without a case it lists everything")
	}
}

func FuzzParsePosition(f *testing.F) {
	f.Add("")
	f.Add(trace.Position{At: time.Unix(1_800_000_000, 0), ID: firstCase}.String())
	f.Add("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, text string) {
		position, ok := trace.ParsePosition(text)
		if ok && position.String() != strings.TrimRight(text, "\r\n") && len(position.String()) != 32 {
			t.Fatalf("%q is read as %v", text, position)
		}
	})
}
