package rights

// Record is what somebody wants to do something with.
type Record struct {
	// Case is the case's id, a UUID in lower case; reasons and orders are for it.
	Case string
	// Court is the code of the court that has the case; "" when the record
	// belongs to no court, as a whole register does.
	Court string
	// AppealCourt is the code of the court that hears the appeal, or "".
	AppealCourt string
	// FromCourt is the code of the court that transferred the case, or "".
	FromCourt string
	// Sealing is the level of the case, and for a document the stricter of its
	// own and its case's. For records that are no case: Public.
	Sealing Sealing
	// Protected says that somebody in the case is under protection.
	Protected bool
	// Relations are what the actor is to the case, and whoever the actor stands
	// in for, by person's id; LoadRelations does it. Where Case is
	// set, somebody who is missing here was not looked up, and might be excluded:
	// nothing is allowed to them. Somebody without a relation has an empty set.
	Relations map[string]RelationSet
	// Subject is the person whose account the record is, or "".
	Subject string
}

// Why says what a decision came from.
type Why uint8

// The reasons for a decision.
const (
	// NoRule: no line of the table allows it.
	NoRule Why = iota
	// AllowedByRule: a line allows it.
	AllowedByRule
	// NotKnown: who asks, what, or about what is not known.
	NotKnown
	// Refused: a line would allow it, and another one refuses.
	Refused
	// Incomplete: a line allows it once the reason or the order is there.
	Incomplete
)

var whyCodes = [...]string{"no-rule", "allowed", "not-known", "refused", "incomplete"}

// String is the reason's code, for the trace and for counting.
func (w Why) String() string { return whyCodes[w] }

// As says by which role something is allowed.
type As struct {
	Role Role
	// Court is the grant's: a code, or "" for the whole tenant.
	Court string
	// For is whom the actor stands in for, or "".
	For string
}

// Delegated says whether somebody acts for somebody else.
func (a As) Delegated() bool { return a.For != "" }

// Decision is the answer. The zero value is no.
type Decision struct {
	// Allowed says that it may be done now, in the role As.
	Allowed bool
	// Visible says whether the record may be admitted to exist. Where it is
	// false, answer exactly as for a record that does not exist.
	Visible bool
	// NeedsReason and NeedsOrder say that it would be allowed, in the role As,
	// if a reason were given or an order cited. Only for visible records.
	NeedsReason, NeedsOrder bool
	// NeedsStrongSignIn says that roles of the actor were left out because this
	// sign-in had no second factor, and that the rest does not allow it. It
	// depends on the actor alone, and says nothing of the record.
	NeedsStrongSignIn bool
	As                As
	// Why is for the trace, not for the actor.
	Why Why
}
