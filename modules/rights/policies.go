package rights

import (
	_ "embed" // for the functions
	"fmt"
	"strings"
)

// functions read the setting for the policies.
//
//go:embed functions.sql
var functions string

// settingAsker asks the setting, which Setting makes, for the actor. Its fields
// are SQL expressions; the setting and the relations to a case are read once a
// row, and everything else compares with them.
type settingAsker struct {
	who    string // the setting
	grants string // of the setting, those of the holder, such as ["clerk@A"]
	held   string // the holder's relations, an array of texts
	acts   string // those of who acts, when that is another
}

func (s settingAsker) granted(roles []Role, reaches []reach, c columns) string {
	var wanted []string
	for _, r := range reaches {
		column := r.column(c)
		for _, role := range roles {
			switch {
			case r == reachTenant:
				wanted = append(wanted, "'"+grantText(role, "")+"'")
			case column != "":
				wanted = append(wanted, fmt.Sprintf("'%s' || nullif(%s, '')", grantText(role, ""), column))
			}
		}
	}
	if len(wanted) == 0 {
		return ""
	}
	return fmt.Sprintf("%s ?| ARRAY[%s]", s.grants, strings.Join(wanted, ", "))
}

func (s settingAsker) related(relations []string, _ columns) string {
	return overlap(s.held, relations)
}

func (s settingAsker) unrelated(columns) string { return s.held + " = '{}'" }

func (s settingAsker) refused(relations []string, _ columns) string {
	ways := []string{overlap(s.held, relations)}
	if s.acts != "" {
		ways = append(ways, overlap(s.acts, relations))
	}
	return "(" + strings.Join(ways, " OR ") + ")"
}

func (s settingAsker) reason(c columns) string {
	return fmt.Sprintf("%s -> 'reasons' ? %s::text", s.who, c.caseID)
}

func (s settingAsker) order(c columns) string {
	return fmt.Sprintf("%s -> 'orders' ? %s::text", s.who, c.caseID)
}

func overlap(array string, codes []string) string {
	return fmt.Sprintf("%s && '{%s}'", array, strings.Join(codes, ","))
}

// policyCondition says that whoever the setting names may do one of the asks.
func policyCondition(table Table, asks ...Ask) string {
	name := quoted(table.Name)
	c := table.columns(name)
	own := settingAsker{who: "my.who", grants: "my.who -> 'grants'", held: "my.relations"}
	absent := settingAsker{who: "my.who", grants: "absent.grants", held: "their.relations", acts: "my.relations"}
	var direct, delegated []string
	for _, ask := range asks {
		direct = append(direct, standard.alternatives(ask, own, c)...)
		delegated = append(delegated, standard.alternatives(ask, absent, c)...)
	}
	if len(direct) == 0 {
		return "false"
	}
	return table.within(name, fmt.Sprintf(personCondition, strings.Join(direct, "\n    OR "),
		relationsOf("absent.person::uuid", "", c), strings.Join(delegated, "\n        OR "),
		relationsOf("((SELECT rights_actor()) ->> 'person')::uuid", "(SELECT rights_actor()) AS who, ", c)))
}

// personCondition asks for the actor, and where the actor stands in for
// somebody, for each of those.
const personCondition = `(SELECT %s
    OR (my.who ? 'for' AND EXISTS (SELECT 1 FROM jsonb_each(my.who -> 'for') AS absent(person, grants),
        LATERAL (%s) AS their
        WHERE %s))
FROM (%s) AS my)`

// relationsOf reads a person's relations to the row's case. As it counts
// together, PostgreSQL does it once a row, by the primary key.
func relationsOf(person, more string, c columns) string {
	return fmt.Sprintf("SELECT %scoalesce(array_agg(held.relation), '{}') AS relations FROM case_relation held WHERE held.case_id = %s AND held.person = %s",
		more, c.caseID, person)
}

// relationPolicies protect the rows that say who is what to which case. A case
// cannot be asked, because its own policies ask these rows: so everybody sees
// their own and those of whom they stand in for, and who may assign sees all.
// That shows ids and nothing of what is in a case.
func relationPolicies(b *strings.Builder) {
	assign := holds(standard.rolesFor(CaseAssign) | standard.rolesFor(CaseName))
	file := holds(standard.rolesFor(CaseFile))
	protect(b, "case_relation")
	policy(b, "case_relation", "read", "SELECT", "USING", "(SELECT rights_actor()) -> 'people' ? person::text OR "+assign)
	// Whoever files says who the parties are, and nobody but the court more.
	policy(b, "case_relation", "insert", "INSERT", "WITH CHECK",
		fmt.Sprintf("%s OR (relation IN (%s) AND %s)", assign, texts(SetOf(Registry, PartyTo, Counsel, Prosecution).stored()), file))
	policy(b, "case_relation", "delete", "DELETE", "USING", assign)
}

// rolesFor are the roles that may do the action at all.
func (t *table) rolesFor(action Action) roleSet {
	var roles roleSet
	for _, group := range groupsOf[action] {
		for _, a := range t.arms(Ask{action, group}) {
			roles |= a.roles
		}
	}
	return roles
}

// holds says that the actor holds one of the roles, for any court.
func holds(roles roleSet) string {
	return fmt.Sprintf("(SELECT rights_actor()) -> 'roles' ?| ARRAY[%s]", texts(roles.codes()))
}
