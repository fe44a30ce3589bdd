package rights

import (
	"fmt"
	"strings"
)

// columns are SQL expressions for what Record holds; those that a table lacks
// are empty, and then no rule applies that needs them.
type columns struct{ caseID, court, appeal, from, sealing, protected string }

// asker says in SQL who asks. Each method returns a condition; an empty one is
// false, and "true" is true.
type asker interface {
	// granted: one of the roles is held by one of the reaches.
	granted(roles []Role, reaches []reach, c columns) string
	// related: the holder of the role has one of the relations to the case.
	related(relations []string, c columns) string
	// unrelated: the holder has none.
	unrelated(c columns) string
	// refused: the holder, or who acts, has one of the relations.
	refused(relations []string, c columns) string
	// reason, order: one is given for the case.
	reason(c columns) string
	order(c columns) string
}

// alternatives are the conditions of which one must hold for an ask.
func (t *table) alternatives(ask Ask, by asker, c columns) []string {
	var found []string
	for _, a := range t.arms(ask) {
		if condition := a.condition(by, c); condition != "" {
			found = append(found, condition)
		}
	}
	return found
}

// condition says that the arm holds; it is empty when it never can.
func (a arm) condition(by asker, c columns) string {
	parts := []string{by.granted(a.roles.list(), a.reaches, c), fmt.Sprintf("%s IN (%s)", c.sealing, texts(a.levels.codes())), a.allowed(by, c)}
	if never := a.cell.never.stored(); len(never) > 0 {
		parts = append(parts, "NOT "+by.refused(never, c))
	}
	condition := and(parts)
	if condition == "" {
		return ""
	}
	return "(" + condition + ")"
}

// allowed says that the holder is to the case what allows, and that what it
// takes besides is there.
func (a arm) allowed(by asker, c columns) string {
	var ways []string
	for n, relations := range a.cell.may {
		if relations == 0 {
			continue
		}
		parts := []string{a.relation(relations, by, c)}
		if need(n)&needReason != 0 {
			parts = append(parts, by.reason(c))
		}
		if need(n)&needOrder != 0 {
			parts = append(parts, by.order(c))
		}
		if need(n)&needUnprotected != 0 {
			parts = append(parts, unprotected(c))
		}
		ways = append(ways, and(parts))
	}
	return or(ways)
}

func unprotected(c columns) string {
	if c.protected == "" {
		return ""
	}
	return "NOT " + c.protected
}

// relation says that the holder has one of the relations. Those that refuse
// are looked at elsewhere, and nobody is Self to a case.
func (a arm) relation(may RelationSet, by asker, c columns) string {
	never := a.cell.never | SetOf(Self)
	if may|never == allRelations {
		return "true"
	}
	var ways []string
	if stored := (may &^ never).stored(); len(stored) > 0 {
		ways = append(ways, by.related(stored, c))
	}
	if may.Has(None) {
		ways = append(ways, by.unrelated(c))
	}
	return or(ways)
}

// column is the column with the court that a reach is about; none for the
// whole tenant.
func (r reach) column(c columns) string {
	switch r {
	case reachOwn:
		return c.court
	case reachAppeal:
		return c.appeal
	case reachSent:
		return c.from
	}
	return ""
}

// or joins conditions, of which an empty one is false and "true" is true.
func or(ways []string) string {
	var kept []string
	for _, way := range ways {
		switch way {
		case "":
		case "true":
			return way
		default:
			kept = append(kept, way)
		}
	}
	if len(kept) < 2 {
		return strings.Join(kept, "")
	}
	return "(" + strings.Join(kept, " OR ") + ")"
}

// and joins conditions likewise.
func and(parts []string) string {
	var kept []string
	for _, part := range parts {
		switch part {
		case "":
			return part
		case "true":
		default:
			kept = append(kept, part)
		}
	}
	if len(kept) == 0 {
		return "true"
	}
	return strings.Join(kept, " AND ")
}

// texts writes a list of codes, which hold no quotes.
func texts(codes []string) string { return "'" + strings.Join(codes, "', '") + "'" }
