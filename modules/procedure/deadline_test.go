package procedure_test

import (
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"ejustice.dev/operator/modules/procedure"
)

// withDeadlines is a document with the full document's calendars and the given
// deadlines.
func withDeadlines(t testing.TB, lines ...string) *procedure.Document {
	t.Helper()
	return parse(t, withDeadlineLines(t, lines...))
}

func withDeadlineLines(t testing.TB, lines ...string) string {
	t.Helper()
	text := full(t)
	for _, line := range lines {
		text = replace(t, text, "\nstates:\n", "\n  - {names: {en: X, fr: X}, "+line+"}\nstates:\n")
	}
	return text
}

// Deadlines that somebody counted with a paper calendar at hand.
func TestDeadlines(t *testing.T) {
	d := withDeadlines(t,
		"code: francs8, length: {count: 8, unit: days}, counting: francs, lastDay: keep",
		"code: francsMonth, length: {count: 1, unit: months}, counting: francs, lastDay: keep",
		"code: next8, length: {count: 8, unit: days}, counting: next-day, lastDay: keep",
		"code: next8moved, length: {count: 8, unit: days}, counting: next-day, lastDay: next-court-day",
		"code: next8back, length: {count: 8, unit: days}, counting: next-day, lastDay: previous-court-day",
		"code: incl8, length: {count: 8, unit: days}, counting: inclusive, lastDay: keep",
		"code: month, length: {count: 1, unit: months}, counting: next-day, lastDay: keep",
		"code: inclMonth, length: {count: 1, unit: months}, counting: inclusive, lastDay: keep",
		"code: year, length: {count: 1, unit: years}, counting: next-day, lastDay: keep",
		"code: weeks, length: {count: 2, unit: weeks}, counting: next-day, lastDay: next-court-day",
		"code: court3, length: {count: 3, unit: court-days}, counting: next-day, lastDay: keep",
		"code: court3incl, length: {count: 3, unit: court-days}, counting: inclusive, lastDay: keep",
		"code: court3francs, length: {count: 3, unit: court-days}, counting: francs, lastDay: keep",
	)
	for _, c := range []struct{ code, from, want string }{
		{"francs8", "2026-03-02", "2026-03-11"},
		{"francsMonth", "2026-01-15", "2026-02-16"},
		{"francsMonth", "2026-01-31", "2026-03-01"},
		{"next8", "2026-03-02", "2026-03-10"},
		{"next8", "2024-02-25", "2024-03-04"}, // over a leap day
		{"next8", "2026-12-28", "2027-01-05"},
		{"next8moved", "2026-03-06", "2026-03-16"}, // a Saturday
		{"next8moved", "2026-03-12", "2026-03-23"}, // the announced 20th
		{"next8moved", "2026-03-26", "2026-04-07"}, // Good Friday, Easter Monday
		{"next8moved", "2025-12-24", "2026-01-05"}, // New Year, second day, weekend
		{"next8moved", "2027-12-23", "2027-12-31"}, // the year's last day
		{"next8moved", "2027-12-24", "2028-01-05"}, // both New Year's days move: 3rd and 4th
		{"next8moved", "2026-09-27", "2026-10-06"}, // first Monday of October
		{"next8moved", "2028-02-21", "2028-03-01"}, // leap day is a holiday
		{"next8back", "2026-03-06", "2026-03-13"},  // back before the weekend
		{"next8back", "2026-03-29", "2026-04-02"},  // Easter Monday back to Thursday
		{"next8moved", "2022-04-23", "2022-05-03"}, // 1 May on a Sunday: Monday too
		{"next8moved", "2022-07-30", "2022-08-09"}, // 7 August on a Sunday: Monday instead
		{"incl8", "2026-03-02", "2026-03-09"},
		{"month", "2026-01-31", "2026-02-28"},
		{"month", "2024-01-31", "2024-02-29"},
		{"month", "2024-02-29", "2024-03-29"},
		{"month", "2026-12-31", "2027-01-31"},
		{"inclMonth", "2026-01-01", "2026-01-31"},
		{"inclMonth", "2026-01-31", "2026-02-28"},
		{"inclMonth", "2026-01-15", "2026-02-14"},
		{"year", "2024-02-29", "2025-02-28"},
		{"weeks", "2026-03-06", "2026-03-23"}, // Friday the 20th is announced
		{"court3", "2026-03-18", "2026-03-24"},
		{"court3incl", "2026-03-18", "2026-03-23"},
		{"court3incl", "2026-03-21", "2026-03-25"}, // begins on a Saturday
		{"court3francs", "2026-03-18", "2026-03-25"},
	} {
		// Noon UTC is the same day in Saint Lucia.
		term, err := d.Deadline(c.code, instant(t, c.from+"T12:00:00Z"))
		if err != nil {
			t.Fatal(err)
		}
		if got := term.Last.String(); got != c.want {
			t.Errorf("%s from %s: %s, want %s", c.code, c.from, got, c.want)
		}
	}
}

// Distance adds to the deadline; abroad stands in place of its length.
func TestExtensions(t *testing.T) {
	d := parse(t, full(t))
	from := instant(t, "2026-03-02T12:00:00Z")
	for _, c := range []struct {
		extensions []string
		want       string
	}{
		{nil, "2026-03-18"},
		{[]string{"distance"}, "2026-03-25"},
		{[]string{"abroad"}, "2026-05-04"}, // 2 May + 1 is a Sunday
		{[]string{"abroad", "distance"}, "2026-05-11"},
	} {
		term, err := d.Deadline("answer", from, c.extensions...)
		if err != nil || term.Last.String() != c.want {
			t.Errorf("%v: %v, want %s (%v)", c.extensions, term.Last, c.want, err)
		}
	}
	two := parse(t, replace(t, full(t), "      - {code: abroad,", "      - {code: overseas, names: {en: O, fr: O}, instead: {count: 3, unit: months}}\n      - {code: abroad,"))
	if _, err := two.Deadline("answer", from, "overseas", "abroad"); err == nil {
		t.Error("two lengths stand in place of one")
	}
	for _, wrong := range [][]string{{"moon"}, {"distance", "distance"}} {
		if _, err := d.Deadline("answer", from, wrong...); err == nil {
			t.Errorf("%v was accepted", wrong)
		}
	}
	if _, err := d.Deadline("nothing", from); err == nil {
		t.Error("an unknown deadline was worked out")
	}
	if _, err := d.Deadline("answer", time.Date(9999, 12, 30, 0, 0, 0, 0, time.UTC)); err == nil {
		t.Error("a deadline ends after the last year")
	}
}

// A day is a local day: the same minute can lie on two days.
func TestDeadlineByLocalDay(t *testing.T) {
	d := parse(t, full(t))
	for at, want := range map[string]string{"2026-03-03T03:59:59Z": "2026-03-02", "2026-03-03T04:00:00Z": "2026-03-03"} {
		term, err := d.Deadline("answer", instant(t, at))
		if err != nil || term.First.String() != want {
			t.Errorf("%s: from %s, want %s (%v)", at, term.First, want, err)
		}
	}
	term, err := d.Deadline("answer", instant(t, "2026-03-02T12:00:00Z"))
	if got := term.Expires.Format(time.RFC3339); err != nil || got != "2026-03-19T04:00:00Z" {
		t.Errorf("expires %s, want midnight in Saint Lucia (%v)", got, err)
	}
	waiting, err := d.Deadline("notice", instant(t, "2026-03-02T12:00:00Z"))
	if got := waiting.Expires.Format(time.RFC3339); err != nil || got != "2026-03-05T04:00:00Z" {
		t.Errorf("waiting is over %s, want the beginning of its last day (%v)", got, err)
	}
}

// A deadline that runs into a year without announced holidays says so.
func TestProvisional(t *testing.T) {
	d := parse(t, full(t))
	for from, want := range map[string]bool{"2026-03-02": false, "2027-12-01": false, "2027-12-20": true, "2025-12-30": true} {
		term, err := d.Deadline("answer", instant(t, from+"T12:00:00Z"))
		if err != nil || term.Provisional != want {
			t.Errorf("from %s until %s: provisional %v, want %v (%v)", from, term.Last, term.Provisional, want, err)
		}
	}
}

// A gap has no end until the court enters one, and meanwhile nothing that hangs
// on it happens.
func TestGapHasNoEnd(t *testing.T) {
	d := parse(t, replace(t, full(t), "{deadlinePassed: notice, law: Act 1 s. 70}", "{deadlinePassed: reply, law: Act 1 s. 70}"))
	state := d.Begin()
	state.Workflow = "fastTrack"
	state, effects := apply(t, d, state, "serve", procedure.Known{Facts: map[string]string{"served": "true", "servedOn": "2026-03-02", "forum": "local"}, Documents: []string{"proof"}}, monday)
	if term := effects[2].Term; effects[2].Code != "reply" || term.Last != nil || term.Expires != nil {
		t.Errorf("a gap ends: %+v", term)
	}
	ends := map[string]procedure.Day{"set": day(t, "2026-05-01")}
	_, _, err := d.Apply(state, "hear", procedure.Input{Roles: judge, Known: procedure.Known{Ends: ends}}, monday)
	if got := refused(t, err); got != "deadline-unknown reply" {
		t.Errorf("refused: %s", got)
	}
	for end, want := range map[string]string{"2026-03-01": "last-day-out-of-range reply", "2026-03-04": ""} {
		next, err := d.Learn(state, procedure.Known{Ends: map[string]procedure.Day{"reply": day(t, end)}})
		if want != "" {
			if got := refused(t, err); got != want {
				t.Errorf("until %s: %s", end, got)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := d.Apply(next, "hear", procedure.Input{Roles: judge, Known: procedure.Known{Ends: ends}}, monday.AddDate(0, 0, 3)); err != nil {
			t.Errorf("after the day that the court entered: %v", err)
		}
	}
	_, err = d.Learn(state, procedure.Known{Ends: map[string]procedure.Day{"answer": 1}})
	if got := refused(t, err); got != "last-day-by-law answer" {
		t.Errorf("a deadline of the law was changed: %s", got)
	}
}

// A holiday at the end of December moves past those of the new year.
func TestHolidayMovesOverTheYearsEnd(t *testing.T) {
	d := parse(t, replace(t, full(t), "    weekend: []\n", `    weekend: [saturday]
    holidays:
      - {names: {en: Last, fr: Dernier}, date: 12-31, moved: {on: [saturday], to: next-open-day}}
      - {names: {en: First, fr: Premier}, date: 01-01}
`))
	calendar := &d.Calendars[1]
	for text, want := range map[string]bool{"2022-12-31": false, "2023-01-01": false, "2023-01-02": false, "2023-01-03": true, "2023-12-31": false, "2024-01-02": true} {
		if got := calendar.CourtDay(day(t, text)); got != want {
			t.Errorf("%s is a court day: %v, want %v", text, got, want)
		}
	}
}

// The table in countries/README.md.
func TestReadmeTable(t *testing.T) {
	text, err := os.ReadFile("countries/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for counting, last := range map[string]string{"inclusive": "9", "next-day": "10", "francs": "11"} {
		d := withDeadlines(t, "code: x, length: {count: 8, unit: days}, counting: "+counting+", lastDay: keep")
		term, err := d.Deadline("x", instant(t, "2026-03-02T12:00:00Z"))
		if err != nil {
			t.Fatal(err)
		}
		_, _, day := term.Last.Date()
		row := regexp.MustCompile("`" + counting + "` .* " + last + " March")
		if strconv.Itoa(day) != last || !row.Match(text) {
			t.Errorf("%s: %s", counting, term.Last)
		}
	}
}
