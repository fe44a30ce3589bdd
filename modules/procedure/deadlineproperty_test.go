package procedure_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"ejustice.dev/operator/modules/procedure"
)

// drawn is a deadline of whole days, drawn at random.
type drawn struct {
	counting, closed, unit string
	count                  int
	distance               int // days, 0 for none
	zone                   string
}

func draw(random *rand.Rand) drawn {
	one := drawn{
		counting: []string{"francs", "next-day", "inclusive"}[random.IntN(3)],
		closed:   []string{"keep", "next-court-day", "previous-court-day"}[random.IntN(3)],
		unit:     []string{"days", "court-days", "weeks", "months", "years"}[random.IntN(5)],
		distance: max(0, random.IntN(40)-20),
		zone:     []string{"America/St_Lucia", "Asia/Hebron", "Africa/Abidjan", "America/Havana", "Asia/Beirut", "Africa/Cairo", "Pacific/Kiritimati"}[random.IntN(7)],
	}
	one.count = 1 + random.IntN(map[string]int{"days": 400, "court-days": 250, "weeks": 60, "months": 40, "years": 5}[one.unit])
	return one
}

func (r drawn) document(t testing.TB) *procedure.Document {
	line := fmt.Sprintf("code: x, length: {count: %d, unit: %s}, counting: %s, lastDay: %s", r.count, r.unit, r.counting, r.closed)
	if r.distance > 0 {
		line += fmt.Sprintf(", extensions: [{code: far, names: {en: F, fr: F}, add: {count: %d, unit: days}}]", r.distance)
	}
	return parse(t, replace(t, withDeadlineLines(t, line), "America/St_Lucia", r.zone))
}

func (r drawn) last(t testing.TB, d *procedure.Document, first procedure.Day) procedure.Term {
	t.Helper()
	var extensions []string
	if r.distance > 0 {
		extensions = []string{"far"}
	}
	term, err := d.Deadline("x", first.Begin(d.Calendars[0].Zone()), extensions...)
	if err != nil {
		t.Fatal(err)
	}
	return term
}

// walker finds last days by walking a day at a time, with holidays written
// down here once more and without any of the package's arithmetic.
type walker struct{ easter map[int]string }

func (w walker) open(at time.Time) bool {
	switch at.Weekday() {
	case time.Saturday, time.Sunday:
		return false
	}
	newYear := time.Date(at.Year(), 1, 1, 0, 0, 0, 0, time.UTC).Weekday()
	switch monthDay := at.Format("01-02"); {
	case monthDay == "01-01", monthDay == "02-29":
		return false
	case monthDay == "01-02", monthDay == "05-01":
		return false
	case monthDay == "01-03": // after a New Year on Friday to Sunday, one of both moved here
		if newYear == time.Saturday || newYear == time.Sunday {
			return false
		}
	case monthDay == "01-04":
		if newYear == time.Saturday || newYear == time.Friday {
			return false
		}
	case monthDay == "05-02", monthDay == "08-08":
		if at.Weekday() == time.Monday {
			return false
		}
	case monthDay == "08-07":
		return false // a Sunday would be closed anyway
	case at.Month() == time.October && at.Weekday() == time.Monday && at.Day() <= 7:
		return false
	case at.Format(time.DateOnly) == "2026-03-20":
		return false
	}
	friday := at.AddDate(0, 0, 2).Format(time.DateOnly)
	monday := at.AddDate(0, 0, -1).Format(time.DateOnly)
	return friday != w.easter[at.Year()] && monday != w.easter[at.Year()]
}

func (w walker) step(at time.Time, r drawn) time.Time {
	switch r.unit {
	case "court-days":
		for counted := 0; counted < r.count; {
			if at = at.AddDate(0, 0, 1); w.open(at) {
				counted++
			}
		}
		return at
	case "months", "years":
		months := r.count
		if r.unit == "years" {
			months *= 12
		}
		want := at.Day()
		for passed := 0; passed < months; {
			if at = at.AddDate(0, 0, 1); at.Day() == 1 {
				passed++
			}
		}
		for at.Day() < want && at.AddDate(0, 0, 1).Day() != 1 {
			at = at.AddDate(0, 0, 1)
		}
		return at
	}
	days := r.count
	if r.unit == "weeks" {
		days *= 7
	}
	for range days {
		at = at.AddDate(0, 0, 1)
	}
	return at
}

func (w walker) last(first time.Time, r drawn) time.Time {
	at := w.step(first, r)
	monthly := r.unit == "months" || r.unit == "years"
	switch {
	case r.counting == "inclusive" && !monthly:
		at = w.step(first.AddDate(0, 0, -1), r)
	case r.counting == "inclusive" && at.Day() == first.Day():
		at = at.AddDate(0, 0, -1)
	}
	for range r.distance {
		at = at.AddDate(0, 0, 1)
	}
	if r.counting == "francs" {
		at = at.AddDate(0, 0, 1)
		for r.unit == "court-days" && !w.open(at) {
			at = at.AddDate(0, 0, 1)
		}
	}
	for r.closed != "keep" && !w.open(at) {
		if r.closed == "next-court-day" {
			at = at.AddDate(0, 0, 1)
		} else {
			at = at.AddDate(0, 0, -1)
		}
	}
	return at
}

// Computation and walk agree, over every kind of deadline, leap years, month
// ends and holidays.
func TestDeadlinesEqualAWalk(t *testing.T) {
	w := walker{easter: map[int]string{}}
	for _, sunday := range []string{"2023-04-09", "2024-03-31", "2025-04-20", "2026-04-05", "2027-03-28", "2028-04-16", "2029-04-01", "2030-04-21", "2031-04-13", "2032-03-28", "2033-04-17", "2034-04-09"} {
		w.easter[day(t, sunday).Year()] = sunday
	}
	random := rand.New(rand.NewPCG(11, 2))
	for range 100 {
		r := draw(random)
		d := r.document(t)
		for range 20 {
			first := time.Date(2024, 1, 1+random.IntN(5*365), 0, 0, 0, 0, time.UTC)
			got := r.last(t, d, procedure.DayAt(first, time.UTC)).Last.String()
			if want := w.last(first, r).Format(time.DateOnly); got != want {
				t.Fatalf("%+v from %s: %s, the walk says %s", r, first.Format(time.DateOnly), got, want)
			}
		}
	}
}

// What holds for every deadline: it never ends on a closed day when the rule
// moves it, a later start never ends earlier, it ends with its last local day,
// and a longer counting is never shorter.
func TestDeadlineProperties(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 40 {
		r := draw(random)
		d := r.document(t)
		calendar := &d.Calendars[0]
		first := day(t, "2023-11-01") + procedure.Day(random.IntN(1500))
		before := r.last(t, d, first)
		for next := first + 1; next < first+90; next++ {
			term := r.last(t, d, next)
			if *term.Last < *before.Last {
				t.Fatalf("%+v: from %s until %s, but from %s until %s", r, next-1, before.Last, next, term.Last)
			}
			if (r.closed != "keep" || r.unit == "court-days" && r.distance == 0) && !calendar.CourtDay(*term.Last) {
				t.Fatalf("%+v: ends on the closed %s", r, term.Last)
			}
			if procedure.DayAt(*term.Expires, calendar.Zone()) != *term.Last+1 || procedure.DayAt(term.Expires.Add(-time.Nanosecond), calendar.Zone()) != *term.Last {
				t.Fatalf("%+v: last day %s expires %s", r, term.Last, term.Expires)
			}
			before = term
		}
		order := []string{"inclusive", "next-day", "francs"}
		for i := range order[1:] {
			shorter, longer := r, r
			shorter.counting, longer.counting = order[i], order[i+1]
			short, long := shorter.last(t, shorter.document(t), first), longer.last(t, longer.document(t), first)
			if *short.Last > *long.Last {
				t.Fatalf("%+v: %s ends %s, %s ends %s", r, order[i], short.Last, order[i+1], long.Last)
			}
		}
	}
}
