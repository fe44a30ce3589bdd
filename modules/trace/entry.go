package trace

import (
	"encoding/json"
	"net/netip"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"ejustice.dev/operator/modules/kit"
	"ejustice.dev/operator/modules/trace/chain"
)

// Outcomes of an act.
const (
	Allowed = chain.Allowed
	Refused = chain.Refused
)

// Anonymous is the person of an act by somebody who is not signed in.
const Anonymous = "anonymous"

// Entry is what a module records of one act. Identifiers only: no names, no
// titles, nothing of a document.
type Entry struct {
	// Court whose record is concerned; it says in which chain the entry goes.
	// Empty for what belongs to no court.
	Court string
	// Person who acted: the UUID (sub); Anonymous; or service:<module>.
	Person string
	// Session is the sign-in (sid); empty for who is not signed in.
	Session string
	// Role used, and the court for which it was granted, empty for the whole
	// tenant.
	Role, RoleCourt string
	// For is the absent person on whose behalf a delegate acts.
	For string
	// From is the client's address as the module knows it; the zero address if
	// it does not.
	From netip.Addr
	// Action is a code such as case.read or document.download.
	Action string
	// Outcome is Allowed or Refused.
	Outcome string
	// ObjectKind is a code such as case, document or list. An entry of the kind
	// document with a detail sha256 vouches for the document's content: exports
	// are checked against it.
	ObjectKind string
	ObjectID   string
	// Case that is concerned; uuid.Nil if it is none or several.
	Case uuid.UUID
	// Reason that the person gave, at most 500 characters.
	Reason string
	// Details that must be known besides: a few short texts without personal
	// data.
	Details map[string]string
}

const (
	maxReason   = 500
	maxDetails  = 20
	maxDetail   = 200
	maxObjectID = 128
)

var (
	person  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$`)
	session = regexp.MustCompile(`^[A-Za-z0-9._:-]{0,128}$`)
	court   = regexp.MustCompile(`^([A-Z0-9][A-Z0-9-]{0,99})?$`)
	role    = regexp.MustCompile(`^([a-z][a-z0-9-]{0,63})?$`)
	action  = regexp.MustCompile(`^[a-z][a-z0-9.-]{0,63}$`)
	kind    = regexp.MustCompile(`^[a-z][a-z0-9-]{0,63}$`)
	detail  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9.-]{0,63}$`)
)

// Check returns every fault of the entry, or nil. The database checks the same
// once more.
func (e Entry) Check() error {
	var errs kit.FieldErrors
	match := func(field, value string, form *regexp.Regexp, message string) {
		if !form.MatchString(value) {
			errs.Add(field, "%s", message)
		}
	}
	match("court", e.Court, court, "must be the code of a court")
	match("person", e.Person, person, "must be an identifier")
	match("session", e.Session, session, "must be an identifier")
	match("role", e.Role, role, "must be the code of a role")
	match("roleCourt", e.RoleCourt, court, "must be the code of a court")
	match("for", e.For, session, "must be an identifier")
	match("action", e.Action, action, "must be a code such as case.read")
	match("objectKind", e.ObjectKind, kind, "must be a code such as document")
	if e.Outcome != Allowed && e.Outcome != Refused {
		errs.Add("outcome", "must be %s or %s", Allowed, Refused)
	}
	if len(e.ObjectID) > maxObjectID || !printable(e.ObjectID) {
		errs.Add("objectId", "must have at most %d bytes of printed characters", maxObjectID)
	}
	if utf8.RuneCountInString(e.Reason) > maxReason || !printable(e.Reason) {
		errs.Add("reason", "must have at most %d printed characters", maxReason)
	}
	e.checkDetails(&errs)
	return errs.Err()
}

func (e Entry) checkDetails(errs *kit.FieldErrors) {
	if len(e.Details) > maxDetails {
		errs.Add("details", "must have at most %d entries", maxDetails)
	}
	for key, value := range e.Details {
		switch {
		case !detail.MatchString(key):
			errs.Add("details", "must have names such as sha256")
		case len(value) > maxDetail || !printable(value):
			errs.Add("details."+key, "must have at most %d bytes of printed characters", maxDetail)
		}
	}
}

// printable says whether a text holds nothing that could be shown otherwise
// than it is. Lines may end.
func printable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsControl(r) && r != '\n'
	})
}

// MarshalJSON writes what the database's function reads.
func (e Entry) MarshalJSON() ([]byte, error) {
	inner := chain.Entry{
		Person: e.Person, Session: e.Session, Role: e.Role, RoleCourt: e.RoleCourt, For: e.For,
		Action: e.Action, Outcome: e.Outcome, ObjectKind: e.ObjectKind, ObjectID: e.ObjectID,
		Reason: e.Reason, Details: e.Details,
	}
	if e.From.IsValid() {
		inner.From = e.From.Unmap().WithZone("").String()
	}
	if e.Case != uuid.Nil {
		inner.Case = e.Case.String()
	}
	if inner.Details == nil {
		inner.Details = map[string]string{}
	}
	return json.Marshal(struct {
		Court string `json:"court"`
		chain.Entry
	}{e.Court, inner})
}
