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
