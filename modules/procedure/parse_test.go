package procedure_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"ejustice.dev/operator/modules/procedure"
)

// full is a document that uses every key.
func full(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func parse(t testing.TB, text string) *procedure.Document {
	t.Helper()
	document, problems := procedure.Parse([]byte(text))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return document
}

// replace changes exactly one place of a text.
func replace(t testing.TB, text, old, with string) string {
	t.Helper()
	if n := strings.Count(text, old); n != 1 {
		t.Fatalf("%q is there %d times", old, n)
	}
	return strings.Replace(text, old, with, 1)
}

func lineOf(text, part string) int {
	return 1 + strings.Count(text[:strings.Index(text, part)], "\n")
}

func TestParseAcceptsTheFullDocument(t *testing.T) {
	document, problems := procedure.Parse([]byte(full(t)))
	if document == nil || len(problems) != 0 {
		t.Fatalf("problems:\n%v", problems)
	}
	gaps, recalled := document.Findings()
	var texts []string
	for _, gap := range gaps {
		texts = append(texts, fmt.Sprint(gap.Path, " ", gap.Text))
	}
	if got, want := strings.Join(texts, "; "), "fees[1] The tariff was not found.; deadlines[2] The length was not found.; gaps[0] Retention: How long files are kept."; got != want {
		t.Errorf("gaps: %s, want %s", got, want)
	}
	if len(recalled) != 1 || recalled[0].Path != "calendars[0].holidays[7]" || recalled[0].Line != lineOf(full(t), "Thanksgiving") {
		t.Errorf("recalled: %v", recalled)
	}
}

// What is not one document of YAML or JSON has one problem, in its line.
func TestParseSyntax(t *testing.T) {
	for _, c := range []struct {
		name, text, want string
		line             int
	}{
		{"nothing", "", "is empty", 1},
		{"a remark", "# nothing\n", "is empty", 1},
		{"not closed", "id: x\nnames: {en: a\n", "neither YAML nor JSON", 1},
		{"two documents", "id: x\n---\nid: y\n", "second document", 2},
		{"wrong after the first", "id: x\n---\nid: [\n", "neither YAML nor JSON", 3},
		{"too large", strings.Repeat("#", procedure.MaxBytes+1), "larger than", 1},
		{"a list", "- id: x\n", "write keys with values", 1},
		{"keys that are no texts", "? [a]\n: b\n", "put it in quotes", 1},
	} {
		document, problems := procedure.Parse([]byte(c.text))
		if document != nil || len(problems) == 0 || !strings.Contains(problems.Error(), c.want) {
			t.Errorf("%s: %v", c.name, problems)
		} else if problems[0].Line < c.line || problems[0].Line > c.line+1 {
			t.Errorf("%s: line %d, want %d", c.name, problems[0].Line, c.line)
		}
	}
}

// JSON is read by the same parser and keeps its lines, tabs and escapes.
func TestParseReadsJSON(t *testing.T) {
	value, err := toJSON([]byte(full(t)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(value, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	asciiOnly := strings.ReplaceAll(string(text), "é", `\u00e9`)
	document := parse(t, asciiOnly)
	if document.States[1].Names["fr"] != "Déposé" {
		t.Errorf("read %q", document.States[1].Names["fr"])
	}
	wrong := replace(t, asciiOnly, `"country": "XX"`, `"country": "xx"`)
	_, problems := procedure.Parse([]byte(wrong))
	if len(problems) != 1 || problems[0].Line != lineOf(wrong, `"country"`) {
		t.Errorf("problems: %v", problems)
	}
}

// However many warnings there are, a fault is found.
func TestWarningsHideNoFault(t *testing.T) {
	var deadlines, fees strings.Builder
	for i := range 290 {
		fmt.Fprintf(&deadlines, "  - {code: idle%d, names: {en: I, fr: I}, byCourt: true}\n", i)
	}
	for i := range 190 {
		fmt.Fprintf(&fees, "  - {code: idle%d, names: {en: I, fr: I}, amount: \"1\", currency: XCD}\n", i)
	}
	text := replace(t, full(t), "\ndeadlines:\n", "\ndeadlines:\n"+deadlines.String())
	text = replace(t, text, "\nfees:\n", "\nfees:\n"+fees.String())
	if document, problems := procedure.Parse([]byte(text)); document == nil || len(problems) < 100 {
		t.Fatalf("%d problems: %v", len(problems), problems.Err())
	}
	text = replace(t, text, "roles: [registrar]", "roles: []")
	if document, problems := procedure.Parse([]byte(text)); document != nil || problems.Err() == nil {
		t.Error("the fault behind the warnings was not found")
	}
	deep := strings.Repeat("{not: ", 12) + "{fact: served}" + strings.Repeat("}", 12)
	text = replace(t, full(t), "guards: [{feePaid: filing}]", "guards: ["+deep+"]")
	if _, problems := procedure.Parse([]byte(text)); !strings.Contains(problems.Error(), "make them simpler") {
		t.Errorf("deep conditions: %v", problems)
	}
}

// Warnings do not keep a document from being used.
func TestParseWarns(t *testing.T) {
	for _, c := range []struct{ name, old, with, want string }{
		{"year not announced", ", days: []}\n", ", days: []}\n      - {year: 2028, days: []}\n", ""},
		{"year missing", "      - {year: 2027, days: []}\n", "", "announced for 2027 are not entered"},
		{"open end", ", until: 2027-12-31", "", ""},
		{"unused fact", "  - {code: served,", "  - {code: idle, names: {en: I, fr: I}, kind: flag}\n  - {code: served,", "no rule uses idle"},
		{"no transition", "- from: 1.0.0", "- from: 0.9.0", "no transition from 1.0.0"},
		{"never due", "    fees: [filing]\n", "", "no event makes filing due"},
		{"never counted", "counts: [{counter: adjournments, add: 1}]", "note: x", ""},
		{"never ends", "from: [hearing]\n    roles: [judge]\n    guards: [{feePaid: filing}]\n    to: closed", "from: [hearing]\n    roles: [judge]\n    to: hearing", ""},
	} {
		document, problems := procedure.Parse([]byte(replace(t, full(t), c.old, c.with)))
		if document == nil {
			t.Errorf("%s: %v", c.name, problems)
		} else if c.want == "" && len(problems) > 0 || !strings.Contains(problems.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, problems, c.want)
		}
	}
}
