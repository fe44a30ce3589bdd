package procedure

import (
	"slices"
	"time"
)

// Option is an event that a case's state knows.
type Option struct {
	Event *Event `json:"event"`
	// Allowed says whether Apply would accept it now, with what Needs asks for.
	Allowed bool     `json:"allowed"`
	Reasons []Reason `json:"reasons,omitempty"`
	// Needs is what the input still has to hold: facts from which a deadline
	// starts, last days that the court fixes.
	Needs []Reason `json:"needs,omitempty"`
}

// Events lists the events of the state's workflow state, in the document's
// order, and says which of them can be triggered now. It is empty for a state of
// another procedure or version.
func (d *Document) Events(state State, roles []Role, now time.Time) []Option {
	if len(d.accepts(state)) > 0 {
		return nil
	}
	q := question{d, &state, now}
	var options []Option
	for _, event := range d.index.from[state.Workflow] {
		reasons := q.obstacles(event, roles)
		_, why := q.target(event)
		starts, unclear := q.starts(event)
		reasons = slices.Concat(reasons, why, unclear)
		options = append(options, Option{
			Event: event, Allowed: len(reasons) == 0, Reasons: reasons, Needs: q.needs(starts, nil),
		})
	}
	return options
}

// Input is what comes with an event.
type Input struct {
	// Roles that the person holds in the case's court.
	Roles []Role
	// Known is added before the conditions are asked.
	Known
	// Extensions, by deadline, of the deadlines that the event starts.
	Extensions map[string][]string
}

// Apply lets an event happen and returns the state after it and what the caller
// has to do. It changes nothing and depends on nothing but its arguments. The
// error is a *Refusal; the state is then the old one.
func (d *Document) Apply(state State, code string, input Input, now time.Time) (State, []Effect, error) {
	event := d.index.events[code]
	refuse := func(reasons ...Reason) (State, []Effect, error) {
		return state, nil, &Refusal{Event: code, Reasons: reasons}
	}
	if reasons := d.accepts(state); len(reasons) > 0 {
		return refuse(reasons...)
	}
	if event == nil {
		return refuse(Reason{Code: ReasonUnknownEvent, Subject: code})
	}
	if !slices.Contains(d.index.from[state.Workflow], event) {
		return refuse(Reason{Code: ReasonWrongState, Subject: code, Value: state.Workflow})
	}
	next := state.clone()
	reasons := d.learn(&next, input.Known)
	q := question{d, &next, now}
	starts, unclear := q.starts(event)
	reasons = append(reasons, d.learnEnds(&next, input.Ends, starts)...)
	reasons = append(reasons, q.obstacles(event, input.Roles)...)
	target, why := q.target(event)
	reasons = slices.Concat(reasons, why, unclear, q.needs(starts, input.Ends), d.badExtensions(starts, input.Extensions))
	if len(reasons) > 0 {
		return refuse(reasons...)
	}
	change := change{question: q, event: event, input: input, starts: starts}
	if reason := change.make(target); reason != nil {
		return refuse(*reason)
	}
	return next, change.effects, nil
}

// obstacles is everything that keeps an event of the right state from
// happening.
func (q question) obstacles(event *Event, roles []Role) (reasons []Reason) {
	today := DayAt(q.now, q.document.index.calendars[q.document.Calendar].zone)
	if event.Validity != nil && !event.Validity.Contains(today) {
		reasons = append(reasons, Reason{Code: ReasonNotInForce, Subject: event.Code, Law: event.Law})
	}
	if !slices.ContainsFunc(roles, func(role Role) bool { return slices.Contains(event.Roles, role) }) {
		reasons = append(reasons, Reason{Code: ReasonRole, Subject: event.Code, Law: event.Law})
	}
	if len(event.Documents) > 0 {
		_, why := q.documents(event.Documents, event.Law, false)
		reasons = append(reasons, why...)
	}
	for _, code := range q.document.index.before[event.Code] {
		if !q.settled(code) {
			reasons = append(reasons, Reason{Code: ReasonFeeUnpaid, Subject: code, Law: q.document.index.fees[code].Law})
		}
	}
	_, why := q.all(event.Guards, false)
	reasons = append(reasons, why...)
	for _, code := range event.Renews {
		for _, reason := range q.notRenewable(code) {
			if !slices.ContainsFunc(reasons, reason.same) { // a guard may have said it
				reasons = append(reasons, reason)
			}
		}
	}
	return reasons
}

func (q question) notRenewable(code string) []Reason {
	switch q.running(code) {
	case no:
		return []Reason{{Code: ReasonDeadlineNotRunning, Subject: code}}
	case unknown:
		return []Reason{{Code: ReasonDeadlineUnknown, Subject: code}}
	}
	deadline := q.document.index.deadlines[code]
	if _, fits := q.document.renew(deadline, q.state.Deadlines[code]); !fits {
		return []Reason{{Code: ReasonDeadlineAtCeiling, Subject: code, Law: deadline.Law}}
	}
	return nil
}

// target is the state that the event leads to now. A branch on which nobody
// knows the answer is not passed over: the case might go the wrong way.
func (q question) target(event *Event) (string, []Reason) {
	for _, branch := range event.Branches {
		switch answer, why := q.all(branch.When, false); answer {
		case yes:
			if branch.To == "*" {
				return q.state.Workflow, nil
			}
			return branch.To, nil
		case unknown:
			return "", why
		}
	}
	if event.To == "" {
		return q.state.Workflow, nil
	}
	return event.To, nil
}

// starts are the deadlines that an event starts now.
func (q question) starts(event *Event) (starts []Start, reasons []Reason) {
	for _, start := range event.Starts {
		switch answer, why := q.all(start.When, false); answer {
		case yes:
			starts = append(starts, start)
		case unknown:
			reasons = append(reasons, why...)
		}
	}
	return starts, reasons
}

// needs is what the input has to hold for the deadlines that an event starts.
func (q question) needs(starts []Start, ends map[string]Day) (reasons []Reason) {
	for _, start := range starts {
		if _, known := q.state.Facts[start.On]; start.On != "" && !known {
			reasons = append(reasons, Reason{Code: ReasonFactUnknown, Subject: start.On, Law: start.Law})
		}
		if _, given := ends[start.Deadline]; q.document.index.deadlines[start.Deadline].ByCourt && !given {
			reasons = append(reasons, Reason{Code: ReasonLastDayNeeded, Subject: start.Deadline, Law: start.Law})
		}
	}
	return reasons
}

// badExtensions finds extensions of deadlines that the event does not start, and
// those that a deadline does not have.
func (d *Document) badExtensions(starts []Start, extensions map[string][]string) (reasons []Reason) {
	for _, code := range sortedKeys(extensions) {
		if !slices.ContainsFunc(starts, func(s Start) bool { return s.Deadline == code }) {
			reasons = append(reasons, Reason{Code: ReasonUnknownDeadline, Subject: code})
		} else if reason := d.index.deadlines[code].refuses(extensions[code]); reason != nil {
			reasons = append(reasons, *reason)
		}
	}
	return reasons
}
