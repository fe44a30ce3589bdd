package procedure_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"ejustice.dev/operator/modules/procedure"
)

// The old state stays as it was, the same arguments give the same answer, and a
// state survives being stored.
func TestApplyIsPure(t *testing.T) {
	d := parse(t, full(t))
	start, _ := apply(t, d, d.Begin(), "submit", claimed, monday)
	before, _ := json.Marshal(start)
	known := procedure.Known{Facts: map[string]string{"value": "10000"}, Fees: map[string]procedure.FeeStatus{"filing": "deferred"}}
	one, first := apply(t, d, start, "register", known, monday)
	two, second := apply(t, d, start, "register", known, monday)
	if !reflect.DeepEqual(one, two) || !reflect.DeepEqual(first, second) {
		t.Error("the same event had different effects")
	}
	if after, _ := json.Marshal(start); string(after) != string(before) {
		t.Errorf("the old state changed: %s", after)
	}
	if one.Workflow != "fastTrack" {
		t.Errorf("a claim at the limit went to %s", one.Workflow)
	}
	served, _ := apply(t, d, one, "serve", procedure.Known{Facts: map[string]string{"served": "true", "servedOn": "2026-03-02"}, Documents: []string{"proof"}}, monday)
	text, err := json.Marshal(served)
	if err != nil {
		t.Fatal(err)
	}
	var back procedure.State
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, served) {
		t.Errorf("stored and read: %v\n%+v\n%+v", err, served, back)
	}
}

// Nothing that a state holds is shared with the state after it.
func TestApplySharesNothing(t *testing.T) {
	d := parse(t, full(t))
	expires := monday.AddDate(0, 0, 5)
	state := d.Begin()
	state.Workflow, state.Stage = "hearing", "trial"
	state.Counters = map[string]int{"adjournments": 1}
	state.Facts = map[string]string{"served": "true"}
	state.Fees = map[string]procedure.FeeStatus{"filing": "due"}
	state.Documents = append(make([]string, 0, 8), "proof")
	state.Deadlines = map[string]procedure.Term{"set": {Expires: &expires}}
	before, _ := json.Marshal(state)
	known := procedure.Known{
		Facts: map[string]string{"served": "false", "arrestedAt": "2026-03-02T08:00:00Z"}, Documents: []string{"claim"},
		Fees: map[string]procedure.FeeStatus{"filing": "paid"}, Ends: map[string]procedure.Day{"set": day(t, "2026-05-01")},
	}
	for _, event := range []string{"adjourn", "detain"} {
		apply(t, d, state, event, known, monday)
		if after, _ := json.Marshal(state); string(after) != string(before) {
			t.Errorf("%s changed the old state from %s to %s", event, before, after)
		}
	}
}

// A notice is held back when the case is ex parte.
func TestNoticeIsWithheld(t *testing.T) {
	d := parse(t, full(t))
	submitted, _ := apply(t, d, d.Begin(), "submit", claimed, monday)
	for _, exParte := range []bool{false, true} {
		known := procedure.Known{Facts: map[string]string{"value": "1", "exParte": fmt.Sprint(exParte)}, Fees: map[string]procedure.FeeStatus{"filing": "waived"}}
		_, effects := apply(t, d, submitted, "register", known, monday)
		if last := effects[len(effects)-1]; last.Kind != procedure.EffectNotice || last.Withheld != exParte {
			t.Errorf("ex parte %v: %+v", exParte, last)
		}
	}
	_, effects := apply(t, d, submitted, "detain", procedure.Known{Facts: map[string]string{"arrestedAt": "2026-03-02T00:00:00Z"}}, monday)
	if last := effects[len(effects)-1]; !last.Withheld {
		t.Errorf("detain told somebody: %+v", last)
	}
	// Nobody can take a notice back, so that it waits when nobody knows.
	unsure := parse(t, replace(t, full(t), "withheldWhen: [{fact: exParte}]", "withheldWhen: [{factIs: {fact: forum, value: secret}}]"))
	known := procedure.Known{Facts: map[string]string{"value": "1"}, Fees: map[string]procedure.FeeStatus{"filing": "waived"}}
	_, effects = apply(t, unsure, submitted, "register", known, monday)
	if last := effects[len(effects)-1]; last.Kind != procedure.EffectNotice || !last.Withheld {
		t.Errorf("told before anybody knew: %+v", last)
	}
}
