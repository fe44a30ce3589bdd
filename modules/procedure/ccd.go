package procedure

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// Columns of the CCD definition format, from the importer of
// hmcts/ccd-definition-store-api.
const (
	ccdCaseType = "CaseTypeID"
	ccdID       = "ID"
	ccdName     = "Name"
	ccdOrder    = "DisplayOrder"
	ccdPre      = "PreConditionState(s)"
	ccdPost     = "PostConditionState"
	ccdEnabling = "EventEnablingCondition"
)

// ccdStart is the state before an event with no precondition creates the case.
const ccdStart = "not-yet-created"

// ImportCCD makes a document of a CCD definition's State and CaseEvent rows, as
// arrays of JSON objects. caseType chooses a CaseTypeID; "" does when there is
// only one. What CCD keeps elsewhere (roles, calendars, deadlines, fees, names in
// other languages) is a gap in the document: its author completes it. Problems
// name the file, the row from 0 and the column.
func ImportCCD(state, caseEvent []byte, caseType string) (*Document, Problems) {
	im := importer{facts: map[string]Fact{}}
	states, events := im.rows("State", state), im.rows("CaseEvent", caseEvent)
	caseType = im.choose(states, caseType)
	if im.problems.Err() != nil {
		return nil, im.problems
	}
	im.states(states, caseType)
	im.events(events, caseType)
	if im.problems.Err() != nil {
		return nil, im.problems
	}
	document := im.document(caseType)
	text, err := json.Marshal(document)
	if err != nil {
		return nil, Problems{{Syntax, 1, 1, "", "writing the document: " + err.Error()}}
	}
	return Parse(text)
}

// row is one object of a file.
type row struct {
	file  string
	index int
	node  *yaml.Node
	cells map[string]*yaml.Node
}

func (r row) text(column string) string {
	if cell := r.cells[column]; cell != nil && cell.Kind == yaml.ScalarNode && cell.ShortTag() != "!!null" {
		return strings.TrimSpace(cell.Value)
	}
	return ""
}

type importer struct {
	problems   Problems
	stateList  []WorkflowState
	eventList  []Event
	facts      map[string]Fact
	stateCodes []string
}

func (im *importer) fail(r row, column, format string, args ...any) {
	at := r.node
	if cell := r.cells[column]; cell != nil {
		at = cell
	}
	im.problems.add(Problem{Meaning, at.Line, at.Column, fmt.Sprintf("%s[%d].%s", r.file, r.index, column), fmt.Sprintf(format, args...)})
}

func (im *importer) rows(file string, data []byte) (rows []row) {
	root, problem := parseText(data)
	if problem != nil {
		problem.Path = file
		im.problems.add(*problem)
		return nil
	}
	if root.Kind != yaml.SequenceNode {
		im.problems.add(Problem{Structure, root.Line, root.Column, file, "write an array of rows"})
		return nil
	}
	for i, node := range root.Content {
		if node.Kind != yaml.MappingNode {
			im.problems.add(Problem{Structure, node.Line, node.Column, fmt.Sprintf("%s[%d]", file, i), "write an object with the columns as keys"})
			continue
		}
		r := row{file, i, node, map[string]*yaml.Node{}}
		for j := 0; j+1 < len(node.Content); j += 2 {
			r.cells[node.Content[j].Value] = node.Content[j+1]
		}
		rows = append(rows, r)
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(a.order(), b.order()) })
	return rows
}

func (r row) order() int {
	n, _ := strconv.Atoi(r.text(ccdOrder))
	return n
}

// choose finds the one case type of the states when none was asked for.
func (im *importer) choose(states []row, caseType string) string {
	var types []string
	for _, r := range states {
		if name := r.text(ccdCaseType); !slices.Contains(types, name) {
			types = append(types, name)
		}
	}
	if caseType == "" && len(types) == 1 {
		caseType = types[0]
	}
	if !slices.Contains(types, caseType) || badWording(caseType, "code") != "" {
		im.problems.add(Problem{Meaning, 1, 1, "State", "ask for one of the case types " + strings.Join(types, ", ")})
	}
	return caseType
}

func (im *importer) states(rows []row, caseType string) {
	for _, r := range rows {
		if r.text(ccdCaseType) != caseType {
			continue
		}
		code := r.text(ccdID)
		switch {
		case badWording(code, "code") != "" || code == none:
			im.fail(r, ccdID, "the state needs an ID of letters, digits, - _ and .")
		case code == ccdStart || slices.Contains(im.stateCodes, code):
			im.fail(r, ccdID, "%s is there twice: choose another ID", code)
		default:
			im.stateCodes = append(im.stateCodes, code)
			im.stateList = append(im.stateList, WorkflowState{Named: Named{code, r.names()}})
		}
	}
}

// names is what people call a row. CCD has one language.
func (r row) names() Names {
	name := strings.Map(func(c rune) rune {
		if unreadable(c) {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(r.text(ccdName), ""))
	if name = strings.TrimSpace(name); badWording(name, "text") != "" {
		name = r.text(ccdID)
	}
	return Names{"en": name}
}

// unreadable says whether a character may not stand in a YAML text.
func unreadable(c rune) bool {
	return unicode.IsControl(c) || c == '\ufeff' || c == '\ufffe' || c == '\uffff'
}

func (im *importer) events(rows []row, caseType string) {
	seen := map[string]bool{}
	for _, r := range rows {
		if r.text(ccdCaseType) != caseType {
			continue
		}
		code := r.text(ccdID)
		if badWording(code, "code") != "" || code == none {
			im.fail(r, ccdID, "the event needs an ID of letters, digits, - _ and .")
			continue
		}
		if seen[code] {
			im.fail(r, ccdID, "%s is there twice: choose another ID", code)
			continue
		}
		seen[code] = true
		event := Event{Named: Named{code, r.names()}, Roles: []Role{ccdRole}}
		event.From = im.preconditions(r)
		im.poststates(r, &event)
		if enabling := r.text(ccdEnabling); enabling != "" {
			event.Guards = im.conditions(r, ccdEnabling, enabling)
		}
		im.eventList = append(im.eventList, event)
	}
	if len(seen) == 0 {
		im.problems.add(Problem{Meaning, 1, 1, "CaseEvent", "there is no event of " + caseType + ": add rows with this CaseTypeID"})
	}
}

// preconditions are the states in which an event may happen. None creates the
// case, "*" is every state of an existing one.
func (im *importer) preconditions(r row) (from []string) {
	text := r.text(ccdPre)
	if text == "" {
		return []string{ccdStart}
	}
	for part := range strings.SplitSeq(text, ";") {
		switch state := strings.TrimSpace(part); {
		case state == "*":
			return slices.Clone(im.stateCodes)
		case state == "" || slices.Contains(from, state):
		case !slices.Contains(im.stateCodes, state):
			im.fail(r, ccdPre, "there is no state %s: add it to State or mend the ID", state)
		default:
			from = append(from, state)
		}
	}
	if from == nil {
		im.fail(r, ccdPre, "write states, or leave it empty for an event that creates the case")
	}
	return from
}
