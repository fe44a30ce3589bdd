package procedure

import (
	"fmt"
	"slices"
	"strings"
)

// Kind says what sort of problem a document has.
type Kind string

const (
	// Syntax: the text is neither YAML nor JSON.
	Syntax Kind = "syntax"
	// Structure: a key is unknown, missing or holds the wrong sort of value.
	// schema.json finds exactly these.
	Structure Kind = "structure"
	// Meaning: the parts do not fit together.
	Meaning Kind = "meaning"
	// Warning: the document works, but somebody should look.
	Warning Kind = "warning"
)

// Problem is one thing to mend in a document. Line and Column count from 1.
// Path names the place, for example "events[3].roles[0]".
type Problem struct {
	Kind   Kind   `json:"kind"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Path   string `json:"path"`
	Text   string `json:"text"`
}

func (p Problem) String() string {
	return fmt.Sprintf("%d:%d: %s: %s: %s", p.Line, p.Column, p.Kind, p.Path, p.Text)
}

// Problems are all problems of a document, in the order of its lines.
type Problems []Problem

// maxProblems bounds an answer: nobody mends more than this in one go.
const maxProblems = 200

// add leaves room for as many faults as warnings, so that warnings never hide
// the fault that keeps a document from being used.
func (p *Problems) add(problem Problem) {
	limit := 2 * maxProblems
	if problem.Kind == Warning {
		limit = maxProblems
	}
	if len(*p) < limit {
		*p = append(*p, problem)
	}
}

// Err returns the problems that keep the document from being used, or nil.
func (p Problems) Err() error {
	faults := slices.DeleteFunc(slices.Clone(p), func(one Problem) bool { return one.Kind == Warning })
	if len(faults) == 0 {
		return nil
	}
	return faults
}

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

func (p Problems) sort() {
	slices.SortStableFunc(p, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
}
