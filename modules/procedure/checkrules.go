package procedure

import (
	"fmt"
	"slices"
)

// maxDepth bounds conditions within conditions: nobody can read deeper ones.
const maxDepth = 12

func (c *checker) deadlines() {
	started := map[string]bool{}
	for _, event := range c.document.AllEvents {
		for _, start := range event.Starts {
			started[start.Deadline] = true
		}
	}
	for i := range c.document.Deadlines {
		deadline, path := &c.document.Deadlines[i], fmt.Sprintf("deadlines[%d]", i)
		if !started[deadline.Code] {
			c.warn(path, "no event starts %s: start it or remove it", deadline.Code)
		}
		if deadline.ByCourt && deadline.Length != nil {
			c.fail(path+".byCourt", "the court fixes the last day, or the length does: remove one")
		}
		if deadline.Length == nil {
			c.open(deadline, path)
			continue
		}
		c.counting(deadline, path)
		c.lengths(deadline, path)
	}
}

// open checks a deadline whose last day the court enters: it has no hours, and
// nothing that an extension could lengthen.
func (c *checker) open(deadline *Deadline, path string) {
	if len(deadline.Extensions) > 0 {
		c.fail(path+".extensions", "there is no length to extend: add a length or remove them")
	}
	for name, length := range map[string]*Length{"renewal": deadline.Renewal, "ceiling": deadline.Ceiling} {
		if length != nil && length.Unit == Hours {
			c.fail(join(path, name), "without a length this counts days: write days")
		}
	}
}

func (c *checker) counting(deadline *Deadline, path string) {
	if deadline.Length.Unit == Hours {
		if deadline.Counting != "" || deadline.LastDay != "" || deadline.Waiting {
			c.fail(path, "hours are elapsed time: remove counting, lastDay and waiting")
		}
		return
	}
	if deadline.Counting == "" {
		c.fail(path, "add counting: francs, next-day or inclusive")
	}
	if deadline.LastDay == "" {
		c.fail(path, "add lastDay: keep, next-court-day or previous-court-day")
	}
	if deadline.Custody && deadline.LastDay != Keep {
		c.fail(path+".lastDay", "a closed day may not make custody longer: write keep")
	}
	if deadline.Waiting && deadline.LastDay == PreviousCourtDay {
		c.fail(path+".lastDay", "a waiting period may not become shorter: write keep or next-court-day")
	}
}

// lengths checks that hours meet only hours, and days only days.
func (c *checker) lengths(deadline *Deadline, path string) {
	same := func(length *Length, at string) {
		if length != nil && (length.Unit == Hours) != (deadline.Length.Unit == Hours) {
			c.fail(at, "hours and days cannot be put together: write both in one kind")
		}
	}
	same(deadline.Renewal, path+".renewal")
	same(deadline.Ceiling, path+".ceiling")
	for i, extension := range deadline.Extensions {
		same(extension.Add, fmt.Sprintf("%s.extensions[%d].add", path, i))
		same(extension.Instead, fmt.Sprintf("%s.extensions[%d].instead", path, i))
	}
	if ceiling := deadline.Ceiling; ceiling != nil && ceiling.Unit == deadline.Length.Unit && ceiling.Count < deadline.Length.Count {
		c.fail(path+".ceiling", "is below the length: raise it")
	}
}

func (c *checker) fees() {
	due := map[string]bool{}
	for _, event := range c.document.AllEvents {
		for _, code := range event.Fees {
			due[code] = true
		}
	}
	for i, fee := range c.document.Fees {
		if !due[fee.Code] {
			c.warn(fmt.Sprintf("fees[%d]", i), "no event makes %s due, so that nobody is told to pay: name it in an event", fee.Code)
		}
	}
}

func (c *checker) events() {
	for i := range c.document.AllEvents {
		event, path := &c.document.AllEvents[i], fmt.Sprintf("events[%d]", i)
		c.validity(event.Validity, path+".validity")
		if len(event.Roles) == 0 {
			c.fail(path+".roles", "nobody may trigger %s: add a role", event.Code)
		}
		c.conditions(event.Guards, path+".guards", 1)
		for j, branch := range event.Branches {
			c.conditions(branch.When, fmt.Sprintf("%s.branches[%d].when", path, j), 1)
		}
		if event.Notice != nil {
			c.conditions(event.Notice.WithheldWhen, path+".notice.withheldWhen", 1)
		}
		for j, start := range event.Starts {
			if start.On != "" {
				c.factKind(start.On, fmt.Sprintf("%s.starts[%d].on", path, j), Date, Instant)
			}
			c.conditions(start.When, fmt.Sprintf("%s.starts[%d].when", path, j), 1)
		}
		for j, code := range event.Renews {
			if deadline := c.document.index.deadlines[code]; deadline != nil && deadline.Renewal == nil {
				c.fail(fmt.Sprintf("%s.renews[%d]", path, j), "%s cannot be renewed: give it a renewal", code)
			}
		}
	}
}

func (c *checker) conditions(list []Condition, path string, depth int) {
	for i := range list {
		c.condition(&list[i], fmt.Sprintf("%s[%d]", path, i), depth)
	}
}

// condition finds questions that can never be answered as the author meant.
func (c *checker) condition(one *Condition, path string, depth int) {
	if depth > maxDepth {
		c.fail(path, "conditions lie more than %d deep: make them simpler", maxDepth)
		return
	}
	switch {
	case one.DeadlinePassed != "":
		c.startedSomewhere(one.DeadlinePassed, path+".deadlinePassed")
	case one.DeadlineRunning != "":
		c.startedSomewhere(one.DeadlineRunning, path+".deadlineRunning")
	case one.Fact != "":
		c.factKind(one.Fact, path+".fact", Flag)
	case one.FactIs != nil:
		c.factKind(one.FactIs.Fact, path+".factIs.fact", Text)
	case one.FactAtMost != nil:
		c.factKind(one.FactAtMost.Fact, path+".factAtMost.fact", Amount)
	case one.Stage != "":
		c.eventSets("stage", one.Stage, path+".stage")
	case one.Outcome != "":
		c.eventSets("outcome", one.Outcome, path+".outcome")
	case one.Not != nil:
		c.condition(one.Not, path+".not", depth+1)
	}
	c.conditions(one.Any, path+".any", depth+1)
	c.conditions(one.All, path+".all", depth+1)
}

func (c *checker) factKind(code, path string, kinds ...FactKind) {
	if fact := c.document.index.facts[code]; fact != nil && !slices.Contains(kinds, fact.Kind) {
		c.fail(path, "%s is a %s: this rule needs a %s", code, fact.Kind, kinds[0])
	}
}

func (c *checker) startedSomewhere(code, path string) {
	for _, event := range c.document.AllEvents {
		for _, start := range event.Starts {
			if start.Deadline == code {
				return
			}
		}
	}
	c.fail(path, "no event starts %s, so that this never holds: start it in an event", code)
}

func (c *checker) eventSets(what, code, path string) {
	for _, event := range c.document.AllEvents {
		if what == "stage" && event.Stage == code || what == "outcome" && event.Outcome == code {
			return
		}
	}
	c.fail(path, "no event brings the %s %s, so that this never holds: bring it in an event", what, code)
}
