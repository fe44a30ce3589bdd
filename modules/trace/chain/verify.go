package chain

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"
)

// Source is where a trace is: a database or an export.
type Source interface {
	// Base is an anchor and the heads of all chains as of it, to begin after it.
	// Number 0 is never asked for.
	Base(ctx context.Context, number int64) (Anchor, map[ID]Head, error)
	// Anchors are the next after a number, in order, at most limit (0: all).
	Anchors(ctx context.Context, after int64, limit int) ([]Anchor, error)
	// Chains are the chains in view as they are now.
	Chains(ctx context.Context) ([]State, error)
	// Links are those of a chain after a seq and up to another, in order.
	Links(ctx context.Context, id ID, after, through int64) iter.Seq2[Link, error]
}

// FormError is a source's way to say that what it holds cannot be read as what it
// should be. That is a break, other errors are not.
type FormError struct{ What string }

func (e *FormError) Error() string { return e.What }

// State is a chain as it is now.
type State struct {
	Head
	// Last is the seq of the newest link. The head says the same unless
	// somebody went round the trace's own function.
	Last int64
}

// Options narrow a verification. The zero value is a full pass.
type Options struct {
	// After is the anchor to go on from, zero to begin with the first entry.
	After Ref
	// Through is the number of the anchor to end with. With 0 it goes to the
	// newest anchor and on to the newest entry.
	Through int64
	// See is shown each link that fits in its chain.
	See func(Link)
	// Only says which chains' links are followed; nil for all.
	Only func(ID) bool
	// Known are anchors seen earlier, kept outside the trace. If one is not
	// there any more, the newest part has been cut off.
	Known []Ref
	// Window is how many anchors are held in memory at once, 0 for all.
	Window int
	// MaxUncovered is how old an entry may be without an anchor over it, as of
	// Now; 0 for any age.
	MaxUncovered time.Duration
	Now          time.Time
}

// run is one verification under way.
type run struct {
	source Source
	keys   Keys
	Options
	report Report
	last   Ref
	heads  map[ID]Head // as of last
	broken map[ID]bool // chains that are not followed any further
}

// checkpoint is what an anchor says of a chain.
type checkpoint struct {
	seq    int64
	hash   Hash
	anchor int64
}

// Verify follows anchors and chains. The error says that it could not be done;
// what is wrong with the trace is in the report.
func Verify(ctx context.Context, source Source, keys Keys, options Options) (Report, error) {
	v := &run{source: source, keys: keys, Options: options, heads: map[ID]Head{}, broken: map[ID]bool{}}
	v.report.Breaks = []Break{}
	begun, err := v.begin(ctx)
	if !begun || err != nil {
		return v.report, err
	}
	if err := v.followAll(ctx); err != nil {
		return v.report, err
	}
	if v.Through == 0 {
		err = v.tail(ctx)
	}
	return v.report, err
}

// followAll follows the anchors to the last, or to one that is broken.
func (v *run) followAll(ctx context.Context) error {
	for {
		anchors, err := v.next(ctx)
		var form *FormError
		switch {
		case errors.As(err, &form):
			v.bad(v.last.Number+1, "%s", form.What)
			return nil
		case err != nil:
			return err
		case len(anchors) == 0:
			v.checkKnown()
			return nil
		}
		if whole, err := v.follow(ctx, anchors); !whole || err != nil {
			return err
		}
	}
}

// begin takes the heads of the anchor to go on from. It is not believed: it
// must be signed, be the one that was asked for, and cover these heads.
func (v *run) begin(ctx context.Context) (whole bool, err error) {
	if v.After.Number == 0 {
		return true, nil
	}
	anchor, heads, err := v.source.Base(ctx, v.After.Number)
	if err != nil {
		return false, fmt.Errorf("read anchor %d: %w", v.After.Number, err)
	}
	switch {
	case anchor.Number != v.After.Number:
		v.bad(v.After.Number, "is missing, although it was verified earlier")
		return false, nil
	case anchor.Hash() != v.After.Hash:
		v.bad(v.After.Number, "is not the one that was verified earlier")
		return false, nil
	}
	v.last, v.heads = anchor.Ref(), heads
	if !v.checkSigned(anchor) {
		return false, nil
	}
	v.report.Position = v.last
	return true, nil
}

// cut records the break of a chain, which is not followed any further.
func (v *run) cut(b Break) {
	v.broken[b.Chain] = true
	v.report.add(b)
}
