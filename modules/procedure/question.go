package procedure

import (
	"math/big"
	"slices"
	"strconv"
	"time"
)

// verdict is the answer to a condition. What nobody knows is neither yes nor
// no, so that "not" does not turn ignorance into permission.
type verdict int

const (
	no verdict = iota
	unknown
	yes
)

func verdictOf(holds bool) verdict {
	if holds {
		return yes
	}
	return no
}

func (v verdict) not() verdict { return yes - v }

// question is a case at one moment, about which conditions ask.
type question struct {
	document *Document
	state    *State
	now      time.Time
}

// all is the verdict on conditions that must all hold, with what is in the way.
func (q question) all(conditions []Condition, negated bool) (verdict, []Reason) {
	result, reasons := yes, []Reason(nil)
	for i := range conditions {
		one, why := q.ask(&conditions[i], negated)
		result, reasons = min(result, one), append(reasons, why...)
	}
	return result, reasons
}

// any is the verdict on conditions of which one must hold.
func (q question) any(conditions []Condition, negated bool) (verdict, []Reason) {
	result, reasons := no, []Reason(nil)
	for i := range conditions {
		one, why := q.ask(&conditions[i], negated)
		result, reasons = max(result, one), append(reasons, why...)
	}
	if result == yes {
		return yes, nil
	}
	return result, []Reason{{Code: ReasonAnyOf, AnyOf: reasons}}
}

// ask answers one condition, or its opposite when negated.
func (q question) ask(c *Condition, negated bool) (verdict, []Reason) {
	switch {
	case c.Not != nil:
		return q.ask(c.Not, !negated)
	case c.All != nil && negated, c.Any != nil && !negated:
		return q.any(append(slices.Clip(c.All), c.Any...), negated)
	case c.All != nil, c.Any != nil:
		return q.all(append(slices.Clip(c.All), c.Any...), negated)
	case c.DocumentsPresent != nil:
		return q.documents(c.DocumentsPresent, c.Law, negated)
	}
	answer, when, reason := q.single(c)
	reason.Law = c.Law
	if negated {
		answer, reason.Code = answer.not(), when.yes
	} else {
		reason.Code = when.no
	}
	switch answer {
	case yes:
		return yes, nil
	case unknown:
		reason.Code = when.unknown
	}
	return answer, []Reason{reason}
}

// codes are the reasons that go with an answer.
type codes struct{ no, yes, unknown ReasonCode }

func (q question) single(c *Condition) (verdict, codes, Reason) {
	switch {
	case c.FeePaid != "":
		return verdictOf(q.settled(c.FeePaid)), codes{ReasonFeeUnpaid, ReasonFeePaid, ""}, Reason{Subject: c.FeePaid}
	case c.DeadlinePassed != "":
		answer := no
		if term, started := q.state.Deadlines[c.DeadlinePassed]; started {
			answer = term.passed(q.now)
		}
		return answer, codes{ReasonDeadlineNotPassed, ReasonDeadlinePassed, ReasonDeadlineUnknown}, Reason{Subject: c.DeadlinePassed}
	case c.DeadlineRunning != "":
		return q.running(c.DeadlineRunning), codes{ReasonDeadlineNotRunning, ReasonDeadlineRunning, ReasonDeadlineUnknown}, Reason{Subject: c.DeadlineRunning}
	case c.CounterBelow != nil:
		answer := verdictOf(q.state.Counters[c.CounterBelow.Counter] < c.CounterBelow.Ceiling)
		return answer, codes{ReasonCounterAtCeiling, ReasonCounterBelowCeiling, ""}, Reason{Subject: c.CounterBelow.Counter, Value: strconv.Itoa(c.CounterBelow.Ceiling)}
	case c.Fact != "":
		return verdictOf(q.state.Facts[c.Fact] == "true"), codes{ReasonFactNotSet, ReasonFactSet, ""}, Reason{Subject: c.Fact}
	case c.FactKnown != "":
		_, known := q.state.Facts[c.FactKnown]
		return verdictOf(known), codes{ReasonFactUnknown, ReasonFactKnown, ""}, Reason{Subject: c.FactKnown}
	case c.FactIs != nil:
		value, known := q.state.Facts[c.FactIs.Fact]
		answer := verdictOf(value == c.FactIs.Value)
		if !known {
			answer = unknown
		}
		return answer, codes{ReasonFactDiffers, ReasonFactEquals, ReasonFactUnknown}, Reason{Subject: c.FactIs.Fact, Value: c.FactIs.Value}
	case c.FactAtMost != nil:
		return q.atMost(c.FactAtMost), codes{ReasonFactTooHigh, ReasonFactTooLow, ReasonFactUnknown}, Reason{Subject: c.FactAtMost.Fact, Value: c.FactAtMost.Parameter}
	}
	if c.Outcome != "" {
		return verdictOf(q.state.Outcome == c.Outcome), codes{ReasonOutcomeDiffers, ReasonOutcomeEquals, ""}, Reason{Subject: c.Outcome}
	}
	return verdictOf(q.state.Stage == c.Stage), codes{ReasonStageDiffers, ReasonStageEquals, ""}, Reason{Subject: c.Stage}
}

func (q question) running(code string) verdict {
	term, started := q.state.Deadlines[code]
	if !started {
		return no
	}
	return term.running(q.now)
}

// settled says whether a fee stands in nobody's way.
func (q question) settled(code string) bool {
	switch q.state.Fees[code] {
	case FeePaid, FeeWaived:
		return true
	case FeeDeferred:
		return q.document.index.fees[code].Deferrable
	}
	return false
}

func (q question) atMost(c *FactAtMost) verdict {
	value, known := new(big.Rat).SetString(q.state.Facts[c.Fact])
	limit, right := new(big.Rat).SetString(q.document.index.parameters[c.Parameter].Value)
	if !known || !right {
		return unknown
	}
	return verdictOf(value.Cmp(limit) <= 0)
}

// documents asks for all of several documents and names each that is in the way.
func (q question) documents(wanted []string, law string, negated bool) (verdict, []Reason) {
	var missing, present []Reason
	for _, code := range wanted {
		if _, found := slices.BinarySearch(q.state.Documents, code); found {
			present = append(present, Reason{Code: ReasonDocumentPresent, Subject: code, Law: law})
		} else {
			missing = append(missing, Reason{Code: ReasonDocumentMissing, Subject: code, Law: law})
		}
	}
	if negated == (len(missing) > 0) {
		return yes, nil
	}
	if negated {
		return no, present
	}
	return no, missing
}
