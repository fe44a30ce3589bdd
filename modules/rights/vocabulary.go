package rights

import (
	"fmt"
	"slices"
	"strings"
)

// word is a code of the table and what it means, for the docs.
type word struct{ code, meaning string }

// words are the codes of one column. Index 0 is the zero value's.
type words []word

var (
	roleWords = words{{}, {code: "anyone"}, {code: "registrar"}, {code: "clerk"}, {code: "judge"}, {code: "prosecutor"}, {code: "lawyer"},
		{code: "party"}, {code: "auditor"}, {code: "court-administrator"}, {code: "tenant-administrator"}, {code: "service"}}
	reachWords = words{{},
		{"own", "the role was given for the court that has the case"},
		{"tenant", "the role was given for the whole country's courts"},
		{"appeal", "the role was given for the court that hears the appeal in the case"},
		{"sent", "the role was given for the court that transferred the case"},
	}
	relationWords = words{{},
		{"none", "has nothing to do with the case"},
		{"assigned", "is a judge of the case"},
		{"registry", "is the clerk or registrar who handles the case"},
		{"party", "is a party to the case"},
		{"counsel", "represents a party in the case"},
		{"prosecution", "prosecutes in the case"},
		{"named", "is named by the court as one who may see the case although it is sealed"},
		{"excluded", "is kept out of the case, for a conflict of interest"},
		{"self", "the account is the person's own"},
	}
	sealingWords = words{{},
		{"public", "everybody who is signed in may see the bare facts"},
		{"parties", "the parties, their counsel, the prosecution and the court"},
		{"restricted", "as before, but the court's own people and the prosecution give a reason first, which is recorded"},
		{"sealed", "only those whom the court names"},
	}
	actionWords = words{{},
		{"case.list", "find the case in lists, counts and searches"},
		{"case.read", "open the case"},
		{"case.file", "file a new case"},
		{"case.register", "register a filed case"},
		{"case.event", "take a step of the procedure, as far as the procedure gives it to the role"},
		{"case.assign", "say who is judge, counsel or party of the case, and who is excluded"},
		{"case.name", "name who may see a sealed case"},
		{"case.seal", "seal a case or a document"},
		{"case.unseal", "open a sealed or restricted case or document"},
		{"case.transfer", "transfer the case to another court"},
		{"case.link", "join, sever or link cases, as on appeal"},
		{"case.hold", "keep the case from being deleted, or end that"},
		{"case.dispose", "delete the case when its time is over; a tombstone stays in the trace"},
		{"document.read", "read a document, redacted where a redacted version exists"},
		{"document.read-original", "read the unredacted original"},
		{"document.add", "add a document or a new version"},
		{"document.redact", "make a redacted version"},
		{"party.edit", "correct the parties' details"},
		{"party.read-identity", "learn who is behind a pseudonym"},
		{"party.protect", "put a minor or a witness under a pseudonym, or end that"},
		{"note.write", "write notes that only the judges of the case read"},
		{"evidence.add", "enter an exhibit"},
		{"evidence.handover", "sign for an exhibit that is handed over"},
		{"fee.record", "record a fee as paid or waived"},
		{"trace.read", "see which roles opened or changed the case, and when"},
		{"trace.read-names", "see the names in the trace, too"},
		{"trace.export", "take the trace away with its proof"},
		{"trace.verify", "check that the trace is unbroken"},
		{"person.administer", "create accounts, give and take roles, end sessions"},
		{"delegation.grant", "let one person stand in for another, until a date"},
		{"import.run", "import a register"},
		{"export.run", "start the export of everything, encrypted for who receives it"},
		{"feed.read", "receive the events that other modules are told"},
	}
	groupWords = words{{},
		{"bare", "number, court, type, state, stage, outcome and dates, without any name"},
		{"parties", "the parties' and counsel's names, under a pseudonym where there is one, and a title that names them"},
		{"identities", "who is behind the pseudonyms"},
		{"documents", "the documents and what describes them"},
		{"notes-of-the-judge", "the notes of the judges of the case"},
		{"evidence", "exhibits and their chain of custody"},
		{"fees", "fees due, paid and waived"},
		{"trace", "who did what with the case"},
	}
	needWords = words{{},
		{"reason", "a reason is given first, and recorded"},
		{"order", "a judge's order is cited"},
		{"unprotected", "nobody in the case is under protection"},
	}
)

// index finds a code's value; 0 when there is no such word.
func (w words) index(code string) int {
	if code == "" {
		return 0
	}
	return max(0, slices.IndexFunc(w, func(x word) bool { return x.code == code }))
}

func (w words) code(i int) string {
	if i <= 0 || i >= len(w) {
		return fmt.Sprintf("unknown(%d)", i)
	}
	return w[i].code
}

func (r Role) String() string       { return roleWords.code(int(r)) }
func (r reach) String() string      { return reachWords.code(int(r)) }
func (r Relation) String() string   { return relationWords.code(int(r)) }
func (s Sealing) String() string    { return sealingWords.code(int(s)) }
func (a Action) String() string     { return actionWords.code(int(a)) }
func (g FieldGroup) String() string { return groupWords.code(int(g)) }

func (n need) String() string {
	var codes []string
	for i := 1; i < len(needWords); i++ {
		if n&(1<<(i-1)) != 0 {
			codes = append(codes, needWords[i].code)
		}
	}
	return strings.Join(codes, " ")
}

func (s Sealing) valid() bool { return s > 0 && s < sealingEnd }

// granted says whether a grant can give the role.
func (r Role) granted() bool { return r > Anyone && r < Service }

// ParseRole finds a role that a grant can give; false for any other word.
func ParseRole(code string) (Role, bool) {
	r := Role(roleWords.index(code))
	return r, r.granted()
}

// ParseSealing finds a sealing level; false for any other word.
func ParseSealing(code string) (Sealing, bool) {
	s := Sealing(sealingWords.index(code))
	return s, s.valid()
}

// ParseRelation finds a relation that is stored; false for any other word.
func ParseRelation(code string) (Relation, bool) {
	r := Relation(relationWords.index(code))
	return r, r > None && r < Self
}
