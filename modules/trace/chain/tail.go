package chain

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// tail follows the links after the newest anchor up to the heads.
func (v *run) tail(ctx context.Context) error {
	states, err := v.source.Chains(ctx)
	if err != nil {
		return fmt.Errorf("read heads: %w", err)
	}
	found := map[ID]bool{}
	for _, state := range states {
		found[state.ID] = true
		if v.broken[state.ID] || v.Only != nil && !v.Only(state.ID) {
			continue
		}
		if err := v.tailOf(ctx, state); err != nil {
			return err
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(v.heads), ID.Compare) {
		if !found[id] && !v.broken[id] && (v.Only == nil || v.Only(id)) {
			v.cut(Break{Kind: Missing, Chain: id, Seq: 1, Through: v.heads[id].Seq, Anchor: v.last.Number,
				What: fmt.Sprintf("the whole chain is missing; anchor %d covers it", v.last.Number)})
		}
	}
	return nil
}

func (v *run) tailOf(ctx context.Context, state State) error {
	from := v.heads[state.ID]
	switch {
	case state.Seq < from.Seq:
		v.cut(Break{Kind: Missing, Chain: state.ID, Seq: state.Seq + 1, Through: from.Seq, Anchor: v.last.Number,
			What: fmt.Sprintf("missing: the chain's head was set back, but anchor %d covers them", v.last.Number)})
		return nil
	case state.Last > state.Seq:
		v.cut(Break{Kind: Foreign, Chain: state.ID, Seq: state.Seq + 1, Through: state.Last,
			What: "was not written by the trace's own function: the chain's head does not know it"})
		return nil
	case state.Seq == from.Seq && state.Hash != from.Hash:
		v.cut(checkpoint{state.Seq, state.Hash, 0}.denies(state.ID, state.Seq))
		return nil
	case state.Seq == from.Seq:
		return nil
	}
	return v.walk(ctx, state.ID, from, []checkpoint{{state.Seq, state.Hash, 0}})
}
