package chain

import (
	"context"
	"errors"
	"fmt"
)

// lookAhead is how far an entry is sought that stands in another place.
const lookAhead = 1000

// walk follows one chain from a head to the last checkpoint, and compares it
// with what the checkpoints say on the way.
func (v *run) walk(ctx context.Context, id ID, from Head, points []checkpoint) error {
	through := points[len(points)-1].seq
	last, point := from, 0
	good := from.Seq // up to here the chain is known to be the true one
	for link, err := range v.source.Links(ctx, id, from.Seq, through) {
		var form *FormError
		if errors.As(err, &form) {
			v.cut(Break{Kind: Altered, Chain: id, Seq: last.Seq + 1, What: "altered: " + form.What})
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", id, err)
		}
		if fault := v.place(ctx, link, last, id, through); fault != nil {
			v.cut(*fault)
			return nil
		}
		last = Head{id, link.Seq, link.Hash}
		v.count(link, points[point].anchor == 0)
		if v.overdue(link, points[point]) {
			v.cut(Break{Kind: Uncovered, Chain: id, Seq: link.Seq, Through: through,
				What: fmt.Sprintf("not covered by an anchor after more than %s", v.MaxUncovered)})
			return nil
		}
		if link.Seq < points[point].seq {
			continue
		}
		if link.Hash != points[point].hash {
			v.cut(points[point].denies(id, good+1))
			return nil
		}
		good = link.Seq
		if point++; point == len(points) {
			return nil
		}
	}
	v.cut(Break{Kind: Missing, Chain: id, Seq: last.Seq + 1, Through: through, Anchor: points[point].anchor,
		What: fmt.Sprintf("missing: %s goes on to entry %d", points[point].source(), points[point].seq)})
	return nil
}

func (c checkpoint) source() string {
	if c.anchor == 0 {
		return "the chain's head"
	}
	return fmt.Sprintf("anchor %d", c.anchor)
}

// denies is the break when the chain fits in itself, but is not the one that
// the checkpoint knows.
func (c checkpoint) denies(id ID, first int64) Break {
	if c.anchor == 0 {
		return Break{Kind: Altered, Chain: id, Seq: c.seq, What: "altered: the chain's head has another hash"}
	}
	return Break{Kind: Rewritten, Chain: id, Seq: first, Through: c.seq, Anchor: c.anchor,
		What: fmt.Sprintf("rewritten: they fit together, but anchor %d covers others", c.anchor)}
}

func (v *run) count(link Link, uncovered bool) {
	v.report.Links++
	if uncovered {
		v.report.Uncovered++
	}
	if link.Entry == nil {
		v.report.Withheld++
	}
	if v.See != nil {
		v.See(link)
	}
}

func (v *run) overdue(link Link, next checkpoint) bool {
	return next.anchor == 0 && v.MaxUncovered > 0 && v.Now.Sub(link.At.Time) > v.MaxUncovered
}

// place says what is wrong with a link that should follow last, or nil.
func (v *run) place(ctx context.Context, link Link, last Head, id ID, through int64) *Break {
	fault := &Break{Chain: id, Seq: last.Seq + 1}
	switch {
	case link.ID != id:
		fault.Kind, fault.What = Reordered, fmt.Sprintf("reordered: an entry of %s stands here", link.ID)
		return fault
	case link.Seq > last.Seq+1:
		fault.Kind, fault.Through, fault.What = Missing, link.Seq-1, fmt.Sprintf("missing: entry %d follows entry %d", link.Seq, last.Seq)
		return fault
	case link.Seq != last.Seq+1:
		fault.Kind, fault.What = Reordered, fmt.Sprintf("reordered: entry %d stands here", link.Seq)
		return fault
	case link.check() != nil:
		fault.Kind, fault.What = Altered, "altered: it has neither an entry nor a digest"
		return fault
	}
	if link.After(last.Hash, link.Seq) == link.Hash {
		return nil
	}
	fault.Kind, fault.What = Altered, "altered: its hash is not that of what it says"
	if other := v.elsewhere(ctx, link, last, through); other > 0 {
		fault.Kind, fault.What = Reordered, fmt.Sprintf("reordered: what belongs here stands at %d", other)
	}
	return fault
}

// elsewhere looks for the place of what belongs in the place of link: whether
// rows were exchanged with their hashes or without.
func (v *run) elsewhere(ctx context.Context, link Link, last Head, through int64) int64 {
	for other, err := range v.source.Links(ctx, link.ID, link.Seq, min(through, link.Seq+lookAhead)) {
		if err != nil {
			return 0 // then it is only called altered
		}
		if other.check() != nil {
			continue
		}
		if hash := other.After(last.Hash, link.Seq); hash == other.Hash || hash == link.Hash {
			return other.Seq
		}
	}
	return 0
}
