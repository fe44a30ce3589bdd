package procedure

// Channel is a way of serving documents.
type Channel struct {
	Rule
	Named
	// When the channel may be used.
	Validity *Validity `json:"validity,omitempty"`
	// The statuses that a service by this channel goes through.
	Statuses []ServiceStatus `json:"statuses" rule:"required,min=1,max=20"`
}

// ServiceStatus is a status of a service.
type ServiceStatus struct {
	Rule
	Named
	// What the status comes to.
	Means ServiceMeaning `json:"means" rule:"required"`
}

// Fee is a court fee.
type Fee struct {
	Rule
	Named
	// Amount, in quotes. A gap stands for an amount that is not known.
	Amount string `json:"amount,omitempty" rule:"decimal"`
	// Currency of the amount.
	Currency string `json:"currency" rule:"required,currency"`
	// The event that has to wait for the fee.
	Before string `json:"before,omitempty" rule:"code" ref:"events"`
	// Whether the court may let the fee be paid later.
	Deferrable bool `json:"deferrable,omitempty"`
}

func (Fee) atLeastOne() []string { return []string{"amount", "gap"} }

// Length is a length of time.
type Length struct {
	// How many.
	Count int `json:"count" rule:"required,min=1,max=1000"`
	// Of what.
	Unit Unit `json:"unit" rule:"required"`
}

// Deadline is a time limit, a waiting period or a custody clock.
type Deadline struct {
	Rule
	Named
	// How long it is.
	Length *Length `json:"length,omitempty"`
	// Set when the court fixes the last day in each case.
	ByCourt bool `json:"byCourt,omitempty"`
	// Which days count. Not for hours.
	Counting Counting `json:"counting,omitempty"`
	// What happens when the last day is no court day. Not for hours.
	LastDay LastDay `json:"lastDay,omitempty"`
	// The calendar, when it is not the document's.
	Calendar string `json:"calendar,omitempty" rule:"code" ref:"calendars"`
	// Set for a period that must have run before something may happen. It has
	// passed when its last day begins, and not when that day ends.
	Waiting bool `json:"waiting,omitempty"`
	// Set for a custody clock. No closed day makes it longer.
	Custody bool `json:"custody,omitempty"`
	// By how much one renewal makes it longer.
	Renewal *Length `json:"renewal,omitempty"`
	// The longest that it may become, from its start.
	Ceiling *Length `json:"ceiling,omitempty"`
	// Longer times for distance or abroad.
	Extensions []Extension `json:"extensions,omitempty" rule:"max=20"`
	// Who has to act in time.
	Responsible Role `json:"responsible,omitempty" ref:"roles"`
}

func (Deadline) atLeastOne() []string { return []string{"length", "byCourt", "gap"} }

// Extension makes a deadline longer, for example for distance.
type Extension struct {
	Rule
	Named
	// What is added to the deadline.
	Add *Length `json:"add,omitempty"`
	// What stands in place of the deadline's length.
	Instead *Length `json:"instead,omitempty"`
}

func (Extension) exactlyOne() []string { return []string{"add", "instead"} }

// WorkflowState is a state of the workflow.
type WorkflowState struct {
	Rule
	Named
	// What the public reads. Without it the public is told nothing.
	Public Names `json:"public,omitempty"`
	// Set for the state in which every case begins.
	Initial bool `json:"initial,omitempty"`
	// Set for a state that no event leaves.
	Final bool `json:"final,omitempty"`
}

// Event moves a case.
type Event struct {
	Rule
	Named
	// When the event may happen at all.
	Validity *Validity `json:"validity,omitempty"`
	// The states in which it may happen.
	From []string `json:"from" rule:"required,from,min=1,max=300" ref:"states"`
	// The roles that may trigger it.
	Roles []Role `json:"roles" rule:"required,max=20" ref:"roles"`
	// Conditions, which all must hold.
	Guards []Condition `json:"guards,omitempty" rule:"max=50"`
	// Documents that must be there.
	Documents []string `json:"documents,omitempty" rule:"code,max=50" ref:"documents"`
	// Other states that it can lead to. The first whose conditions hold counts.
	Branches []Branch `json:"branches,omitempty" rule:"max=50"`
	// The state that it leads to. Without it the state stays.
	To string `json:"to,omitempty" rule:"code" ref:"states"`
	// The stage that it opens.
	Stage string `json:"stage,omitempty" rule:"code" ref:"stages"`
	// The outcome that it brings.
	Outcome string `json:"outcome,omitempty" rule:"code" ref:"outcomes"`
	// Deadlines that it starts.
	Starts []Start `json:"starts,omitempty" rule:"max=50"`
	// Deadlines that it ends.
	Ends []string `json:"ends,omitempty" rule:"code,max=50" ref:"deadlines"`
	// Running deadlines that it renews.
	Renews []string `json:"renews,omitempty" rule:"code,max=50" ref:"deadlines"`
	// Counters that it changes.
	Counts []Count `json:"counts,omitempty" rule:"max=50"`
	// Fees that it makes due.
	Fees []string `json:"fees,omitempty" rule:"code,max=50" ref:"fees"`
	// The number that the case gets.
	Number *NewNumber `json:"number,omitempty"`
	// Who is told.
	Notice *Notice `json:"notice,omitempty"`
}

// Branch is one of several states that an event can lead to.
type Branch struct {
	// Conditions, which all must hold.
	When []Condition `json:"when" rule:"required,min=1,max=50"`
	// The state, or "*" to stay.
	To string `json:"to" rule:"required,from" ref:"states"`
}

// Start starts a deadline.
type Start struct {
	Rule
	// The deadline.
	Deadline string `json:"deadline" rule:"required,code" ref:"deadlines"`
	// The date or instant it starts from. Without it, the event itself.
	On string `json:"on,omitempty" rule:"code" ref:"facts"`
	// Conditions, which all must hold. Otherwise it does not start.
	When []Condition `json:"when,omitempty" rule:"max=50"`
}

// Count changes a counter.
type Count struct {
	// The counter.
	Counter string `json:"counter" rule:"required,code" ref:"counters"`
	// How much is added.
	Add int `json:"add,omitempty" rule:"min=1,max=1000"`
	// Set to begin again at 0.
	Reset bool `json:"reset,omitempty"`
}

func (Count) exactlyOne() []string { return []string{"add", "reset"} }

// NewNumber gives the case a number.
type NewNumber struct {
	Rule
	// The number format.
	Format string `json:"format" rule:"required,code" ref:"numbers"`
	// Set when it takes the place of the old number, which stays linked.
	Replaces bool `json:"replaces,omitempty"`
}

// Notice tells people about an event.
type Notice struct {
	Rule
	// Who is told.
	To []Role `json:"to" rule:"required,min=1,max=20" ref:"roles"`
	// Set when nobody is told (ex parte).
	Withheld bool `json:"withheld,omitempty"`
	// Conditions under which, if all hold, nobody is told (ex parte).
	WithheldWhen []Condition `json:"withheldWhen,omitempty" rule:"max=50"`
}

// Transition brings cases of an older version over. What it does not mention
// has no mapping, and such a case stays where it is. "none" drops a code.
type Transition struct {
	Rule
	// The older version.
	From string `json:"from" rule:"required,version"`
	// Lists in which a code that both versions have means the same in both.
	Keep []List `json:"keep,omitempty" rule:"max=10"`
	// Old code to new code.
	States map[string]string `json:"states,omitempty" rule:"code" ref:"states"`
	// Old code to new code.
	Stages map[string]string `json:"stages,omitempty" rule:"code" ref:"stages"`
	// Old code to new code.
	Outcomes map[string]string `json:"outcomes,omitempty" rule:"code" ref:"outcomes"`
	// Old code to new code. A running deadline keeps its dates.
	Deadlines map[string]string `json:"deadlines,omitempty" rule:"code" ref:"deadlines"`
	// Old code to new code.
	Counters map[string]string `json:"counters,omitempty" rule:"code" ref:"counters"`
	// Old code to new code.
	Facts map[string]string `json:"facts,omitempty" rule:"code" ref:"facts"`
	// Old code to new code.
	Fees map[string]string `json:"fees,omitempty" rule:"code" ref:"fees"`
	// Old code to new code.
	Documents map[string]string `json:"documents,omitempty" rule:"code" ref:"documents"`
}
