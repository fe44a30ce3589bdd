package procedure_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"ejustice.dev/operator/modules/procedure"
)

type ccdRow = map[string]any

// generateCCD makes up a definition: a chain of states with side ways, returns,
// and events of every form that the format knows.
func generateCCD(seed uint64, states, events int) (stateRows, eventRows []ccdRow) {
	random := rand.New(rand.NewPCG(seed, 1))
	name := func(i int) string { return fmt.Sprintf("State_%02d", i) }
	any := func() string { return name(random.IntN(states)) }
	for i := range states {
		stateRows = append(stateRows, ccdRow{"CaseTypeID": "Made_Up", "ID": name(i), "Name": fmt.Sprintf("State no. %d", i), "Description": "d", "DisplayOrder": i + 1})
	}
	for i := range events {
		row := ccdRow{"CaseTypeID": "Made_Up", "ID": fmt.Sprintf("event%d", i), "Name": fmt.Sprintf("Event %d", i), "DisplayOrder": fmt.Sprint(i)}
		switch {
		case i == 0:
			row["PostConditionState"] = name(0)
		case i < states: // the chain
			row["PreConditionState(s)"], row["PostConditionState"] = name(i-1), name(i)
		case i%5 == 0:
			row["PreConditionState(s)"], row["PostConditionState"] = "*", "*"
		case i%5 == 1:
			row["PreConditionState(s)"], row["PostConditionState"] = any()+"; "+any(), any()
		case i%5 == 2:
			row["PreConditionState(s)"] = any()
			row["PostConditionState"] = fmt.Sprintf(`%s(fieldA="Yes" AND fieldB!=""):1;%s(fieldA="No"):2;%s`, any(), any(), any())
		case i%5 == 3:
			row["PreConditionState(s)"], row["PostConditionState"] = any(), any()
			row["EventEnablingCondition"] = `(fieldC!="closed" OR fieldD="*") AND list CONTAINS "x; y"`
		default:
			row["PreConditionState(s)"] = any() + ";" + any() + ";" + any()
			row["PostConditionState"] = fmt.Sprintf(`*(nested.field="a;b"):3;%s:99`, any())
		}
		eventRows = append(eventRows, row)
	}
	// Every state keeps a way out, so that a case can always go on.
	eventRows = append(eventRows, ccdRow{"CaseTypeID": "Made_Up", "ID": "reopen", "Name": "Reopen", "PreConditionState(s)": name(states - 1), "PostConditionState": name(0), "DisplayOrder": 9999})
	return stateRows, eventRows
}

func importCCD(t testing.TB, stateRows, eventRows []ccdRow) (*procedure.Document, procedure.Problems) {
	t.Helper()
	states, err := json.Marshal(stateRows)
	if err != nil {
		t.Fatal(err)
	}
	events, err := json.Marshal(eventRows)
	if err != nil {
		t.Fatal(err)
	}
	return procedure.ImportCCD(states, events, "")
}

// A foreign procedure of the size of a real tribunal's fits, and runs.
func TestImportCCD(t *testing.T) {
	for seed := range uint64(5) {
		stateRows, eventRows := generateCCD(seed, 34, 170)
		d, problems := importCCD(t, stateRows, eventRows)
		if err := problems.Err(); err != nil {
			t.Fatal(err)
		}
		if len(d.States) != 35 || len(d.AllEvents) != 171 {
			t.Fatalf("%d states, %d events", len(d.States), len(d.AllEvents))
		}
		if gaps, _ := d.Findings(); len(gaps) < 5 {
			t.Errorf("gaps: %v", gaps)
		}
		text, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if again := parse(t, string(text)); len(procedure.Diff(d, again)) != 0 {
			t.Error("written and read, the document differs")
		}
		walk(t, d, seed)
	}
}

// walk lets events happen along the chain of states.
func walk(t *testing.T, d *procedure.Document, seed uint64) {
	state := d.Begin()
	input := procedure.Input{Roles: []procedure.Role{"court-administrator"}}
	for i := range 34 {
		next, _, err := d.Apply(state, fmt.Sprintf("event%d", i), input, time.Unix(0, 0))
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		state = next
	}
	if state.Workflow != "State_33" {
		t.Errorf("ended in %s", state.Workflow)
	}
}

// Post-states and conditions mean what they mean in CCD.
func TestCCDConditions(t *testing.T) {
	states := []ccdRow{}
	for i, id := range []string{"Open", "A", "B", "C", "Done"} {
		states = append(states, ccdRow{"CaseTypeID": "T", "ID": id, "Name": id, "DisplayOrder": i})
	}
	events := []ccdRow{
		{"CaseTypeID": "T", "ID": "create", "PostConditionState": "Open"},
		{"CaseTypeID": "T", "ID": "go", "PreConditionState(s)": "Open", "PostConditionState": `C;B(x="2" OR y!="" AND z="3"):2; A(x="1"):1 ;*(x="stay"):3`},
		{"CaseTypeID": "T", "ID": "first", "PreConditionState(s)": "Open", "PostConditionState": `C;B(x="1"):2;A(x="1"):1`, "DisplayOrder": -1},
		{"CaseTypeID": "T", "ID": "unless", "PreConditionState(s)": "Open", "PostConditionState": "*", "EventEnablingCondition": `x!="1"`},
		{"CaseTypeID": "T", "ID": "any", "PreConditionState(s)": "Open", "PostConditionState": "*", "EventEnablingCondition": `x="*"`},
		{"CaseTypeID": "T", "ID": "empty", "PreConditionState(s)": "Open", "PostConditionState": "*", "EventEnablingCondition": `x=""`},
		{"CaseTypeID": "T", "ID": "flag", "PreConditionState(s)": "Open", "PostConditionState": "*", "EventEnablingCondition": `list CONTAINS "q"`},
		{"CaseTypeID": "T", "ID": "close", "PreConditionState(s)": "*", "PostConditionState": "Done"},
	}
	d, problems := importCCD(t, states, events)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	if first := d.AllEvents[0].Code; first != "first" {
		t.Errorf("%s comes first in spite of DisplayOrder", first)
	}
	roles := []procedure.Role{"court-administrator"}
	for _, c := range []struct {
		event string
		facts map[string]string
		want  string // the state, or "" when refused
	}{
		{"go", nil, "C"},
		{"go", map[string]string{"x": "1"}, "A"},
		{"go", map[string]string{"x": "2"}, "B"},
		{"go", map[string]string{"y": "any", "z": "3"}, "B"},
		{"go", map[string]string{"z": "3"}, "C"},
		{"go", map[string]string{"x": "stay"}, "Open"},
		{"first", map[string]string{"x": "1"}, "A"},
		{"unless", nil, "Open"},
		{"unless", map[string]string{"x": "2"}, "Open"},
		{"unless", map[string]string{"x": "1"}, ""},
		{"any", nil, ""},
		{"any", map[string]string{"x": "1"}, "Open"},
		{"empty", nil, "Open"},
		{"empty", map[string]string{"x": "1"}, ""},
		{"flag", nil, ""},
	} {
		state := d.Begin()
		state.Workflow = "Open"
		next, _, err := d.Apply(state, c.event, procedure.Input{Roles: roles, Known: procedure.Known{Facts: c.facts}}, monday)
		if (err == nil) != (c.want != "") || err == nil && next.Workflow != c.want {
			t.Errorf("%s with %v: %s, want %q (%v)", c.event, c.facts, next.Workflow, c.want, err)
		}
	}
	if done := d.States[slices.IndexFunc(d.States, func(s procedure.WorkflowState) bool { return s.Code == "Done" })]; !done.Final {
		t.Error("nothing leaves Done, and yet it is not final")
	}
	if flags := slices.IndexFunc(d.Facts, func(f procedure.Fact) bool { return f.Names["en"] == `list CONTAINS "q"` && f.Gap != "" }); flags < 0 {
		t.Errorf("what cannot be expressed is no gap: %+v", d.Facts)
	}
}

// Faults are told with file, row and column.
func TestImportCCDFindsFaults(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(states, events []ccdRow) ([]ccdRow, []ccdRow)
		want string
	}{
		{"unknown precondition", func(s, e []ccdRow) ([]ccdRow, []ccdRow) { e[3]["PreConditionState(s)"] = "Nowhere"; return s, e }, "CaseEvent[3].PreConditionState(s): there is no state Nowhere"},
		{"unknown post-state", func(s, e []ccdRow) ([]ccdRow, []ccdRow) { e[3]["PostConditionState"] = "Nowhere"; return s, e }, "CaseEvent[3].PostConditionState: there is no state Nowhere"},
		{"two defaults", func(s, e []ccdRow) ([]ccdRow, []ccdRow) {
			e[3]["PostConditionState"] = "State_01;State_02"
			return s, e
		}, "two states have no condition"},
		{"no first state", func(s, e []ccdRow) ([]ccdRow, []ccdRow) { e[0]["PostConditionState"] = "*"; return s, e }, "a new case needs a state"},
		{"condition", func(s, e []ccdRow) ([]ccdRow, []ccdRow) { e[3]["EventEnablingCondition"] = `a = b`; return s, e }, "CaseEvent[3].EventEnablingCondition: cannot be read"},
		{"event twice", func(s, e []ccdRow) ([]ccdRow, []ccdRow) { return s, append(e, e[2]) }, "event2 is there twice"},
		{"state twice", func(s, e []ccdRow) ([]ccdRow, []ccdRow) { return append(s, s[2]), e }, "State_02 is there twice"},
		{"no ID", func(s, e []ccdRow) ([]ccdRow, []ccdRow) { delete(e[3], "ID"); return s, e }, "CaseEvent[3].ID: the event needs an ID"},
		{"two types", func(s, e []ccdRow) ([]ccdRow, []ccdRow) { s[1]["CaseTypeID"] = "Other"; return s, e }, "ask for one of the case types Made_Up, Other"},
	} {
		states, events := c.make(generateCCD(1, 5, 12))
		d, problems := importCCD(t, states, events)
		if d != nil || !strings.Contains(problems.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, problems, c.want)
		}
	}
	if _, problems := procedure.ImportCCD([]byte("{}"), []byte("[1]"), ""); !strings.Contains(problems.Error(), "array of rows") || !strings.Contains(problems.Error(), "CaseEvent[0]") {
		t.Errorf("wrong structure: %v", problems)
	}
}

// Whatever rows come, an imported document is one that Parse accepts.
func FuzzImportCCD(f *testing.F) {
	stateRows, eventRows := generateCCD(1, 6, 20)
	states, _ := json.Marshal(stateRows)
	events, _ := json.Marshal(eventRows)
	f.Add(string(states), string(events))
	f.Add(`[{"CaseTypeID":"T","ID":"A"}]`, `[{"CaseTypeID":"T","ID":"e","PostConditionState":"A(((x=\"1\"))):1;A"}]`)
	f.Add(`[{"CaseTypeID":"T","ID":"A","Name":"\u0080\ufeff"}]`, `[{"CaseTypeID":"T","ID":"e","PostConditionState":"A"},{"CaseTypeID":"T","ID":"f","PreConditionState(s)":"*","PostConditionState":"*(a.b CONTAINS \"\")"}]`)
	f.Fuzz(func(t *testing.T, states, events string) {
		d, problems := procedure.ImportCCD([]byte(states), []byte(events), "")
		if (d == nil) != (problems.Err() != nil) {
			t.Fatalf("document %v, problems %v", d != nil, problems)
		}
		for _, problem := range problems {
			if problem.Kind == procedure.Structure && !strings.HasPrefix(problem.Path, "State") && !strings.HasPrefix(problem.Path, "CaseEvent") && !strings.Contains(problem.Text, "entries") {
				t.Fatalf("the importer wrote what Parse refuses: %v", problem)
			}
		}
	})
}
