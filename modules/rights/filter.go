package rights

import (
	"strings"
	"time"
)

// Filter narrows a query to the rows that an actor may see. It is made from
// the same table as Decide and as the row policies, for one actor, so that
// PostgreSQL can plan with what the actor really has.
type Filter struct {
	// Any are the conditions of which one must hold. Each by itself can use an
	// index: a list of the newest is a UNION of the newest of each.
	Any []string
	// Args are the values of the placeholders, from the first one asked for.
	Args []any
}

// SQL is the whole condition.
func (f Filter) SQL() string {
	if len(f.Any) == 0 {
		return "false"
	}
	return "(" + strings.Join(f.Any, " OR ") + ")"
}

// NewFilter makes the filter for lists, counts and searches of rows of table,
// which the query calls alias. Its placeholders begin at $first. Use it with
// the row policies, not in their stead.
func NewFilter(actor *Actor, ask Ask, table Table, alias string, first int, now time.Time) Filter {
	var v values
	name := quoted(alias)
	grants := standard.effective(actor, now)
	acts := "NULL::uuid" // of a program
	if actor.Person != "" {
		acts = v.add(actor.Person, "uuid")
	}
	reasons, orders := v.cases(actor.Reasons), v.cases(actor.Orders)
	var conditions []string
	for _, holder := range holders(grants) {
		by := knownAsker{values: &v, grants: grants, of: holder, holder: acts, reasons: reasons, orders: orders}
		if holder != "" {
			by.holder, by.acts = v.add(holder, "uuid"), acts
		}
		for _, condition := range standard.alternatives(ask, by, table.columns(name)) {
			conditions = append(conditions, table.within(name, condition))
		}
	}
	return v.filter(conditions, first)
}

// effective are the grants that count, with those that need not be given.
func (t *table) effective(a *Actor, now time.Time) []Grant {
	switch {
	case (a.Person == "") == (a.Service == ""):
		return nil
	case a.Service != "":
		return []Grant{{Role: Service}}
	}
	grants := []Grant{{Role: Anyone}}
	s := t.stand(a, now)
	for i := range a.Grants {
		if t.counts(&a.Grants[i], a, s, now) {
			grants = append(grants, a.Grants[i])
		}
	}
	return grants
}

// holders are those whose roles are used, the actor's own ("") first.
func holders(grants []Grant) []string {
	var found []string
	seen := map[string]bool{}
	for _, g := range grants {
		if !seen[g.For] {
			seen[g.For] = true
			found = append(found, g.For)
		}
	}
	return found
}
