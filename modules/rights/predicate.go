package rights

import (
	"fmt"
	"strings"
)

// columns are SQL expressions for what Record holds; those that a table lacks
// are empty, and then no rule applies that needs them.
type columns struct{ caseID, court, appeal, from, sealing, protected string }

// asker says in SQL who asks. Expressions that are empty are false.
type asker struct {
	// courts is the array of the courts for which one of the roles is held;
	// everywhere says whether one is held for the whole tenant.
	courts, everywhere func(roleSet) string
	// holder is whose relations allow; acts, unless empty, whose also refuse.
	holder, acts string
	// probe has relations looked up row by row; otherwise a query may begin with
	// the rows of the holder.
	probe bool
	// reasons and orders are arrays of the ids of cases.
	reasons, orders string
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

// condition is empty when the arm can never hold.
func (a arm) condition(by asker, c columns) string {
	reached := a.reached(by, c)
	related := a.related(by, c)
	if reached == "" || related == "" {
		return ""
	}
	parts := []string{reached, fmt.Sprintf("%s IN (%s)", c.sealing, texts(a.levels.codes()))}
	if related != "true" {
		parts = append(parts, related)
	}
	if never := a.cell.never.stored(); len(never) > 0 {
		parts = append(parts, "NOT "+relation(c.caseID, by.holder, never))
		if by.acts != "" {
			parts = append(parts, "NOT "+relation(c.caseID, by.acts, never))
		}
	}
	return "(" + strings.Join(parts, " AND ") + ")"
}

// reached says that a grant meets the record's courts.
func (a arm) reached(by asker, c columns) string {
	var ways []string
	for _, r := range a.reaches {
		column := map[reach]string{reachOwn: c.court, reachAppeal: c.appeal, reachSent: c.from}[r]
		if r == reachTenant {
			ways = append(ways, by.everywhere(a.roles))
		} else if courts := by.courts(a.roles); courts != "" && column != "" {
			ways = append(ways, fmt.Sprintf("%s = ANY (%s)", column, courts))
		}
	}
	return or(ways)
}

// related says that the holder is to the case what allows, and that what it
// takes besides is there.
func (a arm) related(by asker, c columns) string {
	var ways []string
	for n, relations := range a.cell.may {
		if relations == 0 {
			continue
		}
		ways = append(ways, and(append(needed(need(n), by, c), a.relation(relations, by, c))))
	}
	return or(ways)
}

// needed are the conditions for a set of needs.
func needed(n need, by asker, c columns) []string {
	var conditions []string
	if n&needReason != 0 {
		conditions = append(conditions, anyOf(c.caseID, by.reasons))
	}
	if n&needOrder != 0 {
		conditions = append(conditions, anyOf(c.caseID, by.orders))
	}
	if n&needUnprotected != 0 {
		if c.protected == "" {
			conditions = append(conditions, "")
		} else {
			conditions = append(conditions, "NOT "+c.protected)
		}
	}
	return conditions
}

// relation says that the holder has one of the relations. Those that refuse
// are looked at elsewhere, and nobody is Self to a case.
func (a arm) relation(may RelationSet, by asker, c columns) string {
	never := a.cell.never | SetOf(Self)
	if may|never == allRelations {
		return "true"
	}
	var ways []string
	if stored := (may &^ never).stored(); len(stored) > 0 && by.probe {
		ways = append(ways, relation(c.caseID, by.holder, stored))
	} else if len(stored) > 0 {
		ways = append(ways, fmt.Sprintf("%s IN (SELECT held.case_id FROM case_relation held WHERE held.person = %s AND held.relation IN (%s))",
			c.caseID, by.holder, texts(stored)))
	}
	if may.Has(None) {
		ways = append(ways, "NOT "+relation(c.caseID, by.holder, allRelations.stored()))
	}
	return or(ways)
}

func relation(caseID, person string, relations []string) string {
	return fmt.Sprintf("EXISTS (SELECT 1 FROM case_relation held WHERE held.case_id = %s AND held.person = %s AND held.relation IN (%s))",
		caseID, person, texts(relations))
}

func anyOf(value, array string) string {
	if array == "" {
		return ""
	}
	return fmt.Sprintf("%s = ANY (%s)", value, array)
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
