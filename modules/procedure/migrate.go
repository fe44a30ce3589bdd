package procedure

import (
	"fmt"
	"slices"
	"strings"
)

// NoMapping is the error of a case that cannot come over to another version.
// Missing says why, one sentence for each code.
type NoMapping struct {
	From, To string
	Missing  []string
}

func (n *NoMapping) Error() string {
	return fmt.Sprintf("the case cannot come over from version %s to %s: %s", n.From, n.To, strings.Join(n.Missing, "; "))
}

// Migrate brings a case from one version of a procedure to another, as the new
// version's transition says and no further. Deadlines keep the dates that were
// worked out. The error is a *NoMapping, or a *Refusal when the state is not one
// of the old version.
func Migrate(state State, old, new *Document) (State, error) {
	if reasons := old.accepts(state); len(reasons) > 0 {
		return state, &Refusal{Reasons: reasons}
	}
	m := migration{new: new}
	for i := range new.Transitions {
		if new.ID == old.ID && new.Transitions[i].From == old.Version {
			m.transition = &new.Transitions[i]
		}
	}
	if m.transition == nil {
		return state, &NoMapping{old.Version, new.Version, []string{"there is no transition from " + old.ID + " " + old.Version}}
	}
	next := State{
		Procedure: new.ID,
		Version:   new.Version,
		Workflow:  m.code("states", m.transition.States, state.Workflow),
		Stage:     m.code("stages", m.transition.Stages, state.Stage),
		Outcome:   m.code("outcomes", m.transition.Outcomes, state.Outcome),
		Counters:  move(&m, "counters", m.transition.Counters, state.Counters),
		Facts:     move(&m, "facts", m.transition.Facts, state.Facts),
		Fees:      move(&m, "fees", m.transition.Fees, state.Fees),
		Deadlines: move(&m, "deadlines", m.transition.Deadlines, state.Deadlines),
	}
	for _, code := range state.Documents {
		if to := m.code("documents", m.transition.Documents, code); to != "" && !slices.Contains(next.Documents, to) {
			next.Documents = append(next.Documents, to)
		}
	}
	slices.Sort(next.Documents)
	m.fits(next)
	if len(m.missing) > 0 {
		return state, &NoMapping{old.Version, new.Version, m.missing}
	}
	return next, nil
}

type migration struct {
	new        *Document
	transition *Transition
	missing    []string
}

func (m *migration) miss(format string, args ...any) {
	m.missing = append(m.missing, fmt.Sprintf(format, args...))
}

// code is what an old code has become, or "" when it was dropped.
func (m *migration) code(list List, mapping map[string]string, old string) string {
	if old == "" {
		return ""
	}
	if to, mapped := mapping[old]; mapped {
		if to == none {
			return ""
		}
		return to
	}
	if slices.Contains(m.transition.Keep, list) && m.new.index.has(string(list), old) {
		return old
	}
	m.miss("%s: %s has no mapping", list, old)
	return ""
}

// move takes every entry over. Two that become one are a question to a person.
func move[V any](m *migration, list List, mapping map[string]string, old map[string]V) map[string]V {
	var moved map[string]V
	for _, code := range sortedKeys(old) {
		to := m.code(list, mapping, code)
		if to == "" {
			continue
		}
		if _, taken := moved[to]; taken {
			m.miss("%s: %s and another both become %s", list, code, to)
		}
		moved = with(moved, to, old[code])
	}
	return moved
}

// fits checks what the new version can make nothing of.
func (m *migration) fits(next State) {
	for _, code := range sortedKeys(next.Facts) {
		if fact := m.new.index.facts[code]; !fact.Kind.accepts(next.Facts[code]) {
			m.miss("facts: %s is a %s now and the case's is not", code, fact.Kind)
		}
	}
	for _, code := range sortedKeys(next.Fees) {
		if next.Fees[code] == FeeDeferred && !m.new.index.fees[code].Deferrable {
			m.miss("fees: %s may not be deferred any more", code)
		}
	}
	for _, code := range sortedKeys(next.Deadlines) {
		term, length := next.Deadlines[code], m.new.index.deadlines[code].Length
		switch {
		case term.Ended != nil:
		case term.Expires == nil && length != nil:
			m.miss("deadlines: %s has no last day yet: enter it first", code)
		case term.Expires != nil && (term.Last == nil) != (length != nil && length.Unit == Hours):
			m.miss("deadlines: %s counts days in one version and hours in the other", code)
		}
	}
}
