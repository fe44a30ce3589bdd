package procedure

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// MaxBytes is the size of the largest document that is read.
const MaxBytes = 4 << 20

// Parse reads a document in YAML or JSON. It returns the document when nothing
// keeps it from being used; Problems may still hold warnings. Structural faults
// come alone: while a key is wrong, what it means cannot be judged. In JSON, a
// character beyond U+FFFF has to stand as itself and not as two \u escapes.
func Parse(data []byte) (*Document, Problems) {
	root, problem := parseText(data)
	if problem != nil {
		return nil, Problems{*problem}
	}
	d := decoder{marks: map[string]mark{}}
	document := new(Document)
	d.value(root, "", reflect.ValueOf(document).Elem(), constraints{})
	if d.problems.Err() != nil {
		d.problems.sort()
		return nil, d.problems
	}
	problems := check(document, d.marks)
	if problems.Err() != nil {
		return nil, problems
	}
	return document, problems
}

// parseText reads exactly one YAML document.
func parseText(data []byte) (*yaml.Node, *Problem) {
	if len(data) > MaxBytes {
		return nil, &Problem{Syntax, 1, 1, "", "the document is larger than 4 MiB: split or shorten it"}
	}
	reader := yaml.NewDecoder(bytes.NewReader(data))
	var root, second yaml.Node
	if err := reader.Decode(&root); err != nil {
		return nil, syntaxProblem(err)
	}
	switch err := reader.Decode(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		return nil, syntaxProblem(err)
	default:
		return nil, &Problem{Syntax, second.Line, second.Column, "", "a second document begins here: keep only one in a file"}
	}
	if root.Kind != yaml.DocumentNode || len(root.Content) != 1 {
		return nil, &Problem{Syntax, 1, 1, "", "the document is empty: write the procedure"}
	}
	return root.Content[0], nil
}

var syntaxLine = regexp.MustCompile(`line (\d+): `)

// syntaxProblem takes the line out of the library's sentence.
func syntaxProblem(err error) *Problem {
	if errors.Is(err, io.EOF) {
		return &Problem{Syntax, 1, 1, "", "the document is empty: write the procedure"}
	}
	text, line := strings.TrimPrefix(err.Error(), "yaml: "), 1
	if found := syntaxLine.FindStringSubmatchIndex(text); found != nil {
		line, _ = strconv.Atoi(text[found[2]:found[3]])
		text = text[:found[0]] + text[found[1]:]
	}
	return &Problem{Syntax, max(line, 1), 1, "", "this is neither YAML nor JSON: " + text}
}
