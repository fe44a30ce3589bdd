package procedure_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"

	"ejustice.dev/operator/modules/procedure"
)

// A page says a reason's subject in the reader's language.
func TestReasonsHaveNames(t *testing.T) {
	d := parse(t, full(t))
	for code, want := range map[procedure.ReasonCode]string{
		procedure.ReasonFeeUnpaid: "fees", procedure.ReasonDocumentMissing: "documents", procedure.ReasonDeadlineNotPassed: "deadlines",
		procedure.ReasonLastDayNeeded: "deadlines", procedure.ReasonCounterAtCeiling: "counters", procedure.ReasonFactUnknown: "facts",
		procedure.ReasonStageDiffers: "stages", procedure.ReasonOutcomeDiffers: "outcomes", procedure.ReasonRole: "events",
		procedure.ReasonUnknownFact: "", procedure.ReasonAnyOf: "", procedure.ReasonWrongVersion: "", procedure.ReasonForeignState: "",
	} {
		if got := code.List(); got != want {
			t.Errorf("%s is about %q, want %q", code, got, want)
		}
	}
	for language, want := range map[string]string{"en": "Filing fee", "fr": "Frais", "ar": "Filing fee"} {
		if got := d.Name("fees", "filing", language); got != want {
			t.Errorf("in %s: %s, want %s", language, got, want)
		}
	}
	if got := d.Name("fees", "nothing", "en"); got != "nothing" {
		t.Errorf("an unknown fee is called %s", got)
	}
	// Every reason that the engine gives for an event has a subject with a name.
	state := d.Begin()
	state.Workflow = "registered"
	for _, option := range d.Events(state, nil, monday) {
		for _, reason := range option.Reasons {
			if reason.AnyOf == nil && d.Name(reason.Code.List(), reason.Subject, "fr") == reason.Subject {
				t.Errorf("%s: %s has no name", reason.Code, reason.Subject)
			}
		}
	}
}

// Every code is in the list that pages translate by, once.
func TestReasonCodesAreComplete(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "reason.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := 0
	ast.Inspect(file, func(node ast.Node) bool {
		spec, is := node.(*ast.ValueSpec)
		if !is || spec.Type == nil || len(spec.Values) != 1 {
			return true
		}
		code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		declared++
		if !slices.Contains(procedure.ReasonCodes, procedure.ReasonCode(code)) {
			t.Errorf("%s is not in ReasonCodes", code)
		}
		return true
	})
	if declared == 0 || declared != len(procedure.ReasonCodes) {
		t.Errorf("%d codes are declared, %d listed", declared, len(procedure.ReasonCodes))
	}
}
