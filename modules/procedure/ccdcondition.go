package procedure

import (
	"fmt"
	"regexp"
	"strings"
)

// ccdComparison is FIELD="value", FIELD!="value" or FIELD CONTAINS "value".
var ccdComparison = regexp.MustCompile(`^\s*([A-Za-z0-9_.\[\]]+)\s*(=|!=|CONTAINS)\s*"([^"]*)"`)

// maxCCDDepth bounds brackets within brackets. An OR and an AND of ours stand for
// each pair of theirs, and three conditions for a comparison.
const maxCCDDepth = (maxDepth - 5) / 2

// conditions reads an enabling condition: comparisons with AND, OR and brackets.
// AND binds more strongly, as in CCD.
func (im *importer) conditions(r row, column, text string) []Condition {
	e := ccdExpression{importer: im, rest: text}
	condition, right := e.or(0)
	if !right || strings.TrimSpace(e.rest) != "" {
		im.fail(r, column, `cannot be read: write FIELD="value" with =, != or CONTAINS, and AND or OR between`)
		return nil
	}
	return []Condition{condition}
}

type ccdExpression struct {
	*importer
	rest string
}

func (e *ccdExpression) take(word string) bool {
	rest, found := strings.CutPrefix(strings.TrimSpace(e.rest), word)
	if found {
		e.rest = rest
	}
	return found
}

func (e *ccdExpression) or(depth int) (Condition, bool) {
	list, right := e.series(depth, "OR", e.and)
	if len(list) == 1 {
		return list[0], right
	}
	return Condition{Any: list}, right
}

func (e *ccdExpression) and(depth int) (Condition, bool) {
	list, right := e.series(depth, "AND", e.one)
	if len(list) == 1 {
		return list[0], right
	}
	return Condition{All: list}, right
}

// series reads parts with a word between. A document holds at most 20 of them.
func (e *ccdExpression) series(depth int, word string, read func(int) (Condition, bool)) (list []Condition, right bool) {
	for {
		one, right := read(depth)
		list = append(list, one)
		if !right || len(list) > 20 {
			return list, false
		}
		if !e.take(word) {
			return list, true
		}
	}
}

func (e *ccdExpression) one(depth int) (Condition, bool) {
	if depth < maxCCDDepth && e.take("(") {
		inner, right := e.or(depth + 1)
		return inner, right && e.take(")")
	}
	found := ccdComparison.FindStringSubmatch(e.rest)
	if found == nil {
		return Condition{}, false
	}
	e.rest = e.rest[len(found[0]):]
	return e.comparison(found[1], found[2], found[3])
}

// comparison keeps CCD's sense of fields without a value: they equal nothing, and
// "*" stands for any value. What a document cannot express becomes a flag that
// somebody has to set, and a gap.
func (e *ccdExpression) comparison(field, operator, value string) (Condition, bool) {
	if badWording(field, "code") != "" || operator == "CONTAINS" || field == none {
		return Condition{Fact: e.flag(fmt.Sprintf("%s %s %q", field, operator, value))}, true
	}
	known := Condition{FactKnown: field}
	if value != "" && badWording(value, "text") != "" || strings.ContainsFunc(value, unreadable) {
		return Condition{}, false
	}
	if value == "" && operator == "=" || value == "*" && operator == "!=" {
		known = Condition{Not: &Condition{FactKnown: field}}
	}
	e.facts[field] = Fact{Named: Named{field, Names{"en": field}}, Kind: Text}
	if value == "" || value == "*" {
		return known, true
	}
	equal := Condition{FactIs: &FactIs{field, value}}
	if operator == "=" {
		return Condition{All: []Condition{known, equal}}, true
	}
	return Condition{Any: []Condition{{Not: &known}, {Not: &equal}}}, true
}

// flag is the fact that stands for a condition.
func (e *ccdExpression) flag(text string) string {
	if badWording(text, "text") != "" {
		text = "A condition that cannot be shown."
	}
	for code, fact := range e.facts {
		if fact.Kind == Flag && fact.Names["en"] == text {
			return code
		}
	}
	code := fmt.Sprintf("condition-%d", len(e.facts)+1) // no field has a -
	e.facts[code] = Fact{
		Rule:  Rule{Gap: "A document cannot express this condition of CCD: somebody has to answer it."},
		Named: Named{code, Names{"en": text}}, Kind: Flag,
	}
	return code
}

// ccdRole is who may trigger events until the document's author says otherwise.
const ccdRole Role = "court-administrator"
