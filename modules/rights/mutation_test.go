package rights

import (
	"fmt"
	"strings"
	"testing"
)

// mutant is the table with one line changed.
type mutant struct {
	what  string
	table *table
}

// Whoever changes a line by mistake is told by a test: each line is taken
// away, each is made wider by each word that it lacks and each need that it
// has, and each line that refuses is made narrower. Every change that changes
// an answer breaks the expectation; if it opens what is restricted or sealed,
// it breaks a promise, too.
func TestAMistakeInAnyLineIsFound(t *testing.T) {
	counts := map[string]int{}
	for _, m := range mutants(t) {
		r := examine(m)
		switch {
		case !r.changed:
			// The same answers by another line: fewer needs elsewhere, or refused.
			counts["same answers"]++
			if strings.HasPrefix(m.what, "without line") {
				t.Errorf("%s: nothing changes", m.what)
			}
			continue
		case !r.found:
			t.Errorf("%s: answers change and no expectation is broken", m.what)
		case r.secret && !r.promised:
			t.Errorf("%s: opens what is restricted or sealed and breaks no promise", m.what)
		}
		counts["other answers, found"]++
		if r.secret {
			counts["of these opening what is restricted or sealed, found by a promise"]++
		}
	}
	t.Log(counts)
	if counts["of these opening what is restricted or sealed, found by a promise"] < 1000 {
		t.Error("too few mistakes were tried")
	}
}

// result is what examine found of a mutant.
type result struct {
	changed  bool // an answer differs
	found    bool // and breaks the expectation
	secret   bool // something restricted or sealed opens
	promised bool // and that breaks a promise
}

// examine looks at the situations to which a changed cell belongs, the secret
// ones first, until it knows enough.
func examine(m mutant) (r result) {
	for level := Sealed; level >= Public; level-- {
		for role := Anyone; role < roleEnd; role++ {
			for reach := reachOwn; reach < reachEnd; reach++ {
				for _, ask := range pairs {
					i := index(role, reach, level, ask.Action, ask.Group)
					if m.table.cells[i] == standard.cells[i] {
						continue
					}
					for s := range around(role, reach, level, ask) {
						r.look(m.table, s)
						if r.found && (r.promised || level < Restricted) {
							return r
						}
					}
				}
			}
		}
	}
	return r
}

func (r *result) look(mutated *table, s situation) {
	before, after := s.decide(standard), s.decide(mutated)
	before.Why, after.Why = 0, 0
	if before == after {
		return
	}
	r.changed = true
	broken := broken(mutated, s) != ""
	r.found = r.found || broken || after.Allowed != expect(s)
	if s.level >= Restricted && after.Allowed && !before.Allowed {
		r.secret = true
		r.promised = r.promised || broken
	}
}

// around yields the situations in which a cell is looked up.
func around(role Role, r reach, level Sealing, ask Ask) func(func(situation) bool) {
	where := map[reach]place{reachOwn: here, reachTenant: everywhere, reachAppeal: appealHere, reachSent: sentFrom}[r]
	if role == Anyone { // shown by somebody whose own role does not reach
		role, where = Party, elsewhere
	}
	return func(yield func(situation) bool) {
		for _, relations := range relationSets() {
			for flags := range 8 {
				s := situation{role, where, relations, level, ask, true, flags&1 != 0, flags&2 != 0, flags&4 != 0}
				if s.protected && ask.Action != TraceReadNames {
					continue // nothing else looks at it
				}
				if !yield(s) {
					return
				}
			}
		}
	}
}

func mutants(t *testing.T) []mutant {
	columns := []words{nil, roleWords, reachWords, relationWords, sealingWords, actionWords, groupWords}
	var found []mutant
	for i, l := range standard.lines {
		found = append(found, mutant{fmt.Sprintf("without line %d", l.number), remade(t, i, nil)})
		for column := 1; column < len(columns); column++ {
			if l.cells[column] == "any" {
				continue
			}
			has := strings.Fields(l.cells[column])
			if l.never {
				for _, word := range has {
					if len(has) > 1 {
						cells := changed(l.cells, column, strings.TrimSpace(strings.ReplaceAll(" "+l.cells[column]+" ", " "+word+" ", " ")))
						found = append(found, mutant{fmt.Sprintf("line %d without %s", l.number, word), remade(t, i, cells)})
					}
				}
				continue
			}
			for _, w := range columns[column][1:] {
				if !strings.Contains(" "+l.cells[column]+" ", " "+w.code+" ") {
					cells := changed(l.cells, column, l.cells[column]+" "+w.code)
					found = append(found, mutant{fmt.Sprintf("line %d with %s", l.number, w.code), remade(t, i, cells)})
				}
			}
		}
		if l.never || l.cells[7] == "" {
			continue
		}
		for _, word := range strings.Fields(l.cells[7]) {
			cells := changed(l.cells, 7, strings.TrimSpace(strings.ReplaceAll(" "+l.cells[7]+" ", " "+word+" ", " ")))
			found = append(found, mutant{fmt.Sprintf("line %d without %s", l.number, word), remade(t, i, cells)})
		}
	}
	return found
}

func changed(cells []string, column int, text string) []string {
	copied := append([]string{}, cells...)
	copied[column] = text
	return copied
}

// remade is the table with line i changed to cells, or without it. The checks
// of the parser are passed over: some mistakes they would refuse already.
func remade(t *testing.T, i int, cells []string) *table {
	t.Helper()
	m := &table{roles: standard.roles}
	m.lines = append(m.lines, standard.lines[:i]...)
	if cells != nil {
		l := line{number: standard.lines[i].number, never: standard.lines[i].never, cells: cells}
		_ = l.read() // a combination that can never match is harmless
		m.lines = append(m.lines, l)
	}
	m.lines = append(m.lines, standard.lines[i+1:]...)
	m.unfold()
	return m
}
