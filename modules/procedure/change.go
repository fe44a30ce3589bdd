package procedure

import "time"

// EffectKind says what an effect is.
type EffectKind string

const (
	// EffectState: the workflow state changed to Code.
	EffectState EffectKind = "state"
	// EffectStage: the stage Code was opened.
	EffectStage EffectKind = "stage"
	// EffectOutcome: the case has the outcome Code.
	EffectOutcome EffectKind = "outcome"
	// EffectNumber: give the case a number of format Code.
	EffectNumber EffectKind = "number"
	// EffectDeadlineEnded, EffectDeadlineRenewed, EffectDeadlineStarted: the
	// deadline Code, with its Term.
	EffectDeadlineEnded   EffectKind = "deadline-ended"
	EffectDeadlineRenewed EffectKind = "deadline-renewed"
	EffectDeadlineStarted EffectKind = "deadline-started"
	// EffectFeeDue: the fee Code is to be paid.
	EffectFeeDue EffectKind = "fee-due"
	// EffectNotice: tell To of the event Code, or nobody when Withheld.
	EffectNotice EffectKind = "notice"
)

// Effect is something that the caller has to do or tell. An event's effects come
// in the order of the kinds above.
type Effect struct {
	Kind EffectKind `json:"kind"`
	Code string     `json:"code"`
	// Replaces says that the new number takes the old one's place, which stays
	// linked.
	Replaces bool   `json:"replaces,omitempty"`
	Term     *Term  `json:"term,omitempty"`
	To       []Role `json:"to,omitempty"`
	Withheld bool   `json:"withheld,omitempty"`
}

// change is an event that happens. It writes to a state of its own.
type change struct {
	question
	event   *Event
	input   Input
	starts  []Start
	effects []Effect
}

func (c *change) add(effect Effect) { c.effects = append(c.effects, effect) }

// make changes the state. The only thing that can still be in the way is a date
// beyond all calendars.
func (c *change) make(target string) *Reason {
	withheld := c.withheld() // as the case stood before
	if target != c.state.Workflow {
		c.state.Workflow = target
		c.add(Effect{Kind: EffectState, Code: target})
	}
	if c.event.Stage != "" && c.event.Stage != c.state.Stage {
		c.state.Stage = c.event.Stage
		c.add(Effect{Kind: EffectStage, Code: c.event.Stage})
	}
	if c.event.Outcome != "" && c.event.Outcome != c.state.Outcome {
		c.state.Outcome = c.event.Outcome
		c.add(Effect{Kind: EffectOutcome, Code: c.event.Outcome})
	}
	if number := c.event.Number; number != nil {
		c.add(Effect{Kind: EffectNumber, Code: number.Format, Replaces: number.Replaces})
	}
	c.count()
	c.end()
	c.renew()
	if reason := c.start(); reason != nil {
		return reason
	}
	c.fees()
	if notice := c.event.Notice; notice != nil {
		c.add(Effect{Kind: EffectNotice, Code: c.event.Code, To: notice.To, Withheld: withheld})
	}
	return nil
}

// withheld keeps a notice back also when nobody knows whether it should be: a
// notice cannot be taken back.
func (c *change) withheld() bool {
	notice := c.event.Notice
	if notice == nil || notice.Withheld || len(notice.WithheldWhen) == 0 {
		return notice != nil && notice.Withheld
	}
	answer, _ := c.all(notice.WithheldWhen, false)
	return answer != no
}

func (c *change) count() {
	for _, count := range c.event.Counts {
		value := c.state.Counters[count.Counter] + count.Add
		if count.Reset {
			value = 0
		}
		c.state.Counters = with(c.state.Counters, count.Counter, value)
	}
}

func (c *change) end() {
	now := c.now.UTC().Round(0)
	for _, code := range c.event.Ends {
		if term, started := c.state.Deadlines[code]; started && term.Ended == nil {
			term.Ended = &now
			c.set(EffectDeadlineEnded, code, term)
		}
	}
}

func (c *change) renew() {
	for _, code := range c.event.Renews {
		if term, running := c.state.Deadlines[code]; running && term.Ended == nil {
			term, _ = c.document.renew(c.document.index.deadlines[code], term)
			c.set(EffectDeadlineRenewed, code, term)
		}
	}
}

func (c *change) set(kind EffectKind, code string, term Term) {
	c.state.Deadlines = with(c.state.Deadlines, code, term)
	c.add(Effect{Kind: kind, Code: code, Term: &term})
}

func (c *change) start() *Reason {
	for _, start := range c.starts {
		deadline := c.document.index.deadlines[start.Deadline]
		term, fits := c.document.term(deadline, c.origin(start, deadline), c.input.Extensions[start.Deadline])
		if !fits {
			return &Reason{Code: ReasonLastDayOutOfRange, Subject: start.Deadline}
		}
		c.state.Deadlines = with(c.state.Deadlines, start.Deadline, term)
		if last, given := c.input.Ends[start.Deadline]; given {
			if code := c.document.fixEnd(c.state, start.Deadline, last); code != "" {
				return &Reason{Code: code, Subject: start.Deadline}
			}
		}
		c.set(EffectDeadlineStarted, start.Deadline, c.state.Deadlines[start.Deadline])
	}
	return nil
}

// origin is where a deadline starts. Hours from a day without a time count from
// its first instant, so that custody does not become longer.
func (c *change) origin(start Start, deadline *Deadline) origin {
	zone := c.document.calendarOf(deadline).zone
	text := c.state.Facts[start.On]
	if day, err := ParseDay(text); start.On != "" && err == nil {
		return origin{day.begin(zone).UTC(), day}
	}
	at := c.now
	if instant, err := time.Parse(time.RFC3339Nano, text); start.On != "" && err == nil {
		at = instant
	}
	return origin{at.UTC().Round(0), DayAt(at, zone)}
}

func (c *change) fees() {
	for _, code := range c.event.Fees {
		if c.state.Fees[code] == "" {
			c.state.Fees = with(c.state.Fees, code, FeeDue)
			c.add(Effect{Kind: EffectFeeDue, Code: code})
		}
	}
}
