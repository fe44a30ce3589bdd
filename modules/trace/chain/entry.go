package chain

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
)

// Entry is what is recorded of one act: who did what to which record, in which
// role, from where and why. It holds identifiers, no names.
type Entry struct {
	// ID is given by the database: a random UUID (version 4). It also keeps an
	// entry's digest from being guessed where the entry itself is left out.
	ID string `json:"id"`
	// Person acted: the UUID of a person (sub), or another identifier without
	// personal data such as service:casemanagement.
	Person string `json:"person"`
	// Session is the sign-in (sid); empty for a service.
	Session string `json:"session"`
	// Role used, and the court for which it was granted; empty for the whole
	// tenant.
	Role      string `json:"role"`
	RoleCourt string `json:"roleCourt"`
	// For is the absent person on whose behalf a delegate acts; else empty.
	For string `json:"for"`
	// From is the client's address as the module knows it; empty if it does not.
	From string `json:"from"`
	// Action is a code such as case.read.
	Action string `json:"action"`
	// Outcome is Allowed or Refused.
	Outcome string `json:"outcome"`
	// ObjectKind is a code such as document, ObjectID says which one; empty for
	// a list.
	ObjectKind string `json:"objectKind"`
	ObjectID   string `json:"objectId"`
	// Case is the UUID of the case; empty if the act touches none or several.
	Case string `json:"case"`
	// Reason that the person gave; empty if none was asked for.
	Reason string `json:"reason"`
	// Details is whatever else must be known, without personal data.
	Details map[string]string `json:"details"`
}

// Outcomes of an act.
const (
	Allowed = "allowed"
	Refused = "refused"
)

// Hash is a SHA-256, written as 64 lower-case hexadecimal digits.
type Hash [sha256.Size]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText implements encoding.TextMarshaler.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hash) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(h)) {
		return errNotHash
	}
	if _, err := hex.Decode(h[:], text); err != nil {
		return errNotHash
	}
	return nil
}

// Digest is the SHA-256 of the entry alone. An export may hold it in the place
// of an entry that its reader may not see.
func (e Entry) Digest() Hash {
	return e.digest(make([]byte, 0, 1024))
}

func (e Entry) digest(room []byte) Hash {
	return sha256.Sum256(appendNet(room[:0], "ejustice-trace-entry-1",
		e.ID, e.Person, e.Session, e.Role, e.RoleCourt, e.For, e.From,
		e.Action, e.Outcome, e.ObjectKind, e.ObjectID, e.Case, e.Reason, encodeDetails(e.Details)))
}

// encodeDetails writes key, value, key, value, … in the order of the keys'
// bytes.
func encodeDetails(details map[string]string) string {
	if len(details) == 0 {
		return ""
	}
	var text []byte
	for _, key := range slices.Sorted(maps.Keys(details)) {
		text = appendNet(text, key, details[key])
	}
	return string(text)
}

// appendNet appends each text as a netstring: its length in bytes, a colon, the
// bytes, a comma (D. J. Bernstein, "Netstrings", 1997). What is written so can be
// read in one way only, because each length is known before its bytes; so two
// different lists of texts never give the same bytes.
func appendNet(to []byte, texts ...string) []byte {
	for _, text := range texts {
		to = strconv.AppendInt(to, int64(len(text)), 10)
		to = append(to, ':')
		to = append(to, text...)
		to = append(to, ',')
	}
	return to
}
