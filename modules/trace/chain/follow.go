package chain

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

func (v *run) next(ctx context.Context) ([]Anchor, error) {
	limit := v.Window
	if v.Through > 0 {
		left := v.Through - v.last.Number
		if left <= 0 {
			return nil, nil
		}
		if limit == 0 || left < int64(limit) {
			limit = int(left)
		}
	}
	anchors, err := v.source.Anchors(ctx, v.last.Number, limit)
	if err != nil {
		return nil, fmt.Errorf("read anchors: %w", err)
	}
	return anchors, nil
}

// follow verifies anchors and then the links that they cover.
func (v *run) follow(ctx context.Context, anchors []Anchor) (whole bool, err error) {
	before := v.heads
	points := map[ID][]checkpoint{}
	whole = true
	for _, anchor := range anchors {
		if !v.anchor(anchor, points) {
			whole = false
			break
		}
		v.report.Anchors++
	}
	for _, id := range slices.SortedFunc(maps.Keys(points), ID.Compare) {
		if v.broken[id] || v.Only != nil && !v.Only(id) {
			continue
		}
		if err := v.walk(ctx, id, before[id], points[id]); err != nil {
			return false, err
		}
	}
	if v.report.OK() {
		v.report.Position = v.last
	}
	return whole, nil
}

// anchor verifies one anchor against the one before, and notes what it says of
// each chain.
func (v *run) anchor(a Anchor, points map[ID][]checkpoint) bool {
	switch {
	case a.Number > v.last.Number+1:
		v.bad(v.last.Number+1, "is missing")
		return false
	case a.Number != v.last.Number+1:
		v.bad(a.Number, "stands where anchor %d should", v.last.Number+1)
		return false
	case a.Previous != v.last.Hash:
		v.bad(a.Number, "does not continue the anchor before it: one of the two was altered")
		return false
	}
	before := v.heads
	v.heads = maps.Clone(before)
	for _, head := range a.Heads {
		if head.Seq <= v.heads[head.ID].Seq {
			v.bad(a.Number, "names entry %d of %s, which an earlier anchor already covers", head.Seq, head.ID)
			v.heads = before
			return false
		}
		v.heads[head.ID] = head
	}
	if !v.checkSigned(a) {
		v.heads = before
		return false
	}
	for _, head := range a.Heads {
		points[head.ID] = append(points[head.ID], checkpoint{head.Seq, head.Hash, a.Number})
	}
	v.last = a.Ref()
	for _, known := range v.Known {
		if known.Number == a.Number && known != v.last {
			v.bad(a.Number, "is not the one that was seen earlier")
			return false
		}
	}
	return true
}

// checkSigned checks an anchor's signature, and that v.heads are what it
// covers.
func (v *run) checkSigned(a Anchor) bool {
	if fault := v.keys.verify(a.KeyID, a.Signed(), a.Signature); fault != "" {
		v.report.add(Break{Kind: BadSignature, Anchor: a.Number, What: fault + ": the anchor was altered or somebody else made it"})
		return false
	}
	if a.Chains != len(v.heads) || a.Root != Root(v.heads) {
		v.bad(a.Number, "does not cover the chains that are listed with it: the list was altered")
		return false
	}
	return true
}

// checkKnown notices that anchors seen earlier are gone.
func (v *run) checkKnown() {
	for _, known := range v.Known {
		if known.Number > v.last.Number && (v.Through == 0 || known.Number <= v.Through) {
			v.bad(known.Number, "was seen earlier and is missing: the newest part of the trace was cut off")
			return
		}
	}
}

func (v *run) bad(number int64, format string, args ...any) {
	v.report.add(Break{Kind: BadAnchor, Anchor: number, What: fmt.Sprintf(format, args...)})
}
