package procedure

import "fmt"

// graph checks that every state can be reached and left.
func (c *checker) graph() {
	initial := c.initial()
	if initial == "" {
		return
	}
	next, before := c.edges()
	reached := spread([]string{initial}, next)
	var finals []string
	for _, state := range c.document.States {
		if state.Final {
			finals = append(finals, state.Code)
		}
	}
	ending := spread(finals, before)
	for i, state := range c.document.States {
		path, exits := fmt.Sprintf("states[%d]", i), len(next[state.Code]) > 0
		report := c.fail
		if state.Gap != "" { // its author knows
			report = c.warn
		}
		if !reached[state.Code] {
			report(path, "no event leads to %s: add one or remove the state", state.Code)
		}
		switch {
		case state.Final && exits:
			c.fail(path, "%s is final and yet an event leaves it: remove final or the event", state.Code)
		case !state.Final && !exits:
			report(path, "no event leaves %s: add one, or final: true", state.Code)
		case len(finals) > 0 && !ending[state.Code]:
			c.warn(path, "no final state can be reached from %s: such a case never ends", state.Code)
		}
	}
	if len(finals) == 0 {
		c.warn("states", "no state is final: cases never end")
	}
}

// initial is the state in which cases begin, or "" when that is not clear.
func (c *checker) initial() string {
	found := ""
	for i, state := range c.document.States {
		if !state.Initial {
			continue
		}
		if found != "" {
			c.fail(fmt.Sprintf("states[%d].initial", i), "cases begin in %s already: keep one initial state", found)
			return ""
		}
		found = state.Code
	}
	if found == "" {
		c.fail("states", "no case can begin: add initial: true to one state")
	}
	return found
}

// edges are the moves from each state to another, forwards and backwards.
func (c *checker) edges() (next, before map[string][]string) {
	next, before = map[string][]string{}, map[string][]string{}
	for _, state := range c.document.States {
		for _, event := range c.document.index.from[state.Code] {
			for _, target := range event.targets(state.Code) {
				if target != state.Code {
					next[state.Code] = append(next[state.Code], target)
					before[target] = append(before[target], state.Code)
				}
			}
		}
	}
	return next, before
}

// spread is everything that edges lead to.
func spread(from []string, edges map[string][]string) map[string]bool {
	reached := map[string]bool{}
	for len(from) > 0 {
		state := from[len(from)-1]
		from = from[:len(from)-1]
		if !reached[state] {
			reached[state] = true
			from = append(from, edges[state]...)
		}
	}
	return reached
}
