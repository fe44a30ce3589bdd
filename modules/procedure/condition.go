package procedure

// Condition asks something about a case. It holds exactly one question.
type Condition struct {
	Rule
	// The fee was paid, waived or lawfully deferred.
	FeePaid string `json:"feePaid,omitempty" rule:"code" ref:"fees"`
	// These documents are there.
	DocumentsPresent []string `json:"documentsPresent,omitempty" rule:"code,min=1,max=50" ref:"documents"`
	// The deadline was started and has passed unmet.
	DeadlinePassed string `json:"deadlinePassed,omitempty" rule:"code" ref:"deadlines"`
	// The deadline was started and has not passed.
	DeadlineRunning string `json:"deadlineRunning,omitempty" rule:"code" ref:"deadlines"`
	// A counter is below a ceiling.
	CounterBelow *CounterBelow `json:"counterBelow,omitempty"`
	// The flag is set.
	Fact string `json:"fact,omitempty" rule:"code" ref:"facts"`
	// The fact is known, whatever it is.
	FactKnown string `json:"factKnown,omitempty" rule:"code" ref:"facts"`
	// A text has a certain value.
	FactIs *FactIs `json:"factIs,omitempty"`
	// A number is not above a limit.
	FactAtMost *FactAtMost `json:"factAtMost,omitempty"`
	// The case is in this stage.
	Stage string `json:"stage,omitempty" rule:"code" ref:"stages"`
	// The case has this outcome.
	Outcome string `json:"outcome,omitempty" rule:"code" ref:"outcomes"`
	// At least one of these holds.
	Any []Condition `json:"any,omitempty" rule:"min=1,max=20"`
	// All of these hold.
	All []Condition `json:"all,omitempty" rule:"min=1,max=20"`
	// This does not hold.
	Not *Condition `json:"not,omitempty"`
}

func (Condition) exactlyOne() []string {
	return []string{"feePaid", "documentsPresent", "deadlinePassed", "deadlineRunning", "counterBelow", "fact", "factKnown", "factIs", "factAtMost", "stage", "outcome", "any", "all", "not"}
}

// CounterBelow compares a counter.
type CounterBelow struct {
	// The counter.
	Counter string `json:"counter" rule:"required,code" ref:"counters"`
	// The count at which the condition stops holding.
	Ceiling int `json:"ceiling" rule:"required,min=1,max=1000"`
}

// FactIs compares a text.
type FactIs struct {
	// The fact.
	Fact string `json:"fact" rule:"required,code" ref:"facts"`
	// The value.
	Value string `json:"value" rule:"required,text"`
}

// FactAtMost compares a number with a parameter.
type FactAtMost struct {
	// The fact.
	Fact string `json:"fact" rule:"required,code" ref:"facts"`
	// The parameter that is the limit.
	Parameter string `json:"parameter" rule:"required,code" ref:"parameters"`
}
