package rights

// Role is what a grant makes a person. The zero value is no role.
type Role uint8

// The roles. Anyone and Service are held without a grant: the first by every
// person who is signed in, the second by a program.
const (
	Anyone Role = iota + 1
	Registrar
	Clerk
	Judge
	Prosecutor
	Lawyer
	Party
	Auditor
	CourtAdministrator
	TenantAdministrator
	Service
	roleEnd
)

// reach is how a grant and a record's court meet.
type reach uint8

const (
	reachOwn    reach = iota + 1 // the grant is for the record's court
	reachTenant                  // the grant is for the whole tenant
	reachAppeal                  // the grant is for the court that hears the appeal
	reachSent                    // the grant is for the court that the case came from
	reachEnd
)

// Relation is what a person is to a case. The zero value is no relation.
type Relation uint8

// The relations. None and Self are never stored: the first is the lack of any
// other, the second is that the record is the actor's own account.
const (
	None Relation = iota + 1
	Assigned
	Registry
	PartyTo
	Counsel
	Prosecution
	Named
	Excluded
	Self
	relationEnd
)

// Sealing is who may know of a case or a document at all. The zero value is
// not a level: nobody may do anything with such a record.
type Sealing uint8

// The sealing levels, the most open first.
const (
	Public Sealing = iota + 1
	PartiesOnly
	Restricted
	Sealed
	sealingEnd
)

// Stricter returns the stricter of two levels: a document is sealed at least
// as its case is. It returns the zero value, which opens nothing, when one of
// them is not a level.
func Stricter(a, b Sealing) Sealing {
	if !a.valid() || !b.valid() {
		return 0
	}
	return max(a, b)
}

// Action is what somebody wants to do. The zero value is no action.
type Action uint8

// The actions.
const (
	CaseList Action = iota + 1
	CaseRead
	CaseFile
	CaseRegister
	CaseEvent
	CaseAssign
	CaseName
	CaseSeal
	CaseUnseal
	CaseTransfer
	CaseLink
	CaseHold
	CaseDispose
	DocumentRead
	DocumentReadOriginal
	DocumentAdd
	DocumentRedact
	PartyEdit
	PartyReadIdentity
	PartyProtect
	NoteWrite
	EvidenceAdd
	EvidenceHandover
	FeeRecord
	TraceRead
	TraceReadNames
	TraceExport
	TraceVerify
	PersonAdminister
	DelegationGrant
	ImportRun
	ExportRun
	FeedRead
	actionEnd
)

// FieldGroup is which part of a record. The zero value is none.
type FieldGroup uint8

// The field groups.
const (
	Bare FieldGroup = iota + 1
	Parties
	Identities
	Documents
	Notes
	Evidence
	Fees
	Trace
	groupEnd
)

// need is what must be there besides the right role, as a set of bits.
type need uint8

const (
	needReason need = 1 << iota
	needOrder
	needUnprotected
	needSets // how many sets of needs there are
)

// groupsOf says which parts of a record each action can be about. A question
// about any other pair is answered no, and a rule for one is refused.
var groupsOf = [actionEnd][]FieldGroup{
	CaseList: {Bare, Parties},
	CaseRead: {Bare, Parties, Documents, Notes, Evidence, Fees},
	CaseFile: {Bare}, CaseRegister: {Bare}, CaseEvent: {Bare}, CaseAssign: {Bare}, CaseName: {Bare},
	CaseSeal: {Bare, Documents}, CaseUnseal: {Bare, Documents},
	CaseTransfer: {Bare}, CaseLink: {Bare}, CaseHold: {Bare}, CaseDispose: {Bare},
	DocumentRead: {Documents}, DocumentReadOriginal: {Documents}, DocumentAdd: {Documents}, DocumentRedact: {Documents},
	PartyEdit: {Parties}, PartyReadIdentity: {Identities}, PartyProtect: {Identities},
	NoteWrite: {Notes}, EvidenceAdd: {Evidence}, EvidenceHandover: {Evidence}, FeeRecord: {Fees},
	TraceRead: {Trace}, TraceReadNames: {Trace}, TraceExport: {Trace}, TraceVerify: {Trace},
	PersonAdminister: {Bare}, DelegationGrant: {Bare}, ImportRun: {Bare}, ExportRun: {Bare}, FeedRead: {Bare},
}

// RelationSet is a set of relations. The zero value is empty.
type RelationSet uint16

// SetOf makes a set.
func SetOf(relations ...Relation) RelationSet {
	var set RelationSet
	for _, r := range relations {
		set |= 1 << r
	}
	return set
}

// Has says whether r is in the set.
func (s RelationSet) Has(r Relation) bool { return s&(1<<r) != 0 }

// allRelations holds every relation, None and Self included.
const allRelations = RelationSet(1<<relationEnd - 2)
