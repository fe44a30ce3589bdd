package procedure_test

import (
	"strings"
	"testing"

	"ejustice.dev/operator/modules/procedure"
)

func TestDiff(t *testing.T) {
	old := parse(t, full(t))
	if changes := procedure.Diff(old, parse(t, full(t))); len(changes) != 0 {
		t.Errorf("a document differs from itself:\n%s", changes)
	}
	for _, c := range []struct{ name, old, with, want string }{
		{"number", "{count: 15, unit: days}", "{count: 20, unit: days}", "changed deadlines.answer.length.count: 15 → 20"},
		{"text", "{en: Draft, fr: Projet}", "{en: Drafted, fr: Projet}", "changed states.draft.names.en: Draft → Drafted"},
		{"date", "until: 2027-12-31", "until: 2027-12-30", "changed validity.until: 2027-12-31 → 2027-12-30"},
		{"flag", ", deferrable: true", "", "removed fees.filing.deferrable: true"},
		{"added key", "    stage: trial\n", "    stage: trial\n    outcome: granted\n", "added events.hear.outcome: granted"},
		{"role", "    roles: [clerk]\n", "    roles: [clerk, judge]\n", "added events.serve.roles[1]: judge"},
		{"roles swapped", "roles: [party, clerk]", "roles: [clerk, party]", "reordered events.submit.roles: party, clerk → clerk, party"},
		{"guard", "{fact: served}", "{fact: exParte}", "changed events.serve.guards[1].fact: served → exParte"},
		{"holiday before others", "    holidays:\n      - {names: {en: New Year", "    holidays:\n      - {names: {en: A, fr: A}, date: 02-22}\n      - {names: {en: New Year", `added calendars.court.holidays[0]: {"names":{"en":"A","fr":"A"},"date":"02-22"}`},
		{"new part", "outcomes:\n", "outcomes:\n  - {code: settled, names: {en: Settled, fr: Conclu}}\n", `added outcomes.settled: {"code":"settled","names":{"en":"Settled","fr":"Conclu"}}`},
		{"removed part", "  - {code: copy, names: {en: Copy fee, fr: Frais de copie}, currency: XCD, gap: The tariff was not found.}\n", "", `removed fees.copy: {"gap":"The tariff was not found.","code":"copy","names":{"en":"Copy fee","fr":"Frais de copie"},"currency":"XCD"}`},
	} {
		text := replace(t, full(t), c.old, c.with)
		if c.name == "removed part" {
			text = replace(t, text, "    fees: [copy]\n", "")
			c.want += "\nremoved events.register.fees: [\"copy\"]"
		}
		if got := procedure.Diff(old, parse(t, text)).String(); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

// older is a version 1.0.0 of the full document, with the codes that its
// transition maps.
func older(t *testing.T) *procedure.Document {
	text := full(t)
	text = text[:strings.Index(text, "transitions:")]
	text = strings.NewReplacer(
		"version: 2.0.0\n", "version: 1.0.0\n",
		"supersedes: 1.0.0\n", "",
		"code: submitted", "code: filed", "to: submitted", "to: filed", "from: [submitted]", "from: [filed]",
		"code: pleadings", "code: writing", "stage: pleadings", "stage: writing",
		"code: registered", "code: open", "to: registered", "to: open", "[registered", "[open",
		"code: value", "code: worth", "fact: value", "fact: worth",
		"code: filing", "code: stamp", "fees: [filing]", "fees: [stamp]", "feePaid: filing", "feePaid: stamp",
		"code: claim", "code: writ", "documents: [claim]", "documents: [writ]",
		"code: reply", "code: old", "deadline: reply", "deadline: old", "[answer, reply]", "[reply, old]",
		"code: answer", "code: reply", "deadline: answer", "deadline: reply",
		"Passed: answer", "Passed: reply", "Running: answer", "Running: reply",
	).Replace(text)
	return parse(t, text)
}

// A case comes over by the written mapping, and keeps its dates.
func TestMigrate(t *testing.T) {
	old, new := older(t), parse(t, full(t))
	state, _ := apply(t, old, old.Begin(), "submit", procedure.Known{Documents: []string{"writ"}}, monday)
	state, _ = apply(t, old, state, "register", procedure.Known{Facts: map[string]string{"worth": "20000"}, Fees: map[string]procedure.FeeStatus{"stamp": "paid"}}, monday)
	next, err := procedure.Migrate(state, old, new)
	if err != nil {
		t.Fatal(err)
	}
	if next.Version != "2.0.0" || next.Workflow != "registered" || next.Stage != "pleadings" || next.Facts["value"] != "20000" || next.Fees["filing"] != "paid" || next.Documents[0] != "claim" {
		t.Errorf("came over as %+v", next)
	}
	served, _ := apply(t, old, state, "serve", procedure.Known{Facts: map[string]string{"served": "true", "servedOn": "2026-03-02"}, Documents: []string{"proof"}}, monday)
	_, err = procedure.Migrate(served, old, new)
	if want := "deadlines: notice has no mapping"; err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), ";") {
		t.Errorf("error %v, want only %q", err, want)
	}
	delete(served.Deadlines, "notice")
	next, err = procedure.Migrate(served, old, new)
	if err != nil {
		t.Fatal(err)
	}
	if len(next.Deadlines) != 1 || *next.Deadlines["answer"].Last != *served.Deadlines["reply"].Last {
		t.Errorf("deadlines came over as %+v", next.Deadlines)
	}
	if _, _, err := new.Apply(next, "detain", procedure.Input{Roles: judge, Known: procedure.Known{Facts: map[string]string{"arrestedAt": "2026-03-02T08:00:00Z"}}}, monday); err != nil {
		t.Errorf("the case does not go on: %v", err)
	}
}

// What has no mapping is named, and the case stays where it is.
func TestMigrateNamesWhatIsMissing(t *testing.T) {
	old := older(t)
	state, _ := apply(t, old, old.Begin(), "submit", procedure.Known{Documents: []string{"writ"}}, monday)
	for _, c := range []struct{ name, old, with, want string }{
		{"state", "filed: submitted, ", "", "states: filed has no mapping"},
		{"stage", "    stages: {writing: pleadings}\n", "", "stages: writing has no mapping"},
		{"document", "    documents: {writ: claim}\n", "", "documents: writ has no mapping"},
		{"fee", "    fees: {stamp: filing}\n", "", "fees: stamp has no mapping"},
		{"transition", "- from: 1.0.0", "- from: 0.9.0", "no transition from xx-civil 1.0.0"},
		{"other procedure", "id: xx-civil", "id: xx-labour", "no transition from xx-civil 1.0.0"},
	} {
		after, err := procedure.Migrate(state, old, parse(t, replace(t, full(t), c.old, c.with)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
		if after.Version != "1.0.0" || after.Workflow != "filed" {
			t.Errorf("%s: the case moved: %+v", c.name, after)
		}
	}
	new := parse(t, full(t))
	if _, err := procedure.Migrate(new.Begin(), old, new); refused(t, err) != "wrong-version xx-civil" {
		t.Errorf("a case of another version: %v", err)
	}
	state.Facts = map[string]string{"worth": "1", "served": "true"}
	text := replace(t, full(t), "facts: {worth: value}", "facts: {worth: served}")
	if _, err := procedure.Migrate(state, old, parse(t, text)); err == nil || !strings.Contains(err.Error(), "both become served") || !strings.Contains(err.Error(), "is a flag now") {
		t.Errorf("two facts became one: %v", err)
	}
}

// What the new version can make nothing of is named, too.
func TestMigrateNamesWhatDoesNotFit(t *testing.T) {
	old := older(t)
	state, _ := apply(t, old, old.Begin(), "submit", procedure.Known{Documents: []string{"writ"}}, monday)
	fees := map[string]procedure.FeeStatus{"stamp": "deferred"}
	state, _ = apply(t, old, state, "register", procedure.Known{Facts: map[string]string{"worth": "20000"}, Fees: fees}, monday)
	state, _ = apply(t, old, state, "serve", procedure.Known{Facts: map[string]string{"served": "true", "servedOn": "2026-03-02"}, Documents: []string{"proof"}}, monday)
	mapping := "deadlines: {reply: answer, old: none}"
	for _, c := range []struct{ name, old, with, want string }{
		{"fits", mapping, "deadlines: {reply: answer, old: none, notice: none}", ""},
		{"no last day", mapping, "deadlines: {reply: none, old: answer, notice: none}", "answer has no last day yet"},
		{"hours", mapping, "deadlines: {reply: custody, old: none, notice: none}", "custody counts days in one version and hours in the other"},
		{"two become one", mapping, "deadlines: {reply: answer, old: none, notice: answer}", "another both become answer"},
		{"no longer deferrable", "before: register, deferrable: true", "before: register", "filing may not be deferred any more"},
	} {
		text := replace(t, full(t), c.old, c.with)
		_, err := procedure.Migrate(state, old, parse(t, text))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}
