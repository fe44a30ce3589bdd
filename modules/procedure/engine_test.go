package procedure_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"ejustice.dev/operator/modules/procedure"
)

var (
	monday  = time.Date(2026, 3, 2, 13, 0, 0, 0, time.UTC) // 9:00 in Saint Lucia
	clerk   = []procedure.Role{"clerk"}
	judge   = []procedure.Role{"judge"}
	staff   = []procedure.Role{"clerk", "judge", "registrar"}
	claimed = procedure.Known{Documents: []string{"claim"}}
)

// apply lets an event happen that must not be refused.
func apply(t testing.TB, d *procedure.Document, state procedure.State, event string, known procedure.Known, now time.Time) (procedure.State, []procedure.Effect) {
	t.Helper()
	next, effects, err := d.Apply(state, event, procedure.Input{Roles: staff, Known: known}, now)
	if err != nil {
		t.Fatal(err)
	}
	return next, effects
}

// refused are the reasons of a refusal, as "code subject".
func refused(t testing.TB, err error) string {
	t.Helper()
	var refusal *procedure.Refusal
	if !errors.As(err, &refusal) {
		t.Fatalf("error %v is no refusal", err)
	}
	return list(refusal.Reasons)
}

func list(reasons []procedure.Reason) string {
	var parts []string
	for _, reason := range reasons {
		part := string(reason.Code) + " " + reason.Subject
		if reason.AnyOf != nil {
			part = string(reason.Code) + "(" + list(reason.AnyOf) + ")"
		}
		parts = append(parts, strings.TrimSpace(part))
	}
	return strings.Join(parts, ", ")
}

func kinds(effects []procedure.Effect) string {
	var parts []string
	for _, effect := range effects {
		parts = append(parts, string(effect.Kind)+" "+effect.Code)
	}
	return strings.Join(parts, ", ")
}

// A case goes from its beginning to its end, and every effect is as written.
func TestCaseFromBeginningToEnd(t *testing.T) {
	d := parse(t, full(t))
	state := d.Begin()
	var effects []procedure.Effect
	steps := []struct {
		event   string
		known   procedure.Known
		effects string
		state   string
	}{
		{"submit", claimed, "state submitted, stage pleadings, fee-due filing", "submitted/pleadings/"},
		{"register", procedure.Known{Facts: map[string]string{"value": "10000.01"}, Fees: map[string]procedure.FeeStatus{"filing": "paid"}},
			"state registered, number registration, fee-due copy, notice register", "registered/pleadings/"},
		{"refer", procedure.Known{}, "number referred", "registered/pleadings/"},
		{"serve", procedure.Known{Facts: map[string]string{"served": "true", "servedOn": "2026-03-02"}, Documents: []string{"proof"}},
			"deadline-started answer, deadline-started notice, deadline-started reply", "registered/pleadings/"},
	}
	for _, step := range steps {
		state, effects = apply(t, d, state, step.event, step.known, monday)
		if got := kinds(effects); got != step.effects {
			t.Errorf("%s: effects %s, want %s", step.event, got, step.effects)
		}
		if got := state.Workflow + "/" + state.Stage + "/" + state.Outcome; got != step.state {
			t.Errorf("%s: state %s, want %s", step.event, got, step.state)
		}
	}
	// 2 March + 15 francs days is the 18th; three court days are the 5th.
	if last := state.Deadlines["answer"].Last.String(); last != "2026-03-18" {
		t.Errorf("answer until %s", last)
	}
	_, _, err := d.Apply(state, "hear", procedure.Input{Roles: judge}, monday.AddDate(0, 0, 2))
	if got, want := refused(t, err), "deadline-not-passed notice, any-of(deadline-not-passed answer, deadline-running answer, fact-unknown forum), last-day-needed set"; got != want {
		t.Errorf("refused: %s, want %s", got, want)
	}
	later := monday.AddDate(0, 0, 17)
	state, effects = apply(t, d, state, "hear", procedure.Known{Ends: map[string]procedure.Day{"set": day(t, "2026-04-01")}}, later)
	if got := kinds(effects); got != "state hearing, stage trial, deadline-ended answer, deadline-ended reply, deadline-started set" {
		t.Errorf("hear: %s", got)
	}
	if last := effects[4].Term.Last.String(); last != "2026-04-01" {
		t.Errorf("set until %s", last)
	}
	for range 3 {
		state, _ = apply(t, d, state, "adjourn", procedure.Known{}, later)
	}
	_, _, err = d.Apply(state, "adjourn", procedure.Input{Roles: judge}, later)
	if got := refused(t, err); got != "counter-at-ceiling adjournments" {
		t.Errorf("fourth adjournment: %s", got)
	}
	state, _ = apply(t, d, state, "grant", procedure.Known{}, later)
	if state.Workflow != "closed" || state.Outcome != "granted" || state.Counters["adjournments"] != 3 {
		t.Errorf("at the end: %+v", state)
	}
	if options := d.Events(state, staff, later); len(options) != 0 {
		t.Errorf("events after the end: %d", len(options))
	}
}

// What Events says is what Apply does, and each reason is named.
func TestEventsGiveReasons(t *testing.T) {
	d := parse(t, full(t))
	submitted, _ := apply(t, d, d.Begin(), "submit", claimed, monday)
	for _, c := range []struct {
		name  string
		state procedure.State
		roles []procedure.Role
		event string
		want  string
	}{
		{"nothing there", d.Begin(), clerk, "submit", "document-missing claim"},
		{"no role", d.Begin(), nil, "submit", "role-not-allowed submit, document-missing claim"},
		{"other role", d.Begin(), judge, "submit", "role-not-allowed submit, document-missing claim"},
		{"unpaid, and a branch nobody can choose", submitted, staff, "register", "fee-unpaid filing, fact-unknown value"},
		{"no custody to prolong", submitted, judge, "prolong", "deadline-not-running custody"},
		{"allowed", submitted, judge, "drop", ""},
	} {
		found := false
		for _, option := range d.Events(c.state, c.roles, monday) {
			if option.Event.Code != c.event {
				continue
			}
			found = true
			if got := list(option.Reasons); got != c.want || option.Allowed != (c.want == "") {
				t.Errorf("%s: %s, want %s", c.name, got, c.want)
			}
		}
		if !found {
			t.Errorf("%s: %s is not listed", c.name, c.event)
		}
		_, _, err := d.Apply(c.state, c.event, procedure.Input{Roles: c.roles}, monday)
		if (err == nil) != (c.want == "") || err != nil && refused(t, err) != c.want {
			t.Errorf("%s: Apply says %v", c.name, err)
		}
	}
	for _, option := range d.Events(submitted, judge, monday) {
		if option.Event.Code == "detain" && list(option.Needs) != "fact-unknown arrestedAt" {
			t.Errorf("detain needs %s", list(option.Needs))
		}
	}
}

// A refusal changes nothing, and says what is wrong with the input.
func TestApplyRefuses(t *testing.T) {
	d := parse(t, full(t))
	submitted, _ := apply(t, d, d.Begin(), "submit", claimed, monday)
	foreign := submitted
	foreign.Version = "1.0.0"
	unheard := submitted
	unheard.Workflow = "nowhere"
	text := func(code, value string) procedure.Known {
		return procedure.Known{Facts: map[string]string{code: value}}
	}
	for _, c := range []struct {
		name  string
		state procedure.State
		event string
		input procedure.Input
		want  string
	}{
		{"other version", foreign, "drop", procedure.Input{}, "wrong-version xx-civil"},
		{"state from nowhere", unheard, "drop", procedure.Input{}, "foreign-state nowhere"},
		{"no state", procedure.State{Procedure: "xx-civil", Version: "2.0.0"}, "drop", procedure.Input{}, "foreign-state"},
		{"unknown event", submitted, "explode", procedure.Input{}, "unknown-event explode"},
		{"wrong state", submitted, "grant", procedure.Input{}, "wrong-state grant"},
		{"unknown fact", submitted, "drop", procedure.Input{Known: text("x", "true")}, "unknown-fact x"},
		{"bad flag", submitted, "drop", procedure.Input{Known: text("served", "yes")}, "bad-fact served"},
		{"bad number", submitted, "drop", procedure.Input{Known: text("value", "-1")}, "bad-fact value"},
		{"bad date", submitted, "drop", procedure.Input{Known: text("servedOn", "2026-02-30")}, "bad-fact servedOn"},
		{"bad instant", submitted, "drop", procedure.Input{Known: text("arrestedAt", "2026-02-03")}, "bad-fact arrestedAt"},
		{"bad text", submitted, "drop", procedure.Input{Known: text("forum", "a\nb")}, "bad-fact forum"},
		{"unknown document", submitted, "drop", procedure.Input{Known: procedure.Known{Documents: []string{"x"}}}, "unknown-document x"},
		{"unknown fee", submitted, "drop", procedure.Input{Known: procedure.Known{Fees: map[string]procedure.FeeStatus{"x": "paid"}}}, "unknown-fee x"},
		{"bad fee", submitted, "drop", procedure.Input{Known: procedure.Known{Fees: map[string]procedure.FeeStatus{"copy": "gone"}}}, "bad-fee-status copy"},
		{"not deferrable", submitted, "drop", procedure.Input{Known: procedure.Known{Fees: map[string]procedure.FeeStatus{"copy": "deferred"}}}, "fee-not-deferrable copy"},
		{"not running", submitted, "drop", procedure.Input{Known: procedure.Known{Ends: map[string]procedure.Day{"set": 1}}}, "deadline-not-running set"},
		{"unknown deadline", submitted, "drop", procedure.Input{Known: procedure.Known{Ends: map[string]procedure.Day{"x": 1}}}, "unknown-deadline x"},
		{"extension of nothing", submitted, "drop", procedure.Input{Extensions: map[string][]string{"answer": {"abroad"}}}, "unknown-deadline answer"},
	} {
		before, _ := json.Marshal(c.state)
		c.input.Roles = staff
		after, effects, err := d.Apply(c.state, c.event, c.input, monday)
		if got := refused(t, err); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if now, _ := json.Marshal(c.state); effects != nil || !reflect.DeepEqual(after, c.state) || string(now) != string(before) {
			t.Errorf("%s: something changed", c.name)
		}
	}
}

// A fee that was settled does not fall due again, and a counter begins anew.
func TestFeesAndCounters(t *testing.T) {
	d := parse(t, full(t))
	paid := procedure.Known{Documents: []string{"claim"}, Fees: map[string]procedure.FeeStatus{"filing": "paid"}}
	state, effects := apply(t, d, d.Begin(), "submit", paid, monday)
	if state.Fees["filing"] != "paid" || strings.Contains(kinds(effects), "fee-due") {
		t.Errorf("fees %v, effects %s", state.Fees, kinds(effects))
	}
	state.Workflow, state.Counters = "registered", map[string]int{"adjournments": 2}
	if state, _ = apply(t, d, state, "refer", procedure.Known{}, monday); state.Counters["adjournments"] != 0 {
		t.Errorf("counters %v", state.Counters)
	}
}

// An event is there only while it is in force, by the court's own days.
func TestEventInForce(t *testing.T) {
	d := parse(t, replace(t, full(t), "    validity: {from: 2026-01-01}\n", "    validity: {from: 2026-03-10, until: 2026-03-11}\n"))
	state := d.Begin()
	state.Workflow, state.Fees = "hearing", map[string]procedure.FeeStatus{"filing": "paid"}
	for at, want := range map[string]string{
		"2026-03-10T03:59:59Z": "not-in-force grant", // still the 9th in Saint Lucia
		"2026-03-10T04:00:00Z": "",
		"2026-03-12T03:59:59Z": "",
		"2026-03-12T04:00:00Z": "not-in-force grant",
	} {
		_, _, err := d.Apply(state, "grant", procedure.Input{Roles: judge}, instant(t, at))
		if (err == nil) != (want == "") || err != nil && refused(t, err) != want {
			t.Errorf("%s: %v, want %s", at, err, want)
		}
	}
}

func instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func day(t testing.TB, text string) procedure.Day {
	t.Helper()
	d, err := procedure.ParseDay(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
