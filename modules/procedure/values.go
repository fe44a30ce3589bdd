package procedure

import (
	"regexp"
	"time"
)

// Names is a text in several languages, by language code.
type Names map[string]string

// Role is one of the platform's roles. A document gives them a country's names.
type Role string

func (Role) values() []string {
	return []string{"registrar", "clerk", "judge", "prosecutor", "lawyer", "party", "auditor", "court-administrator", "tenant-administrator"}
}

// Confidence says how sure the document's author is of a rule.
type Confidence string

func (Confidence) values() []string { return []string{"confirmed", "recalled"} }

// Unit is what a length counts. An hour is elapsed time, everything else whole
// local days.
type Unit string

const (
	Hours     Unit = "hours"
	Days      Unit = "days"
	CourtDays Unit = "court-days"
	Weeks     Unit = "weeks"
	Months    Unit = "months"
	Years     Unit = "years"
)

func (Unit) values() []string {
	return []string{"hours", "days", "court-days", "weeks", "months", "years"}
}

// Counting says which days of a deadline count.
type Counting string

const (
	// Francs: neither the first nor the last day counts, so that the act may
	// still be done on the day after the last one counted.
	Francs Counting = "francs"
	// NextDay: the day of the event does not count, the last day does.
	NextDay Counting = "next-day"
	// Inclusive: the day of the event is the first day.
	Inclusive Counting = "inclusive"
)

func (Counting) values() []string { return []string{"francs", "next-day", "inclusive"} }

// LastDay says what happens to a deadline whose last day is no court day.
type LastDay string

const (
	Keep             LastDay = "keep"
	NextCourtDay     LastDay = "next-court-day"
	PreviousCourtDay LastDay = "previous-court-day"
)

func (LastDay) values() []string { return []string{"keep", "next-court-day", "previous-court-day"} }

// FactKind says how a fact is written: a flag as true or false, a number as
// 1250.50, a date as 2026-01-31, an instant as 2026-01-31T09:30:00Z.
type FactKind string

const (
	Flag    FactKind = "flag"
	Text    FactKind = "text"
	Amount  FactKind = "number"
	Date    FactKind = "date"
	Instant FactKind = "instant"
)

func (FactKind) values() []string { return []string{"flag", "text", "number", "date", "instant"} }

// ServiceMeaning says what a status of a service channel comes to.
type ServiceMeaning string

func (ServiceMeaning) values() []string { return []string{"pending", "served", "failed"} }

// HolidayMove says what a holiday on a given weekday leads to.
type HolidayMove string

const (
	// AlsoNextDay: the day after is a holiday as well.
	AlsoNextDay HolidayMove = "also-next-day"
	// InsteadNextDay: the day after is the holiday.
	InsteadNextDay HolidayMove = "next-day"
	// InsteadNextOpenDay: the next day that is neither weekend nor holiday is.
	InsteadNextOpenDay HolidayMove = "next-open-day"
)

func (HolidayMove) values() []string { return []string{"also-next-day", "next-day", "next-open-day"} }

// Weekday is a day of the week.
type Weekday string

var weekdays = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

func (Weekday) values() []string { return weekdays }

func (w Weekday) is(day time.Weekday) bool { return weekdays[day] == string(w) }

// List names a list of the document.
type List string

func (List) values() []string {
	return []string{"states", "stages", "outcomes", "deadlines", "counters", "facts", "fees", "documents"}
}

// wording is how a text must look, and what to tell somebody whose text does
// not.
type wording struct {
	pattern *regexp.Regexp
	max     int // characters
	advice  string
}

// wordings by the name that document.go uses in its rule tags.
var wordings = map[string]wording{
	"code":     {regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`), 100, "write a code of letters, digits, - _ and ."},
	"from":     {regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9_.-]*|\*)$`), 100, `write the code of a state, or "*" for every state that is not final`},
	"country":  {regexp.MustCompile(`^[A-Z]{2}$`), 2, "write the two capital letters of ISO 3166, for example PS"},
	"currency": {regexp.MustCompile(`^[A-Z]{3}$`), 3, "write the three capital letters of ISO 4217, for example XCD"},
	"language": {regexp.MustCompile(`^[a-z]{2,3}$`), 3, "write a language code such as fr"},
	"version":  {regexp.MustCompile(`^[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}$`), 20, "write three numbers with points, for example 1.0.0"},
	"date":     {regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`), 10, "write a date as 2026-01-31"},
	"monthday": {regexp.MustCompile(`^[0-9]{2}-[0-9]{2}$`), 5, "write month and day as 01-31"},
	"decimal":  {regexp.MustCompile(`^[0-9]{1,12}(\.[0-9]{1,4})?$`), 17, `write an amount in quotes, for example "12.50"`},
	"text":     {regexp.MustCompile(`^[^\x00-\x1f\x7f-\x9f]+$`), 2000, "write 1 to 2000 characters on one line"},
}
