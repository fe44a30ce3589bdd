package procedure

import (
	"fmt"
	"slices"
	"time"
)

// Term is a deadline of one case. Its dates, once worked out, stay when the
// document changes. Instants are in UTC.
type Term struct {
	// Started is the instant from which hours count.
	Started time.Time `json:"started"`
	// First is the local day of the event from which days count.
	First Day `json:"first"`
	// Last is the last day, or nil for hours and where nobody knows it.
	Last *Day `json:"last,omitempty"`
	// Expires is the first instant at which the deadline has passed, or nil
	// where nobody knows it.
	Expires *time.Time `json:"expires,omitempty"`
	// Provisional says that holidays of a year it runs through are not known.
	Provisional bool     `json:"provisional,omitempty"`
	Extensions  []string `json:"extensions,omitempty"`
	Renewals    int      `json:"renewals,omitempty"`
	// Ended is when an event ended it.
	Ended *time.Time `json:"ended,omitempty"`
}

// Passed says whether the deadline is known to have passed before anything ended
// it, for example to mark it in a list or to raise an alarm about custody.
func (t Term) Passed(now time.Time) bool { return t.passed(now) == yes }

// passed says whether the deadline passed before anything ended it.
func (t Term) passed(now time.Time) verdict {
	switch {
	case t.Ended != nil:
		return no
	case t.Expires == nil:
		return unknown
	}
	return verdictOf(!now.Before(*t.Expires))
}

// running says whether the deadline can still be met.
func (t Term) running(now time.Time) verdict {
	if t.Ended != nil {
		return no
	}
	return t.passed(now).not()
}

// origin is where a deadline starts from.
type origin struct {
	instant time.Time
	day     Day
}

// Deadline works out a deadline from an instant, for example to show a party
// what a date would mean.
func (d *Document) Deadline(code string, from time.Time, extensions ...string) (Term, error) {
	deadline := d.index.deadlines[code]
	if deadline == nil {
		return Term{}, fmt.Errorf("deadline %s is not in procedure %s %s", code, d.ID, d.Version)
	}
	at := origin{from.UTC().Round(0), DayAt(from, d.calendarOf(deadline).zone)}
	if reason := deadline.refuses(extensions); reason != nil {
		return Term{}, fmt.Errorf("working out deadline %s: %s: %s", code, reason.Code, reason.Subject)
	}
	term, fits := d.term(deadline, at, extensions)
	if !fits {
		return Term{}, fmt.Errorf("working out deadline %s: it ends outside the years 1 to 9999", code)
	}
	return term, nil
}

func (d *Document) calendarOf(deadline *Deadline) *Calendar {
	if deadline.Calendar != "" {
		return d.index.calendars[deadline.Calendar]
	}
	return d.index.calendars[d.Calendar]
}

// refuses finds extensions that the deadline does not have, or two of which
// each wants to take the place of its length.
func (l *Deadline) refuses(extensions []string) *Reason {
	instead := 0
	for i, code := range extensions {
		extension := l.extension(code)
		if extension == nil || slices.Contains(extensions[:i], code) {
			return &Reason{Code: ReasonUnknownExtension, Subject: code}
		}
		if extension.Instead != nil {
			instead++
		}
	}
	if instead > 1 || len(extensions) > 0 && l.Length == nil {
		return &Reason{Code: ReasonUnknownExtension, Subject: extensions[0]}
	}
	return nil
}

func (l *Deadline) extension(code string) *Extension {
	for i := range l.Extensions {
		if l.Extensions[i].Code == code {
			return &l.Extensions[i]
		}
	}
	return nil
}

// term works a deadline out. A length that is a gap or that the court fixes
// leaves the end open.
func (d *Document) term(deadline *Deadline, at origin, extensions []string) (term Term, fits bool) {
	calendar := d.calendarOf(deadline)
	term = Term{Started: at.instant, First: at.day, Extensions: slices.Clone(extensions)}
	if deadline.Length == nil {
		return term, true
	}
	length, added := *deadline.Length, []Length(nil)
	for _, code := range extensions {
		if extension := deadline.extension(code); extension.Instead != nil {
			length = *extension.Instead
		} else {
			added = append(added, *extension.Add)
		}
	}
	if length.Unit == Hours {
		expires := at.instant.Add(hours(length))
		for _, one := range added {
			expires = expires.Add(hours(one))
		}
		return deadline.expire(term, calendar, expires)
	}
	return deadline.end(term, calendar, lastDay(calendar, deadline.Counting, deadline.LastDay, at.day, length, added))
}

func hours(length Length) time.Duration { return time.Duration(length.Count) * time.Hour }

// expire sets the end of a clock of hours, not beyond its ceiling.
func (l *Deadline) expire(term Term, calendar *Calendar, expires time.Time) (Term, bool) {
	if l.Ceiling != nil {
		if ceiling := term.Started.Add(hours(*l.Ceiling)); expires.After(ceiling) {
			expires = ceiling
		}
	}
	expires = expires.UTC()
	term.Expires = &expires
	return term, DayAt(expires, calendar.zone) <= latestDay
}

// earliestDay and latestDay leave room for time zones and for the years that
// JSON can write.
var earliestDay, latestDay = dateOf(1, time.January, 3), dateOf(9999, time.December, 28)

// end sets the last day of a deadline, not beyond its ceiling.
func (l *Deadline) end(term Term, calendar *Calendar, last Day) (Term, bool) {
	if l.Ceiling != nil {
		counting := l.Counting
		if counting == "" {
			counting = NextDay
		}
		last = min(last, lastDay(calendar, counting, Keep, term.First, *l.Ceiling, nil))
	}
	if last < earliestDay || last > latestDay {
		return term, false
	}
	expires := (last + 1).begin(calendar.zone)
	if l.Waiting {
		expires = last.begin(calendar.zone)
	}
	expires = expires.UTC()
	term.Last, term.Expires, term.Provisional = &last, &expires, false
	for year := min(term.First, last).Year(); year <= last.Year(); year++ {
		term.Provisional = term.Provisional || !calendar.announcedFor(year)
	}
	return term, true
}

// renew makes a running deadline longer. It says false when the ceiling leaves
// no room.
func (d *Document) renew(deadline *Deadline, term Term) (Term, bool) {
	calendar, before := d.calendarOf(deadline), term.Expires
	var fits bool
	switch {
	case deadline.Renewal.Unit == Hours:
		term, fits = deadline.expire(term, calendar, before.Add(hours(*deadline.Renewal)))
	case term.Last != nil:
		// The renewal begins on the day after, whatever the counting was.
		last := lastDay(calendar, NextDay, deadline.LastDay, *term.Last, *deadline.Renewal, nil)
		term, fits = deadline.end(term, calendar, last)
	}
	if !fits || !term.Expires.After(*before) {
		return term, false
	}
	term.Renewals++
	return term, true
}
