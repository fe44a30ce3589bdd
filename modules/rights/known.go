package rights

import "fmt"

// knownAsker asks for one actor who is known when the query is written, so that
// what the actor does not hold is not asked for.
type knownAsker struct {
	values *values
	grants []Grant
	of     string // whose grants, "" for the actor's own
	// SQL expressions: whose relations allow; whose also refuse, or ""; arrays of
	// ids of cases, or "".
	holder, acts, reasons, orders string
}

func (k knownAsker) granted(roles []Role, reaches []reach, c columns) string {
	var courts []string
	tenant := false
	for _, g := range k.grants {
		for _, role := range roles {
			switch {
			case g.Role != role || g.For != k.of:
			case g.Court == "":
				tenant = true
			default:
				courts = append(courts, g.Court)
			}
		}
	}
	var ways []string
	for _, r := range reaches {
		if r == reachTenant && tenant {
			return "true"
		}
		if column := r.column(c); column != "" && len(courts) > 0 {
			ways = append(ways, fmt.Sprintf("%s = ANY (%s)", column, k.values.add(courts, "text[]")))
		}
	}
	return or(ways)
}

// related is written so that a query may begin with the holder's own cases.
func (k knownAsker) related(relations []string, c columns) string {
	return fmt.Sprintf("%s IN (SELECT held.case_id FROM case_relation held WHERE held.person = %s AND held.relation IN (%s))",
		c.caseID, k.holder, texts(relations))
}

func (k knownAsker) unrelated(c columns) string {
	return fmt.Sprintf("NOT EXISTS (SELECT 1 FROM case_relation held WHERE held.case_id = %s AND held.person = %s)", c.caseID, k.holder)
}

func (k knownAsker) refused(relations []string, c columns) string {
	people := k.holder
	if k.acts != "" {
		people += ", " + k.acts
	}
	return fmt.Sprintf("EXISTS (SELECT 1 FROM case_relation held WHERE held.case_id = %s AND held.person IN (%s) AND held.relation IN (%s))",
		c.caseID, people, texts(relations))
}

func (k knownAsker) reason(c columns) string { return anyOf(c.caseID, k.reasons) }

func (k knownAsker) order(c columns) string { return anyOf(c.caseID, k.orders) }

func anyOf(value, array string) string {
	if array == "" {
		return ""
	}
	return fmt.Sprintf("%s = ANY (%s)", value, array)
}
