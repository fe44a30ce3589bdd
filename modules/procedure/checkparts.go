package procedure

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a container may have no zone files
)

func (c *checker) versions() {
	d := c.document
	for i, language := range d.Languages {
		for _, before := range d.Languages[:i] {
			if before == language {
				c.fail(fmt.Sprintf("languages[%d]", i), "%s is there twice: remove one", language)
			}
		}
	}
	c.validity(&d.Validity, "validity")
	if d.Supersedes != "" && !older(d.Supersedes, d.Version) {
		c.fail("supersedes", "%s is not older than %s: raise the version", d.Supersedes, d.Version)
	}
	from := map[string]bool{}
	for i, transition := range d.Transitions {
		at := fmt.Sprintf("transitions[%d].from", i)
		if !older(transition.From, d.Version) {
			c.fail(at, "%s is not older than %s: write an older version", transition.From, d.Version)
		}
		if from[transition.From] {
			c.fail(at, "there is a transition from %s already: put both together", transition.From)
		}
		from[transition.From] = true
	}
	if d.Supersedes != "" && !from[d.Supersedes] {
		c.warn("supersedes", "there is no transition from %s: its cases stay with it", d.Supersedes)
	}
}

func (c *checker) validity(v *Validity, path string) {
	if v != nil && v.Until != nil && *v.Until < v.From {
		c.fail(join(path, "until"), "ends before it begins: write a later day")
	}
}

// older compares versions by their numbers.
func older(a, b string) bool {
	left, right := strings.Split(a, "."), strings.Split(b, ".")
	for i := range left {
		x, _ := strconv.Atoi(left[i])
		y, _ := strconv.Atoi(right[i])
		if x != y {
			return x < y
		}
	}
	return false
}

// courts finds a circle of appeals.
func (c *checker) courts() {
	above := map[string]string{}
	for _, court := range c.document.Courts {
		above[court.Code] = court.AppealTo
	}
	for i, court := range c.document.Courts {
		at := court.AppealTo
		for range c.document.Courts {
			if at == court.Code {
				c.fail(fmt.Sprintf("courts[%d].appealTo", i), "appeals go round in a circle: one level must be the last")
				break
			}
			at = above[at]
		}
	}
}

func (c *checker) calendars() {
	for i := range c.document.Calendars {
		calendar, path := &c.document.Calendars[i], fmt.Sprintf("calendars[%d]", i)
		zone, err := time.LoadLocation(calendar.TimeZone)
		if err != nil || calendar.TimeZone == "Local" {
			c.fail(path+".timeZone", "there is no such time zone: write an IANA name such as Asia/Hebron")
		} else {
			calendar.zone = zone
		}
		for j, holiday := range calendar.Holidays {
			if _, err := time.Parse(time.DateOnly, "2000-"+holiday.Date); holiday.Date != "" && err != nil {
				c.fail(fmt.Sprintf("%s.holidays[%d].date", path, j), "there is no such day: write month and day as 01-31")
			}
		}
		c.announced(calendar, path)
	}
}

// announced warns of the years that a case's deadlines soon reach: those of the
// validity or, when it is open, its first and the next.
func (c *checker) announced(calendar *Calendar, path string) {
	if !calendar.Announces && len(calendar.Announced) > 0 {
		c.fail(path+".announced", "add announces: true, or remove the announced days")
	}
	seen := map[int]bool{}
	for i, year := range calendar.Announced {
		at := fmt.Sprintf("%s.announced[%d]", path, i)
		if seen[year.Year] {
			c.fail(at+".year", "%d is there twice: put both together", year.Year)
		}
		seen[year.Year] = true
		for j, day := range year.Days {
			if day.Date.Year() != year.Year {
				c.fail(fmt.Sprintf("%s.days[%d].date", at, j), "is not in %d: move it to its year", year.Year)
			}
		}
	}
	first := c.document.Validity.From.Year()
	last := first + 1
	if until := c.document.Validity.Until; until != nil {
		last = min(until.Year(), first+20)
	}
	for year := first; year <= last; year++ {
		if !calendar.announcedFor(year) {
			c.warn(path, "the holidays announced for %d are not entered: deadlines in it are provisional", year)
		}
	}
}

func (c *checker) numbers() {
	for i, number := range c.document.Numbers {
		if fault := formatFault(number.Format); fault != "" {
			c.fail(fmt.Sprintf("numbers[%d].format", i), "%s", fault)
		}
	}
}

func (c *checker) services() {
	for i, channel := range c.document.Channels {
		path, served := fmt.Sprintf("channels[%d]", i), false
		for _, status := range channel.Statuses {
			served = served || status.Means == "served"
		}
		if !served {
			c.fail(path+".statuses", "nothing can be served this way: let one status mean served")
		}
		c.validity(channel.Validity, path+".validity")
	}
}
