package procedure

import (
	"errors"
	"time"
)

// Day is a civil date without a place, counted in days from 1 January 1970. It
// is written 2026-01-31. The years go from 1 to 9999.
type Day int

const secondsPerDay = 24 * 60 * 60

// DayAt is the local day of an instant in a time zone.
func DayAt(instant time.Time, zone *time.Location) Day {
	year, month, day := instant.In(zone).Date()
	return dateOf(year, month, day)
}

// dateOf is the day of a year, month and day of the month. Before 1970, division
// would round towards that year.
func dateOf(year int, month time.Month, day int) Day {
	seconds := time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix()
	days := seconds / secondsPerDay
	if seconds%secondsPerDay < 0 {
		days--
	}
	return Day(days)
}

// ParseDay reads a date such as 2026-01-31.
func ParseDay(text string) (Day, error) {
	date, err := time.Parse(time.DateOnly, text)
	if err != nil || date.Year() < 1 {
		return 0, errors.New("there is no such day: write a date as 2026-01-31")
	}
	return dateOf(date.Date()), nil
}

func (d Day) utc() time.Time { return time.Unix(int64(d)*secondsPerDay, 0).UTC() }

// Date is the day's year, month and day of the month.
func (d Day) Date() (year int, month time.Month, day int) { return d.utc().Date() }

// Weekday is the day's weekday.
func (d Day) Weekday() time.Weekday { return d.utc().Weekday() }

// Year is the day's year.
func (d Day) Year() int { return d.utc().Year() }

func (d Day) String() string { return d.utc().Format(time.DateOnly) }

// MarshalText writes the day as 2026-01-31.
func (d Day) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads a day such as 2026-01-31.
func (d *Day) UnmarshalText(text []byte) error {
	day, err := ParseDay(string(text))
	if err == nil {
		*d = day
	}
	return err
}

// addMonths goes to the same day of a later month, or to that month's last day
// when it is shorter; exact says which. So the European Convention on the
// Calculation of Time-Limits (ETS 76), article 4(2).
func (d Day) addMonths(months int) (day Day, exact bool) {
	year, month, dayOfMonth := d.Date()
	first := time.Date(year, month+time.Month(months), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	exact = dayOfMonth <= last
	return dateOf(first.Year(), first.Month(), min(dayOfMonth, last)), exact
}

// begin is the instant from which the local day lasts. It is not always
// midnight: where clocks go forward at midnight the day begins later, and a
// whole day may be missing, which then begins when the next one does. Where
// clocks go back into the day before, that day ends only then.
func (d Day) begin(zone *time.Location) time.Time {
	year, month, day := d.Date()
	midnight := time.Date(year, month, day, 0, 0, 0, 0, zone)
	since, until := midnight.ZoneBounds()
	switch at := DayAt(midnight, zone); {
	case at < d:
		return until
	case at > d:
		return since
	case !until.IsZero() && DayAt(until, zone) < d: // the day before comes back
		return midnight.Add(changed(midnight, until))
	case since.IsZero() || DayAt(since, zone) != d:
		return midnight
	}
	// Clocks changed between midnight and the instant that was found, so that it
	// may be the second midnight, or none.
	first := midnight.Add(-changed(since.Add(-time.Nanosecond), midnight))
	if first.Before(since) && DayAt(first, zone) == d {
		return first
	}
	return since
}

// changed is how far clocks went back between two instants.
func changed(from, to time.Time) time.Duration {
	_, before := from.Zone()
	_, after := to.Zone()
	return time.Duration(before-after) * time.Second
}

// easter is Easter Sunday of the Gregorian calendar, by the anonymous algorithm
// as in Meeus, Astronomical Algorithms, chapter 8.
func easter(year int) Day {
	a, b, c := year%19, year/100, year%100
	d, e := b/4, b%4
	f := (b + 8) / 25
	g := (b - f + 1) / 3
	h := (19*a + b - d - g + 15) % 30
	i, k := c/4, c%4
	l := (32 + 2*e + 2*i - h - k) % 7
	m := (a + 11*h + 22*l) / 451
	n := h + l - 7*m + 114
	return dateOf(year, time.Month(n/31), n%31+1)
}
