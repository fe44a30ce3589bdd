package procedure

import (
	"maps"
	"slices"
	"time"
)

// State is where a case stands. It is plain data: the caller stores it with the
// case and gives it back. Workflow state, stage and outcome are independent.
type State struct {
	Procedure string               `json:"procedure"`
	Version   string               `json:"version"`
	Workflow  string               `json:"workflow"`
	Stage     string               `json:"stage,omitempty"`
	Outcome   string               `json:"outcome,omitempty"`
	Counters  map[string]int       `json:"counters,omitempty"`
	Facts     map[string]string    `json:"facts,omitempty"`
	Documents []string             `json:"documents,omitempty"` // sorted
	Fees      map[string]FeeStatus `json:"fees,omitempty"`
	Deadlines map[string]Term      `json:"deadlines,omitempty"`
}

// FeeStatus is what has become of a fee.
type FeeStatus string

const (
	FeeDue      FeeStatus = "due"
	FeePaid     FeeStatus = "paid"
	FeeWaived   FeeStatus = "waived"
	FeeDeferred FeeStatus = "deferred"
)

// Known is what the court's record says of a case. It comes from the record and
// never straight from a person's form: conditions trust it.
type Known struct {
	// Facts by code, written as their kind says. "" takes a fact back.
	Facts map[string]string `json:"facts,omitempty"`
	// Documents that have come in.
	Documents []string `json:"documents,omitempty"`
	// Fees that were paid, waived or deferred.
	Fees map[string]FeeStatus `json:"fees,omitempty"`
	// Ends are the last days of deadlines that the court fixes, or whose length
	// is a gap in the document.
	Ends map[string]Day `json:"ends,omitempty"`
}

// Begin is the state of a new case.
func (d *Document) Begin() State {
	state := State{Procedure: d.ID, Version: d.Version}
	for _, one := range d.States {
		if one.Initial {
			state.Workflow = one.Code
		}
	}
	return state
}

// Learn adds what became known outside an event, for example that a fee was
// paid. The error is a *Refusal.
func (d *Document) Learn(state State, known Known) (State, error) {
	if reasons := d.accepts(state); len(reasons) > 0 {
		return state, &Refusal{Reasons: reasons}
	}
	next := state.clone()
	reasons := append(d.learn(&next, known), d.learnEnds(&next, known.Ends, nil)...)
	if len(reasons) > 0 {
		return state, &Refusal{Reasons: reasons}
	}
	return next, nil
}

func (s State) clone() State {
	s.Counters, s.Facts = maps.Clone(s.Counters), maps.Clone(s.Facts)
	s.Fees, s.Deadlines = maps.Clone(s.Fees), maps.Clone(s.Deadlines)
	s.Documents = slices.Clone(s.Documents)
	return s
}

// accepts says why a state is none of this document's.
func (d *Document) accepts(state State) (reasons []Reason) {
	if state.Procedure != d.ID || state.Version != d.Version {
		return []Reason{{Code: ReasonWrongVersion, Subject: state.Procedure, Value: state.Version}}
	}
	unknown := func(list, code string) {
		if code != "" && !d.index.has(list, code) {
			reasons = append(reasons, Reason{Code: ReasonForeignState, Subject: code, Value: list})
		}
	}
	if state.Workflow == "" {
		reasons = append(reasons, Reason{Code: ReasonForeignState, Value: "states"})
	}
	unknown("states", state.Workflow)
	unknown("stages", state.Stage)
	unknown("outcomes", state.Outcome)
	for _, code := range sortedKeys(state.Counters) {
		unknown("counters", code)
	}
	for _, code := range sortedKeys(state.Facts) {
		unknown("facts", code)
	}
	for _, code := range state.Documents {
		unknown("documents", code)
	}
	for _, code := range sortedKeys(state.Fees) {
		unknown("fees", code)
	}
	for _, code := range sortedKeys(state.Deadlines) {
		unknown("deadlines", code)
	}
	return reasons
}

// learn adds facts, documents and fees to a state.
func (d *Document) learn(state *State, known Known) (reasons []Reason) {
	refuse := func(code ReasonCode, subject string) {
		reasons = append(reasons, Reason{Code: code, Subject: subject})
	}
	for _, code := range sortedKeys(known.Facts) {
		switch fact, value := d.index.facts[code], known.Facts[code]; {
		case fact == nil:
			refuse(ReasonUnknownFact, code)
		case value == "":
			delete(state.Facts, code)
		case !fact.Kind.accepts(value):
			refuse(ReasonBadFact, code)
		default:
			state.Facts = with(state.Facts, code, value)
		}
	}
	for _, code := range known.Documents {
		if !d.index.has("documents", code) {
			refuse(ReasonUnknownDocument, code)
		} else if at, found := slices.BinarySearch(state.Documents, code); !found {
			state.Documents = slices.Insert(state.Documents, at, code)
		}
	}
	for _, code := range sortedKeys(known.Fees) {
		switch fee, status := d.index.fees[code], known.Fees[code]; {
		case fee == nil:
			refuse(ReasonUnknownFee, code)
		case status == FeeDeferred && !fee.Deferrable:
			refuse(ReasonFeeNotDeferrable, code)
		case status != FeeDue && status != FeePaid && status != FeeWaived && status != FeeDeferred:
			refuse(ReasonBadFeeStatus, code)
		default:
			state.Fees = with(state.Fees, code, status)
		}
	}
	return reasons
}

// learnEnds fixes last days, save those of deadlines that are about to start.
func (d *Document) learnEnds(state *State, ends map[string]Day, starting []Start) (reasons []Reason) {
	for _, code := range sortedKeys(ends) {
		if slices.ContainsFunc(starting, func(s Start) bool { return s.Deadline == code }) {
			continue
		}
		if reason := d.fixEnd(state, code, ends[code]); reason != "" {
			reasons = append(reasons, Reason{Code: reason, Subject: code})
		}
	}
	return reasons
}

// fixEnd sets the last day of a deadline that has no length of its own.
func (d *Document) fixEnd(state *State, code string, last Day) ReasonCode {
	deadline, started := d.index.deadlines[code], false
	var term Term
	if deadline == nil {
		return ReasonUnknownDeadline
	}
	if term, started = state.Deadlines[code]; !started || term.Ended != nil {
		return ReasonDeadlineNotRunning
	}
	if deadline.Length != nil {
		return ReasonLastDayByLaw
	}
	term, fits := deadline.end(term, d.calendarOf(deadline), last)
	if !fits || last < term.First {
		return ReasonLastDayOutOfRange
	}
	state.Deadlines = with(state.Deadlines, code, term)
	return ""
}

// with sets an entry of a map that may not exist yet.
func with[V any](m map[string]V, key string, value V) map[string]V {
	if m == nil {
		m = map[string]V{}
	}
	m[key] = value
	return m
}

// accepts says whether a fact is written as its kind wants.
func (k FactKind) accepts(value string) bool {
	switch k {
	case Flag:
		return value == "true" || value == "false"
	case Amount:
		return badWording(value, "decimal") == ""
	case Date:
		day, err := ParseDay(value)
		return err == nil && day >= earliestDay && day <= latestDay
	case Instant:
		at, err := time.Parse(time.RFC3339Nano, value)
		return err == nil && at.Year() >= 2 && at.Year() < 9999
	}
	return badWording(value, "text") == ""
}
