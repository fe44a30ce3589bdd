package rights

import (
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
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
	f := Filter{}
	argument := func(value any, sqlType string) string {
		f.Args = append(f.Args, value)
		return fmt.Sprintf("$%d::%s", first+len(f.Args)-1, sqlType)
	}
	var reasons, orders, acts string
	if len(actor.Reasons) > 0 {
		reasons = argument(actor.Reasons, "uuid[]")
	}
	if len(actor.Orders) > 0 {
		orders = argument(actor.Orders, "uuid[]")
	}
	effective := standard.effective(actor, now)
	for _, holder := range holders(effective) {
		by := asker{reasons: reasons, orders: orders}
		by.holder = "NULL::uuid" // of a program
		if actor.Person != "" {
			by.holder = argument(actor.Person, "uuid")
			acts = by.holder
		}
		if holder != "" {
			by.holder, by.acts = argument(holder, "uuid"), acts
		}
		by.courts = func(roles roleSet) string {
			if courts := courtsOf(effective, holder, roles); len(courts) > 0 {
				return argument(courts, "text[]")
			}
			return ""
		}
		by.everywhere = func(roles roleSet) string {
			for _, g := range effective {
				if g.For == holder && g.Court == "" && roles.has(g.Role) {
					return "true"
				}
			}
			return ""
		}
		f.Any = append(f.Any, standard.alternatives(ask, by, table.columns(pgx.Identifier{alias}.Sanitize()))...)
	}
	return f
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

func courtsOf(grants []Grant, holder string, roles roleSet) []string {
	var courts []string
	for _, g := range grants {
		if g.For == holder && g.Court != "" && roles.has(g.Role) {
			courts = append(courts, g.Court)
		}
	}
	return courts
}
