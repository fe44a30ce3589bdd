package rights

import (
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Table is a table of the database whose rows are protected.
type Table struct {
	Name string
	// Case, Court and Sealing are columns: the case's id (uuid), the code of its
	// court and its sealing level (text). AppealCourt, FromCourt (text) and
	// Protected (boolean, not null) may be left empty; what needs them is then
	// refused.
	Case, Court, Sealing, AppealCourt, FromCourt, Protected string
	// Of, unless nil, is the table of the cases, whose columns are used in the
	// stead of this one's; Case is then the column that refers to it.
	Of *Table
	// OwnSealing, with Of, is a column with the row's own level, of which and
	// the case's the stricter one holds.
	OwnSealing string
	// Read is what somebody must be allowed to who reads a row; Insert and
	// Update are what one of must be allowed to who writes one. Without any,
	// nobody writes. Nobody deletes.
	Read           Ask
	Insert, Update []Ask
}

// SQL writes the row-level security of the tables, and of the table
// case_relation (case_id uuid, person uuid, relation text), from the table of
// rights: for a migration. It may run again when a table of this list or a
// rule has changed.
//
// The owner of the tables is bound, too; a superuser, and whoever has
// BYPASSRLS, is not. TRUNCATE and the checks of foreign keys and of unique
// indexes do not look at policies.
func SQL(tables ...Table) string {
	var b strings.Builder
	b.WriteString(functions)
	for _, table := range tables {
		name := quoted(table.Name)
		protect(&b, name)
		policy(&b, name, "read", "SELECT", "USING", policyCondition(table, table.Read))
		if len(table.Insert) > 0 {
			policy(&b, name, "insert", "INSERT", "WITH CHECK", policyCondition(table, table.Insert...))
		}
		if len(table.Update) > 0 {
			policy(&b, name, "update", "UPDATE", "USING", policyCondition(table, table.Update...))
		}
	}
	relationPolicies(&b)
	return b.String()
}

// protect drops what an earlier version made: a policy that is not written
// anew must not stay.
func protect(b *strings.Builder, name string) {
	fmt.Fprintf(b, "\nALTER TABLE %[1]s ENABLE ROW LEVEL SECURITY;\nALTER TABLE %[1]s FORCE ROW LEVEL SECURITY;\n", name)
	for _, what := range []string{"read", "insert", "update", "delete"} {
		fmt.Fprintf(b, "DROP POLICY IF EXISTS rights_%s ON %s;\n", what, name)
	}
}

func policy(b *strings.Builder, table, what, command, clause, condition string) {
	fmt.Fprintf(b, "CREATE POLICY rights_%s ON %s FOR %s %s (\n%s\n);\n", what, table, command, clause, condition)
}

// within puts a condition that is about the table of the cases where it is.
func (t Table) within(name, condition string) string {
	if t.Of == nil {
		return condition
	}
	parent := quoted(t.Of.Name)
	return fmt.Sprintf("EXISTS (SELECT 1 FROM %s WHERE %s.%s = %s.%s AND (\n%s))", parent,
		parent, quoted(t.Of.Case), name, quoted(t.Case), condition)
}

// columns are the table's, as a query that calls it by name says them.
func (t Table) columns(name string) columns {
	from, source := name, t
	if t.Of != nil {
		from, source = quoted(t.Of.Name), *t.Of
	}
	column := func(c string) string {
		if c == "" {
			return ""
		}
		return from + "." + quoted(c)
	}
	c := columns{column(source.Case), column(source.Court), column(source.AppealCourt), column(source.FromCourt),
		column(source.Sealing), column(source.Protected)}
	if t.OwnSealing != "" {
		c.sealing = fmt.Sprintf("rights_stricter(%s, %s.%s)", c.sealing, name, quoted(t.OwnSealing))
	}
	return c
}

// quoted is a name as SQL takes any.
func quoted(name string) string { return pgx.Identifier{name}.Sanitize() }
