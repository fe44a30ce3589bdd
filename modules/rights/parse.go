package rights

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxTable bounds a table, in bytes, and maxLines in lines: a people's rights
// fit on some pages, or nobody reads them.
const (
	maxTable = 1 << 20
	maxLines = 500
)

// parse reads a table. Errors name the line. Refused are unknown words, lines
// that can never matter or say nothing new, and a table that leaves a role
// undescribed.
func parse(text []byte) (*table, error) {
	switch {
	case len(text) > maxTable:
		return nil, fmt.Errorf("has more than %d bytes", maxTable)
	case !utf8.Valid(text):
		return nil, errors.New("is not UTF-8")
	}
	reader := csv.NewReader(bytes.NewReader(text))
	reader.Comment = '#'
	reader.FieldsPerRecord = -1
	t := &table{}
	for n := 0; ; n++ {
		fields, err := reader.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err // names the line
		}
		number, _ := reader.FieldPos(0)
		if n == maxLines {
			return nil, fmt.Errorf("line %d: there are more than %d lines that are no comment", number, maxLines)
		}
		if err := t.add(number, fields); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	for role := Anyone; role < roleEnd; role++ {
		if t.roles[role].kind == "" {
			return nil, fmt.Errorf("has no role line for %s", role)
		}
	}
	t.unfold()
	return t, t.check()
}

// kinds of line, and how many cells each has.
var kinds = map[string]int{"role": 5, "apart": 3, "never": 7, "may": 8}

func (t *table) add(number int, fields []string) error {
	kind := fields[0]
	count, ok := kinds[kind]
	switch {
	case !ok:
		return errors.New("must begin with role, apart, never or may")
	case len(fields) != count:
		return fmt.Errorf("a %s line has %d cells, this one has %d", kind, count, len(fields))
	}
	switch kind {
	case "role":
		return t.addRole(fields)
	case "apart":
		return t.addApart(fields)
	}
	l := line{number: number, never: kind == "never", cells: fields}
	if err := l.read(); err != nil {
		return err
	}
	t.lines = append(t.lines, l)
	return nil
}

func (t *table) addRole(fields []string) error {
	role := roleWords.index(fields[1])
	switch {
	case role == 0:
		return unknownWord(fields[1], roleWords)
	case t.roles[role].kind != "":
		return fmt.Errorf("the role %s is described twice", fields[1])
	}
	// Whether a role needs a strong sign-in hangs on this word.
	want := []string{"staff", "outside"}
	switch Role(role) {
	case Anyone:
		want = []string{"all"}
	case Service:
		want = []string{"program"}
	}
	if !slices.Contains(want, fields[2]) {
		return fmt.Errorf("the kind of %s must be %s", fields[1], strings.Join(want, " or "))
	}
	if strings.TrimSpace(fields[4]) == "" {
		return errors.New("the last cell must say what the role is")
	}
	var cover roleSet
	if fields[3] != "nobody" {
		var err error
		if cover, err = readRoles(fields[3]); err != nil {
			return err
		}
		if !Role(role).granted() {
			return fmt.Errorf("nobody can stand in for %s", fields[1])
		}
	}
	facts := &t.roles[role]
	facts.kind, facts.cover, facts.meaning = fields[2], cover, fields[4]
	return nil
}

func (t *table) addApart(fields []string) error {
	first, ok := ParseRole(fields[1])
	if !ok {
		return unknownWord(fields[1], roleWords)
	}
	voids, err := readRoles(fields[2])
	switch {
	case err != nil:
		return err
	case voids.has(first):
		return errors.New("a role cannot be apart from itself")
	case t.roles[first].voids != 0:
		return fmt.Errorf("there is an apart line for %s already", first)
	}
	t.roles[first].voids = voids
	return nil
}

// readRoles reads roles that can be granted.
func readRoles(text string) (roleSet, error) {
	indices, err := readWords(text, roleWords, false)
	if err != nil {
		return 0, err
	}
	var set roleSet
	for _, i := range indices {
		if !Role(i).granted() {
			return 0, fmt.Errorf("%s is no role that a person is given", Role(i))
		}
		set |= 1 << i
	}
	return set, nil
}

// read fills the line from its cells.
func (l *line) read() error {
	var relations, needs []int
	columns := []struct {
		words words
		into  *[]int
	}{{roleWords, &l.roles}, {reachWords, &l.reaches}, {relationWords, &relations}, {sealingWords, &l.levels},
		{actionWords, &l.actions}, {groupWords, &l.groups}}
	for i, column := range columns {
		var err error
		if *column.into, err = readWords(l.cells[i+1], column.words, true); err != nil {
			return err
		}
	}
	for _, r := range relations {
		l.relations |= 1 << r
	}
	if !l.never && l.cells[7] != "" {
		var err error
		if needs, err = readWords(l.cells[7], needWords, false); err != nil {
			return err
		}
	}
	for _, n := range needs {
		l.needs |= 1 << (n - 1)
	}
	return l.fits()
}

// fits refuses what has no case: a role that is held without a grant and is
// therefore for the whole tenant, by another reach; a program's relation; and
// actions and field groups of which none belong together.
func (l *line) fits() error {
	for _, role := range l.roles {
		if Role(role).granted() || l.cells[1] == "any" {
			continue
		}
		if l.cells[2] != "any" && l.cells[2] != reachTenant.String() {
			return fmt.Errorf("can never match: %s is held for the whole tenant", Role(role))
		}
		if Role(role) == Service && !l.relations.Has(None) {
			return fmt.Errorf("can never match: %s has no relation to a case", Role(role))
		}
	}
	for _, action := range l.actions {
		if l.cells[5] != "any" && !slices.ContainsFunc(l.groups, func(g int) bool { return known(Action(action), FieldGroup(g)) }) {
			return fmt.Errorf("can never match: %s is not about any of these fields", Action(action))
		}
	}
	for _, group := range l.groups {
		if l.cells[6] != "any" && !slices.ContainsFunc(l.actions, func(a int) bool { return known(Action(a), FieldGroup(group)) }) {
			return fmt.Errorf("can never match: none of these actions is about %s", FieldGroup(group))
		}
	}
	return nil
}

// readWords reads the words of one cell, separated by one space each.
func readWords(text string, known words, anyAllowed bool) ([]int, error) {
	if text == "any" && anyAllowed {
		all := make([]int, len(known)-1)
		for i := range all {
			all[i] = i + 1
		}
		return all, nil
	}
	var found []int
	for code := range strings.SplitSeq(text, " ") {
		i := known.index(code)
		switch {
		case i == 0:
			return nil, unknownWord(code, known)
		case slices.Contains(found, i):
			return nil, fmt.Errorf("says %s twice", code)
		}
		found = append(found, i)
	}
	return found, nil
}

func unknownWord(code string, known words) error {
	codes := make([]string, 0, len(known))
	for _, w := range known[1:] {
		codes = append(codes, w.code)
	}
	return fmt.Errorf("%.40q is not one of: %s", code, strings.Join(codes, ", "))
}
