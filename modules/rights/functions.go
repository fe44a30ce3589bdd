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

// relationPolicies protect the rows that say who is what to which case. A case
// cannot be asked, because its own policies ask these rows: so everybody sees
// their own and those of whom they stand in for, and who may assign sees all.
// That shows ids and nothing of what is in a case.
func relationPolicies(b *strings.Builder) {
	assign := holds(standard.rolesFor(CaseAssign) | standard.rolesFor(CaseName))
	file := holds(standard.rolesFor(CaseFile))
	protect(b, "case_relation")
	policy(b, "case_relation", "read", "SELECT", "USING",
		"person = (SELECT rights_person()) OR person IN (SELECT rights_absent()) OR "+assign)
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
	return fmt.Sprintf("(SELECT rights_holds(%s))", texts(roles.codes()))
}
