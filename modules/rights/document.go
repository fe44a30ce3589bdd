package rights

import (
	"fmt"
	"slices"
	"strings"
)

//go:generate go run ./print ../../docs/rights.md

// Document writes docs/rights.md from the table: for people who must know what
// the law of the system is, and need not read programs.
func Document() string { return standard.document() }

const documentHead = `# Who may do what

<!-- Made from modules/rights/rules.csv by "go generate ./modules/rights". Change that file, not this one. -->

For a ministry's lawyers, and for everybody who must answer for this: who may see and do what
with a case. The programs decide by the same table from which this page is made, and so does
the database, so that a mistake in a program does not open a sealed case.

## The principles

1. **What no line allows is refused.** Nobody has a right because it was forgotten to take it away.
2. **Five things decide together**: the role, the court for which the role was given, what the
   person is to the case, how strictly the case is sealed, and what is asked for. A document may
   be sealed more strictly than its case, never less.
3. **What somebody may not see does not exist for them**: not in lists, counts, searches or error
   messages. Who is told that a reason is missing may know of the case already.
4. **Being excluded overrides everything**, also what everybody may see of a public case, and also
   for who stands in.
5. **Nobody handles their own case.** Where somebody is a party or counsel, their staff roles do
   not count; a judge who is a party sees the case as a party does.
6. **Staff roles do nothing without a second factor** at sign-in (the kind of a role is below).
7. **Standing in** gives what the absent person has and no more, in the cases that the absent
   person has, until a date. It takes somebody who could hold such an office (below), it cannot be
   passed on, and it ends where the deputy or the absent person is excluded or is a party.
8. **Who watches does not act, who gives roles does not see**: see the roles that stand apart.
   Nobody gives themselves a role.
9. **A restricted case is opened with a reason**, which is recorded before it opens. Parties and
   counsel need none for their own case. **A sealed case is for those whom the court names.**
   Who seals a case must be among them, or loses sight of it.
10. **A party sees who opened their own case**: the names, or where somebody in the case is
    protected only the roles.
11. **Roles add up**, each with its own conditions. The trace says which one was used.

The table says what a role may do at most. The procedure of a country narrows it further: which
step is open to whom in which state of a case.

No lawyer of any country has reviewed this table yet. A ministry that uses it should.
`

func (t *table) document() string {
	var b strings.Builder
	b.WriteString(documentHead)
	t.roleList(&b)
	for role := Anyone; role < roleEnd; role++ {
		t.roleSection(&b, role)
	}
	b.WriteString("\n## The words of the table\n")
	wordLists(&b)
	t.lineList(&b)
	return b.String()
}

// wordLists say what the words mean.
func wordLists(b *strings.Builder) {
	for _, w := range []struct {
		title string
		words words
	}{{"Courts", reachWords}, {"Relations: the person …", relationWords}, {"Sealing: who may know of the case", sealingWords},
		{"Actions", actionWords}, {"Fields", groupWords}, {"Needs", needWords}} {
		fmt.Fprintf(b, "\n**%s**\n\n| word | meaning |\n|---|---|\n", w.title)
		for _, x := range w.words[1:] {
			fmt.Fprintf(b, "| `%s` | %s |\n", x.code, x.meaning)
		}
	}
}

// roleList says what roles there are.
func (t *table) roleList(b *strings.Builder) {
	b.WriteString("\n## The roles\n\n| role | what it is | kind | may be stood in for by | beside it do not count |\n|---|---|---|---|---|\n")
	for role := Anyone; role < roleEnd; role++ {
		r := t.roles[role]
		cover, apart := "nobody", "–"
		if r.cover != 0 {
			cover = strings.Join(r.cover.codes(), ", ")
		}
		if r.voids != 0 {
			apart = strings.Join(r.voids.codes(), ", ")
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", role, r.meaning, r.kind, cover, apart)
	}
}

// roleSection says what one role may do, by what the table comes to.
func (t *table) roleSection(b *strings.Builder, role Role) {
	fmt.Fprintf(b, "\n## What a role may do: %s\n", role)
	if never := t.never(role); len(never) > 0 {
		fmt.Fprintf(b, "\nNothing by this role for who is %s.\n", strings.Join(never, " or "))
	}
	for r := reachOwn; r < reachEnd; r++ {
		rows := t.rows(role, r)
		switch {
		case len(rows) == 0:
			continue
		case r == reachTenant && slices.Equal(rows, t.rows(role, reachOwn)):
			continue // said above
		}
		fmt.Fprintf(b, "\n%s:\n\n| may | about | public | parties | restricted | sealed |\n|---|---|---|---|---|---|\n%s", t.where(role, r), strings.Join(rows, ""))
	}
}

// where says by which reach.
func (t *table) where(role Role, r reach) string {
	switch {
	case !role.granted():
		return "Everywhere"
	case r == reachOwn && slices.Equal(t.rows(role, reachOwn), t.rows(role, reachTenant)):
		return "Where the role was given for the court that has the case, or for the whole country's courts"
	}
	return "Where " + reachWords[r].meaning
}

// never are the relations that refuse a role everywhere.
func (t *table) never(role Role) []string {
	never := allRelations
	for r := reachOwn; r < reachEnd; r++ {
		for level := Public; level < sealingEnd; level++ {
			for _, ask := range pairs {
				never &= t.cells[index(role, r, level, ask.Action, ask.Group)].never
			}
		}
	}
	if role == Service {
		return nil // it is nothing to any case
	}
	return never.stored()
}

// rows has a line for each action, and for field groups that differ.
func (t *table) rows(role Role, r reach) []string {
	var rows []string
	for action := CaseList; action < actionEnd; action++ {
		var answers []string
		groups := map[string][]string{}
		for _, group := range groupsOf[action] {
			answer := ""
			for level := Public; level < sealingEnd; level++ {
				answer += " | " + t.cells[index(role, r, level, action, group)].text()
			}
			if strings.Trim(answer, " |–") == "" {
				continue
			}
			if groups[answer] == nil {
				answers = append(answers, answer)
			}
			groups[answer] = append(groups[answer], group.String())
		}
		for _, answer := range answers {
			rows = append(rows, fmt.Sprintf("| %s | %s%s |\n", actionWords[action].meaning, strings.Join(groups[answer], ", "), answer))
		}
	}
	return rows
}

// text says what a cell allows.
func (c *cell) text() string {
	var ways []string
	for n, relations := range c.may {
		if relations &^= c.never; relations == 0 {
			continue
		}
		var parts []string
		if relations|c.never|SetOf(Self) != allRelations {
			parts = append(parts, "if "+strings.Join(relations.stored(), " or "))
		}
		for i, phrase := range []string{"with a reason", "on a judge's order", "unless somebody is protected"} {
			if need(n)&(1<<i) != 0 {
				parts = append(parts, phrase)
			}
		}
		if len(parts) == 0 {
			parts = []string{"yes"}
		}
		ways = append(ways, strings.Join(parts, ", "))
	}
	if len(ways) == 0 {
		return "–"
	}
	return strings.Join(ways, "; ")
}

// lineList is the table as it is written.
func (t *table) lineList(b *strings.Builder) {
	b.WriteString("\n## The whole table\n\n| line | | role | court | relation | sealing | action | fields | needs |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, l := range t.lines {
		cells := append(slices.Clone(l.cells), "")[:8]
		fmt.Fprintf(b, "| %d | %s |\n", l.number, strings.Join(cells, " | "))
	}
}
