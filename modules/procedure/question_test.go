package procedure_test

import (
	"strings"
	"testing"
	"time"

	"ejustice.dev/operator/modules/procedure"
)

// Every condition, its opposite, and what is said when nobody knows.
func TestConditions(t *testing.T) {
	term := func(days int) procedure.Term {
		expires := monday.AddDate(0, 0, days)
		return procedure.Term{Expires: &expires}
	}
	ended := term(-1)
	ended.Ended = &monday
	state := procedure.State{
		Stage: "trial", Outcome: "dropped", Documents: []string{"claim"},
		Counters:  map[string]int{"adjournments": 2},
		Facts:     map[string]string{"served": "true", "exParte": "false", "forum": "local", "value": "10000.5"},
		Fees:      map[string]procedure.FeeStatus{"filing": "deferred", "copy": "deferred"},
		Deadlines: map[string]procedure.Term{"answer": term(1), "notice": term(0), "reply": {}, "set": ended},
	}
	for _, c := range []struct{ condition, holds, opposite string }{
		{"{feePaid: filing}", "", "fee-paid filing"},
		{"{feePaid: copy}", "fee-unpaid copy", ""}, // it may not be deferred
		{"{documentsPresent: [claim]}", "", "document-present claim"},
		{"{documentsPresent: [claim, proof]}", "document-missing proof", ""},
		{"{deadlinePassed: answer}", "deadline-not-passed answer", ""},
		{"{deadlinePassed: notice}", "", "deadline-passed notice"}, // it passes at that instant
		{"{deadlinePassed: reply}", "deadline-unknown reply", "deadline-unknown reply"},
		{"{deadlinePassed: set}", "deadline-not-passed set", ""}, // it was met
		{"{deadlinePassed: custody}", "deadline-not-passed custody", ""},
		{"{deadlineRunning: answer}", "", "deadline-running answer"},
		{"{deadlineRunning: notice}", "deadline-not-running notice", ""},
		{"{deadlineRunning: reply}", "deadline-unknown reply", "deadline-unknown reply"},
		{"{deadlineRunning: set}", "deadline-not-running set", ""},
		{"{deadlineRunning: custody}", "deadline-not-running custody", ""},
		{"{counterBelow: {counter: adjournments, ceiling: 3}}", "", "counter-below-ceiling adjournments"},
		{"{counterBelow: {counter: adjournments, ceiling: 2}}", "counter-at-ceiling adjournments", ""},
		{"{fact: served}", "", "fact-set served"},
		{"{fact: exParte}", "fact-not-set exParte", ""},
		{"{factKnown: forum}", "", "fact-known forum"},
		{"{factKnown: servedOn}", "fact-unknown servedOn", ""},
		{"{factIs: {fact: forum, value: local}}", "", "fact-equals forum"},
		{"{factIs: {fact: forum, value: abroad}}", "fact-differs forum", ""},
		{"{factAtMost: {fact: value, parameter: small}}", "fact-too-high value", ""},
		{"{stage: trial}", "", "stage-equals trial"},
		{"{stage: pleadings}", "stage-differs pleadings", ""},
		{"{outcome: dropped}", "", "outcome-equals dropped"},
		{"{outcome: granted}", "outcome-differs granted", ""},
		{"{any: [{fact: exParte}, {fact: served}]}", "", "fact-set served"},
		{"{any: [{fact: exParte}, {stage: pleadings}]}", "any-of(fact-not-set exParte, stage-differs pleadings)", ""},
		{"{any: [{fact: exParte}, {deadlinePassed: reply}]}", "any-of(fact-not-set exParte, deadline-unknown reply)", "deadline-unknown reply"},
		{"{any: [{fact: served}, {deadlinePassed: reply}]}", "", "fact-set served, deadline-unknown reply"},
		{"{all: [{fact: served}, {stage: trial}]}", "", "any-of(fact-set served, stage-equals trial)"},
		{"{all: [{fact: exParte}, {deadlinePassed: reply}]}", "fact-not-set exParte, deadline-unknown reply", ""},
		{"{not: {not: {fact: exParte}}}", "fact-not-set exParte", ""},
	} {
		for guard, want := range map[string]string{c.condition: c.holds, "{not: " + c.condition + "}": c.opposite} {
			d := parse(t, strings.Replace(full(t), "guards: [{feePaid: filing}]", "guards: ["+guard+"]", 1))
			at := state
			at.Procedure, at.Version, at.Workflow = d.ID, d.Version, "hearing"
			_, _, err := d.Apply(at, "grant", procedure.Input{Roles: judge}, monday)
			got := ""
			if err != nil {
				got = refused(t, err)
			}
			if got != want {
				t.Errorf("%s: %q, want %q", guard, got, want)
			}
		}
	}
}

// Ignorance of the value is neither yes nor no.
func TestUnknownFacts(t *testing.T) {
	for _, guard := range []string{"{factAtMost: {fact: value, parameter: small}}", "{not: {factAtMost: {fact: value, parameter: small}}}", "{factIs: {fact: forum, value: local}}", "{not: {factIs: {fact: forum, value: local}}}"} {
		d := parse(t, strings.Replace(full(t), "guards: [{feePaid: filing}]", "guards: ["+guard+"]", 1))
		state := d.Begin()
		state.Workflow = "hearing"
		_, _, err := d.Apply(state, "grant", procedure.Input{Roles: judge}, time.Unix(1_800_000_000, 0))
		if got := refused(t, err); !strings.HasPrefix(got, "fact-unknown") {
			t.Errorf("%s: %s", guard, got)
		}
	}
}
