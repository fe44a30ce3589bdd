package procedure_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"ejustice.dev/operator/modules/procedure"
)

// Whatever text comes: no panic, every problem has a place, and an accepted
// document can be written and read again.
func FuzzParse(f *testing.F) {
	f.Add(full(f))
	for _, text := range countryDocuments(f) {
		f.Add(text)
	}
	for _, text := range []string{"", "{}", "[]", "id: &a [*a]", "? - a\n: b", "id: !!binary aGk=", "<<: {id: x}", "id: |\n  x", "\ufeffid: x", "{\"id\": \"\\ud800\"}", "version: 1e3", "calendars: [{weekend: 0x1}]"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		document, problems := procedure.Parse([]byte(text))
		if (document == nil) != (problems.Err() != nil) {
			t.Fatalf("document %v, problems %v", document != nil, problems)
		}
		for _, problem := range problems {
			if problem.Line < 1 || problem.Column < 1 || problem.Text == "" {
				t.Fatalf("%+v", problem)
			}
		}
		if document == nil {
			return
		}
		again, err := json.Marshal(document)
		if err != nil {
			t.Fatal(err)
		}
		second, problems := procedure.Parse(again)
		if second == nil {
			t.Fatalf("written, it is refused: %v", problems)
		}
		if changes := procedure.Diff(document, second); len(changes) > 0 {
			t.Fatalf("written and read, it differs:\n%s", changes)
		}
	})
}

// randomDocument is a document in which up to three things were changed and
// that Parse still accepts.
func randomDocument(t *testing.T, random *rand.Rand, texts []string) *procedure.Document {
	text := texts[random.IntN(len(texts))]
	for range 10 {
		var root yaml.Node
		if err := yaml.Unmarshal([]byte(text), &root); err != nil {
			t.Fatal(err)
		}
		for range 1 + random.IntN(3) {
			mutate(random, root.Content[0])
		}
		changed, err := yaml.Marshal(&root)
		if err != nil {
			continue
		}
		if document, _ := procedure.Parse(changed); document != nil {
			return document
		}
	}
	return parse(t, text)
}

// randomInput draws facts, documents, fees and days, right and wrong ones.
func randomInput(d *procedure.Document, random *rand.Rand) procedure.Input {
	input := procedure.Input{Known: procedure.Known{Facts: map[string]string{}, Fees: map[string]procedure.FeeStatus{}, Ends: map[string]procedure.Day{}}, Extensions: map[string][]string{}}
	for _, role := range d.Roles {
		if random.IntN(5) > 0 {
			input.Roles = append(input.Roles, role.Code)
		}
	}
	for _, fact := range d.Facts {
		if random.IntN(2) == 0 {
			continue
		}
		date := time.Date(2020+random.IntN(12), 1, 1+random.IntN(365), random.IntN(24), random.IntN(60), 0, 0, time.UTC)
		if random.IntN(50) == 0 {
			date = time.Date(9999, 12, 1+random.IntN(31), 0, 0, 0, 0, time.UTC)
		}
		input.Facts[fact.Code] = map[procedure.FactKind]string{
			procedure.Flag: fmt.Sprint(random.IntN(2) == 0), procedure.Text: []string{"local", "abroad", "x"}[random.IntN(3)],
			procedure.Amount: fmt.Sprint(random.IntN(20000)), procedure.Date: date.Format(time.DateOnly), procedure.Instant: date.Format(time.RFC3339),
		}[fact.Kind]
		if random.IntN(40) == 0 {
			input.Facts[fact.Code] = "?"
		}
	}
	for _, paper := range d.Documents {
		if random.IntN(3) > 0 {
			input.Documents = append(input.Documents, paper.Code)
		}
	}
	for _, fee := range d.Fees {
		input.Fees[fee.Code] = []procedure.FeeStatus{"paid", "waived", "due", "deferred"}[random.IntN(4)]
	}
	for _, deadline := range d.Deadlines {
		if deadline.Length == nil && random.IntN(2) == 0 {
			input.Ends[deadline.Code] = procedure.Day(20000 + random.IntN(2000))
		}
		for _, extension := range deadline.Extensions {
			if random.IntN(4) == 0 {
				input.Extensions[deadline.Code] = append(input.Extensions[deadline.Code], extension.Code)
			}
		}
	}
	return input
}

// Whatever happens to a case, in whatever order: no panic, no state that the
// document does not declare, a refusal changes nothing, and Events foretells
// Apply.
func FuzzApply(f *testing.F) {
	for seed := range uint64(15) {
		f.Add(seed, uint16(80))
	}
	texts := []string{full(f), full(f)}
	for _, name := range sortedNames(countryDocuments(f)) {
		texts = append(texts, countryDocuments(f)[name])
	}
	f.Fuzz(func(t *testing.T, seed uint64, steps uint16) {
		random := rand.New(rand.NewPCG(seed, 7))
		d := randomDocument(t, random, texts)
		declared := map[string]bool{"": true}
		for _, state := range d.States {
			declared["state "+state.Code] = true
		}
		for _, stage := range d.Stages {
			declared["stage "+stage.Code] = true
		}
		for _, outcome := range d.Outcomes {
			declared["outcome "+outcome.Code] = true
		}
		state, now := d.Begin(), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		for range steps % 300 {
			now = now.Add(time.Duration(random.IntN(40*24)) * time.Hour)
			state = step(t, d, random, state, now)
			if !declared["state "+state.Workflow] || state.Stage != "" && !declared["stage "+state.Stage] || state.Outcome != "" && !declared["outcome "+state.Outcome] {
				t.Fatalf("undeclared: %s, %s, %s", state.Workflow, state.Stage, state.Outcome)
			}
		}
	})
}

// step lets one event happen to a state that was stored in between.
func step(t *testing.T, d *procedure.Document, random *rand.Rand, state procedure.State, now time.Time) procedure.State {
	text, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	var stored procedure.State
	if err := json.Unmarshal(text, &stored); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if again, err := json.Marshal(stored); err != nil || string(again) != string(text) {
		t.Fatalf("stored as %s, read as %s", text, again)
	}
	input := randomInput(d, random)
	event := d.AllEvents[random.IntN(len(d.AllEvents))].Code
	if options := d.Events(stored, input.Roles, now); len(options) > 0 && random.IntN(2) == 0 {
		option := options[random.IntN(len(options))]
		event = option.Event.Code
		_, _, err := d.Apply(stored, event, procedure.Input{Roles: input.Roles}, now)
		var refusal *procedure.Refusal
		outOfRange := errors.As(err, &refusal) && refusal.Reasons[0].Code == procedure.ReasonLastDayOutOfRange
		if foretold := option.Allowed && len(option.Needs) == 0; foretold != (err == nil) && !outOfRange {
			t.Fatalf("%s: Events says %v %v, Apply says %v", event, option.Reasons, option.Needs, err)
		}
	}
	next, _, err := d.Apply(stored, event, input, now)
	var refusal *procedure.Refusal
	if err != nil && (!errors.As(err, &refusal) || !reflect.DeepEqual(next, stored)) {
		t.Fatalf("error %v", err)
	}
	if after, _ := json.Marshal(stored); string(after) != string(text) {
		t.Fatalf("the old state changed from %s to %s", text, after)
	}
	return next
}

// One event with conditions, a fee, a number and deadlines, as case management
// lets it happen.
func BenchmarkApply(b *testing.B) {
	d := parse(b, full(b))
	state := d.Begin()
	state.Workflow = "registered"
	input := procedure.Input{Roles: staff, Known: procedure.Known{Facts: map[string]string{"served": "true", "servedOn": "2026-03-02"}, Documents: []string{"proof"}}}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := d.Apply(state, "serve", input, monday); err != nil {
			b.Fatal(err)
		}
	}
}

// The whole list of events that a page shows.
func BenchmarkEvents(b *testing.B) {
	d := parse(b, full(b))
	state := d.Begin()
	state.Workflow = "registered"
	b.ReportAllocs()
	for b.Loop() {
		if len(d.Events(state, staff, monday)) == 0 {
			b.Fatal("no events")
		}
	}
}
