package procedure

import (
	"sync"
	"time"
)

// Calendar tells court days from others. A day is a local day of its zone.
type Calendar struct {
	Rule
	Named
	// Time zone by its IANA name, for example Asia/Hebron.
	TimeZone string `json:"timeZone" rule:"required,text"`
	// Days of the week without court. So few that some days always stay open.
	Weekend []Weekday `json:"weekend" rule:"required,max=3"`
	// Holidays that can be worked out for every year.
	Holidays []Holiday `json:"holidays,omitempty" rule:"max=50"`
	// Set when some holidays are announced for each year.
	Announces bool `json:"announces,omitempty"`
	// Announced holidays, by year.
	Announced []AnnouncedYear `json:"announced,omitempty" rule:"max=50"`

	zone  *time.Location
	years *sync.Map // of year to map[Day]bool: holidays by the rules of that year
}

// Holiday is a holiday of every year.
type Holiday struct {
	Rule
	// What people call it.
	Names Names `json:"names" rule:"required"`
	// Month and day, for example 05-01.
	Date string `json:"date,omitempty" rule:"monthday"`
	// Days after Easter Sunday, negative for before.
	Easter *int `json:"easter,omitempty" rule:"min=-70,max=100"`
	// A certain weekday of a month.
	Nth *NthWeekday `json:"nth,omitempty"`
	// What happens when it falls on certain weekdays.
	Moved *Moved `json:"moved,omitempty"`
}

func (Holiday) exactlyOne() []string { return []string{"date", "easter", "nth"} }

// NthWeekday is, for example, the first Monday of October.
type NthWeekday struct {
	// Month from 1 to 12.
	Month int `json:"month" rule:"required,min=1,max=12"`
	// Day of the week.
	Weekday Weekday `json:"weekday" rule:"required"`
	// Which one of the month, from 1 to 4.
	Nth int `json:"nth" rule:"required,min=1,max=4"`
}

// Moved is what happens to a holiday on certain weekdays.
type Moved struct {
	// The weekdays.
	On []Weekday `json:"on" rule:"required,min=1,max=7"`
	// What happens then.
	To HolidayMove `json:"to" rule:"required"`
}

// AnnouncedYear is what was announced for one year.
type AnnouncedYear struct {
	Rule
	// The year.
	Year int `json:"year" rule:"required,min=1900,max=2200"`
	// Its days.
	Days []AnnouncedDay `json:"days" rule:"required,max=50"`
}

// AnnouncedDay is one announced holiday.
type AnnouncedDay struct {
	Rule
	// The day.
	Date Day `json:"date" rule:"required,date"`
	// What people call it.
	Names Names `json:"names" rule:"required"`
}

// Zone is the calendar's time zone.
func (c *Calendar) Zone() *time.Location { return c.zone }

// CourtDay says whether courts sit on a day.
func (c *Calendar) CourtDay(day Day) bool { return !c.weekend(day) && !c.holiday(day) }

func (c *Calendar) weekend(day Day) bool {
	for _, weekday := range c.Weekend {
		if weekday.is(day.Weekday()) {
			return true
		}
	}
	return false
}

// holiday also asks the year before, whose last holiday may have moved.
func (c *Calendar) holiday(day Day) bool {
	year := day.Year()
	return c.year(year)[day] || c.year(year - 1)[day]
}

// year keeps what it worked out: a year's holidays never change in a document.
func (c *Calendar) year(year int) map[Day]bool {
	if days, found := c.years.Load(year); found {
		return days.(map[Day]bool)
	}
	days, _ := c.years.LoadOrStore(year, c.holidaysOf(year))
	return days.(map[Day]bool)
}

func (c *Calendar) holidaysOf(year int) map[Day]bool {
	days := map[Day]bool{}
	var moving []Day
	for i := range c.Holidays {
		day, falls := c.Holidays[i].in(year)
		switch moved := c.Holidays[i].Moved; {
		case !falls:
		case moved == nil || !moved.applies(day):
			days[day] = true
		case moved.To == AlsoNextDay:
			days[day], days[day+1] = true, true
		case moved.To == InsteadNextDay:
			days[day+1] = true
		default:
			moving = append(moving, day)
		}
	}
	for _, announced := range c.Announced {
		for _, one := range announced.Days {
			if one.Date.Year() == year {
				days[one.Date] = true
			}
		}
	}
	// Last, for they look for a day that no other holiday has.
	for _, day := range moving {
		next := day + 1
		for c.weekend(next) || days[next] || c.unmoved(next) {
			next++
		}
		days[next] = true
	}
	return days
}

// in is the day of the holiday in a year. 29 February is not in every year.
func (h *Holiday) in(year int) (day Day, falls bool) {
	switch {
	case h.Easter != nil:
		return easter(year) + Day(*h.Easter), true
	case h.Nth != nil:
		first := dateOf(year, time.Month(h.Nth.Month), 1)
		for !h.Nth.Weekday.is(first.Weekday()) {
			first++
		}
		return first + Day(7*(h.Nth.Nth-1)), true
	}
	month, dayOfMonth := monthDay(h.Date)
	day = dateOf(year, month, dayOfMonth)
	_, _, falling := day.Date()
	return day, falling == dayOfMonth
}

// unmoved says whether a holiday falls on a day before any moving. It matters
// for the first days of the year after.
func (c *Calendar) unmoved(day Day) bool {
	for i := range c.Holidays {
		if at, falls := c.Holidays[i].in(day.Year()); falls && at == day {
			return true
		}
	}
	return false
}

func (m *Moved) applies(day Day) bool {
	for _, weekday := range m.On {
		if weekday.is(day.Weekday()) {
			return true
		}
	}
	return false
}

// monthDay reads 05-01. The parser has checked it.
func monthDay(text string) (time.Month, int) {
	date, err := time.Parse(time.DateOnly, "2000-"+text) // a leap year
	if err != nil {
		return time.January, 1
	}
	return date.Month(), date.Day()
}

// announcedFor says whether a year's holidays are all known.
func (c *Calendar) announcedFor(year int) bool {
	if !c.Announces {
		return true
	}
	for _, announced := range c.Announced {
		if announced.Year == year {
			return true
		}
	}
	return false
}
