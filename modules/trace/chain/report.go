package chain

import (
	"fmt"
	"strings"
)

// Kind says in one word what is wrong.
type Kind string

// Kinds of breaks.
const (
	Missing      Kind = "missing"
	Altered      Kind = "altered"
	Reordered    Kind = "reordered"
	Rewritten    Kind = "rewritten"
	Foreign      Kind = "foreign" // not written by the trace's own function
	Uncovered    Kind = "uncovered"
	BadAnchor    Kind = "anchor"
	BadSignature Kind = "signature"
	BadDocument  Kind = "document"
	BadManifest  Kind = "manifest"
)

// Break is a place at which the trace does not hold.
type Break struct {
	Kind Kind `json:"kind"`
	// Chain and Seq of the first link concerned; Seq is 0 for anchors,
	// documents and the manifest.
	Chain ID    `json:"chain"`
	Seq   int64 `json:"seq"`
	// Through is the last link that may be concerned, where that is more than
	// one.
	Through int64 `json:"through,omitempty"`
	// Anchor is the number of the anchor concerned, if any.
	Anchor int64 `json:"anchor,omitempty"`
	// What is wrong, in words. It holds nothing of the entry.
	What string `json:"what"`
}

func (b Break) String() string {
	switch {
	case b.Seq > 0 && b.Through > b.Seq:
		return fmt.Sprintf("%s, entries %d to %d: %s", b.Chain, b.Seq, b.Through, b.What)
	case b.Seq > 0:
		return fmt.Sprintf("%s, entry %d: %s", b.Chain, b.Seq, b.What)
	case b.Anchor > 0:
		return fmt.Sprintf("anchor %d: %s", b.Anchor, b.What)
	}
	return b.What
}

// Report is what a verification found.
type Report struct {
	// Anchors and Links that were verified, and how many of the links no anchor
	// covers yet.
	Anchors   int   `json:"anchors"`
	Links     int64 `json:"links"`
	Uncovered int64 `json:"uncovered"`
	// Withheld is how many of the links stand in an export by their digest only.
	Withheld int64 `json:"withheld"`
	// Documents that were verified, and of how many of them no entry in view
	// names the SHA-256, so that only the signed manifest vouches for them.
	Documents  int `json:"documents"`
	Unattested int `json:"unattested"`
	// Position is the last anchor up to which everything holds: where the next
	// verification may go on.
	Position Ref `json:"position"`
	// Breaks, the first of each chain; empty when everything holds.
	Breaks []Break `json:"breaks"`
}

// OK says whether everything holds.
func (r Report) OK() bool { return len(r.Breaks) == 0 }

// maxBreaks bounds a report: past this many the count says nothing new.
const maxBreaks = 100

func (r *Report) add(b Break) {
	if len(r.Breaks) < maxBreaks {
		r.Breaks = append(r.Breaks, b)
	}
}

func (r Report) String() string {
	var b strings.Builder
	if r.OK() {
		fmt.Fprintf(&b, "The trace holds: %d entries, %d anchors", r.Links, r.Anchors)
		if r.Documents > 0 {
			fmt.Fprintf(&b, ", %d documents", r.Documents)
		}
		b.WriteString(".")
	} else {
		fmt.Fprintf(&b, "The trace is BROKEN. First: %s.", r.Breaks[0])
		for _, other := range r.Breaks[1:] {
			fmt.Fprintf(&b, "\nAlso: %s.", other)
		}
	}
	if r.Withheld > 0 {
		fmt.Fprintf(&b, "\n%d entries are withheld; only their place in the chain was checked.", r.Withheld)
	}
	if r.Unattested > 0 {
		fmt.Fprintf(&b, "\n%d documents are vouched for by the signed manifest only: no entry here names their SHA-256.", r.Unattested)
	}
	if r.Uncovered > 0 {
		fmt.Fprintf(&b, "\n%d of the newest entries are not covered by an anchor yet.", r.Uncovered)
	}
	return b.String()
}
