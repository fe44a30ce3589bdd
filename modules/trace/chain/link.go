package chain

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"time"
)

var (
	errNotHash = errors.New("must be 64 hexadecimal digits")
	errNotTime = errors.New("must be a time such as 2026-11-25T08:15:30.000001Z")
	errNotLink = errors.New("must have either an entry with details or a digest")
)

// ID names a chain: one of the shards of a court. The court without a code is
// the tenant itself, for what belongs to no court.
type ID struct {
	Court string `json:"court"`
	Shard int    `json:"shard"`
}

func (id ID) String() string {
	if id.Court == "" {
		return fmt.Sprintf("tenant, chain %d", id.Shard)
	}
	return fmt.Sprintf("court %s, chain %d", id.Court, id.Shard)
}

// Compare orders chains by the bytes of the court's code and then by shard.
func (id ID) Compare(other ID) int {
	return cmp.Or(cmp.Compare(id.Court, other.Court), cmp.Compare(id.Shard, other.Shard))
}

// Time is a moment in UTC with microseconds, as the database's clock told it. It
// has one written form only.
type Time struct{ time.Time }

const timeLayout = "2006-01-02T15:04:05.000000Z"

func (t Time) String() string { return t.UTC().Format(timeLayout) }

// MarshalText implements encoding.TextMarshaler.
func (t Time) MarshalText() ([]byte, error) { return t.UTC().AppendFormat(nil, timeLayout), nil }

// MarshalJSON implements json.Marshaler, in the place of time.Time's.
func (t Time) MarshalJSON() ([]byte, error) {
	return t.UTC().AppendFormat(nil, `"`+timeLayout+`"`), nil
}

// UnmarshalJSON implements json.Unmarshaler, in the place of time.Time's.
func (t *Time) UnmarshalJSON(text []byte) error {
	at, err := time.Parse(`"`+timeLayout+`"`, string(text))
	if err != nil || at.Format(`"`+timeLayout+`"`) != string(text) {
		return errNotTime
	}
	t.Time = at
	return nil
}

// Link is one entry in its chain.
type Link struct {
	ID
	// Seq is 1 for the first of a chain and has no gaps.
	Seq int64 `json:"seq"`
	At  Time  `json:"at"`
	// Entry is nil where an export leaves it out. Then Digest has its place.
	Entry  *Entry `json:"entry,omitempty"`
	Digest *Hash  `json:"digest,omitempty"`
	// Hash binds the link to all before it.
	Hash Hash `json:"hash"`
}

// Ref is how people name a link, for example SLUHC/3/1047.
func (l Link) Ref() string { return fmt.Sprintf("%s/%d/%d", l.Court, l.Shard, l.Seq) }

// Withheld is the link without its entry.
func (l Link) Withheld() Link {
	if l.Entry != nil {
		digest := l.Entry.Digest()
		l.Entry, l.Digest = nil, &digest
	}
	return l
}

// After is the hash that the link must have when it stands at seq, after the
// link with the hash previous; zero for the first.
func (l Link) After(previous Hash, seq int64) Hash {
	var room [1024]byte
	digest := l.digest(room[:])
	return sha256.Sum256(appendNet(room[:0], "ejustice-trace-link-1",
		previous.String(), l.Court, strconv.Itoa(l.Shard), strconv.FormatInt(seq, 10), l.At.String(), digest.String()))
}

func (l Link) digest(room []byte) Hash {
	if l.Entry != nil {
		return l.Entry.digest(room)
	}
	return *l.Digest
}

// check says whether the link can be hashed at all.
func (l Link) check() error {
	if (l.Entry == nil) == (l.Digest == nil) || l.Entry != nil && l.Entry.Details == nil {
		return errNotLink
	}
	return nil
}
