package procedure

import "strings"

// ReasonCode says why an event cannot happen. A page translates the code and
// looks the subject's name up in the document.
type ReasonCode string

const (
	// The state is none of this document's.
	ReasonWrongVersion ReasonCode = "wrong-version"
	ReasonForeignState ReasonCode = "foreign-state" // subject: the code, value: its list

	// The event. Subject: the event.
	ReasonUnknownEvent ReasonCode = "unknown-event"
	ReasonWrongState   ReasonCode = "wrong-state"
	ReasonNotInForce   ReasonCode = "not-in-force"
	ReasonRole         ReasonCode = "role-not-allowed"

	// Conditions. Each has an opposite, for conditions with "not".
	ReasonFeeUnpaid           ReasonCode = "fee-unpaid"
	ReasonFeePaid             ReasonCode = "fee-paid"
	ReasonDocumentMissing     ReasonCode = "document-missing"
	ReasonDocumentPresent     ReasonCode = "document-present"
	ReasonDeadlineNotPassed   ReasonCode = "deadline-not-passed"
	ReasonDeadlinePassed      ReasonCode = "deadline-passed"
	ReasonDeadlineNotRunning  ReasonCode = "deadline-not-running"
	ReasonDeadlineRunning     ReasonCode = "deadline-running"
	ReasonDeadlineUnknown     ReasonCode = "deadline-unknown" // nobody entered its last day
	ReasonDeadlineAtCeiling   ReasonCode = "deadline-at-ceiling"
	ReasonCounterAtCeiling    ReasonCode = "counter-at-ceiling"
	ReasonCounterBelowCeiling ReasonCode = "counter-below-ceiling"
	ReasonFactNotSet          ReasonCode = "fact-not-set"
	ReasonFactSet             ReasonCode = "fact-set"
	ReasonFactDiffers         ReasonCode = "fact-differs"
	ReasonFactEquals          ReasonCode = "fact-equals"
	ReasonFactTooHigh         ReasonCode = "fact-too-high"
	ReasonFactTooLow          ReasonCode = "fact-too-low"
	ReasonFactUnknown         ReasonCode = "fact-unknown"
	ReasonFactKnown           ReasonCode = "fact-known"
	ReasonStageDiffers        ReasonCode = "stage-differs"
	ReasonStageEquals         ReasonCode = "stage-equals"
	ReasonOutcomeDiffers      ReasonCode = "outcome-differs"
	ReasonOutcomeEquals       ReasonCode = "outcome-equals"
	ReasonAnyOf               ReasonCode = "any-of" // one of the reasons in AnyOf has to go

	// The input.
	ReasonUnknownFact       ReasonCode = "unknown-fact"
	ReasonBadFact           ReasonCode = "bad-fact"
	ReasonUnknownDocument   ReasonCode = "unknown-document"
	ReasonUnknownFee        ReasonCode = "unknown-fee"
	ReasonBadFeeStatus      ReasonCode = "bad-fee-status"
	ReasonFeeNotDeferrable  ReasonCode = "fee-not-deferrable"
	ReasonUnknownDeadline   ReasonCode = "unknown-deadline"
	ReasonUnknownExtension  ReasonCode = "unknown-extension"
	ReasonLastDayNeeded     ReasonCode = "last-day-needed"
	ReasonLastDayByLaw      ReasonCode = "last-day-by-law"
	ReasonLastDayOutOfRange ReasonCode = "last-day-out-of-range"
)

// ReasonCodes are all codes, so that a page can make sure of its translations.
var ReasonCodes = []ReasonCode{
	ReasonWrongVersion, ReasonForeignState, ReasonUnknownEvent, ReasonWrongState, ReasonNotInForce, ReasonRole,
	ReasonFeeUnpaid, ReasonFeePaid, ReasonDocumentMissing, ReasonDocumentPresent, ReasonDeadlineNotPassed,
	ReasonDeadlinePassed, ReasonDeadlineNotRunning, ReasonDeadlineRunning, ReasonDeadlineUnknown,
	ReasonDeadlineAtCeiling, ReasonCounterAtCeiling, ReasonCounterBelowCeiling, ReasonFactNotSet, ReasonFactSet,
	ReasonFactDiffers, ReasonFactEquals, ReasonFactTooHigh, ReasonFactTooLow, ReasonFactUnknown, ReasonFactKnown,
	ReasonStageDiffers, ReasonStageEquals, ReasonOutcomeDiffers, ReasonOutcomeEquals, ReasonAnyOf,
	ReasonUnknownFact, ReasonBadFact, ReasonUnknownDocument, ReasonUnknownFee, ReasonBadFeeStatus,
	ReasonFeeNotDeferrable, ReasonUnknownDeadline, ReasonUnknownExtension, ReasonLastDayNeeded, ReasonLastDayByLaw,
	ReasonLastDayOutOfRange,
}

// List is the list of the document in which a reason's subject has its name, or
// "" when the subject is in none.
func (c ReasonCode) List() string {
	switch c {
	case ReasonWrongState, ReasonNotInForce, ReasonRole:
		return "events"
	case ReasonForeignState:
		return ""
	}
	kind, _, _ := strings.Cut(string(c), "-")
	return map[string]string{
		"fee": "fees", "document": "documents", "deadline": "deadlines", "last": "deadlines",
		"counter": "counters", "fact": "facts", "stage": "stages", "outcome": "outcomes",
	}[kind]
}

// Reason is one reason. Subject is a code of the document, never something
// personal.
type Reason struct {
	Code    ReasonCode `json:"code"`
	Subject string     `json:"subject,omitempty"`
	Value   string     `json:"value,omitempty"`
	Law     string     `json:"law,omitempty"`
	AnyOf   []Reason   `json:"anyOf,omitempty"`
}

func (r Reason) same(other Reason) bool { return r.Code == other.Code && r.Subject == other.Subject }

// Refusal is the error of an event that cannot happen now, with every reason.
type Refusal struct {
	Event   string
	Reasons []Reason
}

func (r *Refusal) Error() string {
	var b strings.Builder
	b.WriteString("refused")
	if r.Event != "" {
		b.WriteString(" " + r.Event)
	}
	for i, reason := range r.Reasons {
		separator := ", "
		if i == 0 {
			separator = ": "
		}
		b.WriteString(separator + string(reason.Code) + " " + reason.Subject)
	}
	return b.String()
}
