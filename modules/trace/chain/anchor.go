package chain

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// Head is the newest link of a chain at some moment.
type Head struct {
	ID
	Seq  int64 `json:"seq"`
	Hash Hash  `json:"hash"`
}

// Ref names an anchor and what it must be. Whoever keeps one outside the
// database can show later that the trace still continues it.
type Ref struct {
	Number int64 `json:"number"`
	Hash   Hash  `json:"hash"`
}

func (r Ref) String() string { return fmt.Sprintf("%d:%s", r.Number, r.Hash) }

// Anchor puts the heads of all chains together and is signed. Anchors form a
// chain themselves. What an anchor covers cannot be changed, removed or
// rewritten as a whole without the key, not even by the database's superuser.
type Anchor struct {
	// Number is 1 for the first and has no gaps.
	Number int64 `json:"number"`
	At     Time  `json:"at"`
	// Previous is the hash of the anchor before; zero for the first.
	Previous Hash `json:"previous"`
	// Root is the Root of the heads of all chains.
	Root Hash `json:"root"`
	// Chains is how many heads Root covers.
	Chains int `json:"chains"`
	// Heads are those that have moved since the anchor before, in the order of
	// the chains.
	Heads []Head `json:"heads"`
	// KeyID says with which key Signature over Signed was made.
	KeyID     string `json:"keyId"`
	Signature []byte `json:"signature"`
}

// Signed are the bytes that are signed.
func (a Anchor) Signed() []byte {
	return appendNet(nil, "ejustice-trace-anchor-1",
		strconv.FormatInt(a.Number, 10), a.At.String(), a.Previous.String(), a.Root.String(), strconv.Itoa(a.Chains))
}

// Hash is what the next anchor has as Previous.
func (a Anchor) Hash() Hash { return sha256.Sum256(a.Signed()) }

// Ref is the anchor's name.
func (a Anchor) Ref() Ref { return Ref{a.Number, a.Hash()} }

// Root is the SHA-256 over the heads in the order of the chains.
func Root(heads map[ID]Head) Hash {
	text := appendNet(make([]byte, 0, 32+128*len(heads)), "ejustice-trace-heads-1")
	for _, id := range slices.SortedFunc(maps.Keys(heads), ID.Compare) {
		head := heads[id]
		text = appendNet(text, id.Court, strconv.Itoa(id.Shard), strconv.FormatInt(head.Seq, 10), head.Hash.String())
	}
	return sha256.Sum256(text)
}
