package procedure_test

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ejustice.dev/operator/modules/procedure"
	"ejustice.dev/operator/modules/procedure/countries"
)

// countryDocuments are the shipped documents by file name.
func countryDocuments(t testing.TB) map[string]string {
	t.Helper()
	files, err := countries.Files.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	documents := map[string]string{}
	for _, file := range files {
		text, err := countries.Files.ReadFile(file.Name())
		if err != nil {
			t.Fatal(err)
		}
		documents[file.Name()] = string(text)
	}
	return documents
}

func sortedNames(documents map[string]string) []string {
	var names []string
	for name := range documents {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// The shipped documents have no faults, and no warnings but those of marked
// gaps: years whose holidays somebody must enter, states with no way on.
func TestCountryDocuments(t *testing.T) {
	documents := countryDocuments(t)
	if len(documents) < 9 {
		t.Errorf("%d documents", len(documents))
	}
	for _, name := range sortedNames(documents) {
		d, problems := procedure.Parse([]byte(documents[name]))
		if err := problems.Err(); err != nil {
			t.Errorf("%s:\n%v", name, err)
			continue
		}
		for _, problem := range problems {
			if !strings.Contains(problem.Text, "holidays announced for") && !strings.Contains(problem.Text, "no event leaves") {
				t.Errorf("%s: %v", name, problem)
			}
		}
		if d.ID+".yaml" != name {
			t.Errorf("%s is named %s", d.ID, name)
		}
		gaps, recalled := d.Findings()
		if len(gaps) < 4 || len(recalled) < 4 {
			t.Errorf("%s: %d gaps, %d recalled rules", name, len(gaps), len(recalled))
		}
		for _, text := range regexp.MustCompile(`\bar: ([^,}\n]+)`).FindAllStringSubmatch(documents[name], -1) {
			if !regexp.MustCompile(`\p{Arabic}`).MatchString(text[1]) {
				t.Errorf("%s: %q is not Arabic", name, text[1])
			}
		}
		if !strings.Contains(d.Review["en"], "No lawyer") {
			t.Errorf("%s does not say that no lawyer reviewed it", name)
		}
	}
}

// Beside every event, deadline and fee stands the law, or that it was recalled
// or is missing. What was read has its article.
func TestCountryRulesHaveSources(t *testing.T) {
	for name, text := range countryDocuments(t) {
		d := parse(t, text)
		check := func(code string, rule procedure.Rule) {
			if rule.Law == "" && rule.Confidence != "recalled" && rule.Gap == "" && rule.Note == "" && rule.Confidence != "confirmed" {
				t.Errorf("%s: nobody knows where %s comes from", name, code)
			}
		}
		for _, event := range d.AllEvents {
			check(event.Code, event.Rule)
		}
		for _, deadline := range d.Deadlines {
			check(deadline.Code, deadline.Rule)
			if deadline.Custody && deadline.Length != nil && deadline.Length.Unit != procedure.Hours && deadline.LastDay != procedure.Keep {
				t.Errorf("%s: custody %s can become longer", name, deadline.Code)
			}
		}
		for _, fee := range d.Fees {
			check(fee.Code, fee.Rule)
		}
	}
}

// What the three countries differ in, as countries' own rules say it.
func TestCountryRules(t *testing.T) {
	documents := countryDocuments(t)
	at := func(text string) time.Time { return instant(t, text+"T12:00:00Z") }
	for _, c := range []struct {
		file, deadline, from string
		extensions           []string
		want                 string
	}{
		{"ci-civil-premiere-instance.yaml", "notice-to-appear", "2026-03-02", nil, "2026-03-11"},
		{"ci-civil-premiere-instance.yaml", "notice-to-appear", "2026-03-02", []string{"other-district"}, "2026-03-18"},
		{"ci-civil-premiere-instance.yaml", "notice-to-appear", "2026-03-02", []string{"abroad"}, "2026-05-04"},
		{"ci-civil-premiere-instance.yaml", "appeal", "2026-01-31", nil, "2026-03-02"}, // the day after 28 February is a Sunday
		{"ci-civil-premiere-instance.yaml", "appeal", "2026-03-02", []string{"urgent"}, "2026-03-11"},
		{"ci-civil-premiere-instance.yaml", "opposition", "2022-07-22", nil, "2022-08-09"}, // 7 August on a Sunday, 8 August too
		{"ps-civil-first-instance.yaml", "appeal", "2026-04-09", nil, "2026-05-10"},        // Friday and Saturday are closed
		{"lc-civil-high-court.yaml", "defence", "2026-03-02", nil, "2026-03-30"},
		{"lc-civil-high-court.yaml", "defence", "2026-03-02", []string{"other-member-state"}, "2026-04-13"},
		{"lc-civil-high-court.yaml", "acknowledgment", "2026-05-21", nil, "2026-06-05"}, // Corpus Christi on 4 June
	} {
		term, err := parse(t, documents[c.file]).Deadline(c.deadline, at(c.from), c.extensions...)
		if err != nil || term.Last.String() != c.want {
			t.Errorf("%s %s from %s %v: %v, want %s (%v)", c.file, c.deadline, c.from, c.extensions, term.Last, c.want, err)
		}
	}
	// On referral, a Palestinian case gets a new number.
	ps := parse(t, documents["ps-civil-first-instance.yaml"])
	_, effects, err := ps.Apply(ps.Begin(), "receive-referral", procedure.Input{Roles: []procedure.Role{"clerk"}}, monday)
	number := procedure.Effect{Kind: procedure.EffectNumber, Code: "registration", Replaces: true}
	if err != nil || !slices.ContainsFunc(effects, func(e procedure.Effect) bool { return reflect.DeepEqual(e, number) }) {
		t.Errorf("referral: %+v (%v)", effects, err)
	}
	// In Saint Lucia nothing is filed before its fees are paid.
	lc := parse(t, documents["lc-civil-high-court.yaml"])
	known := procedure.Known{Documents: []string{"claim-form", "statement-of-claim", "certificate-of-truth"}}
	state, _ := apply(t, lc, lc.Begin(), "submit", known, monday)
	if _, _, err := lc.Apply(state, "file", procedure.Input{Roles: staff}, monday); refused(t, err) != "fee-unpaid filing" {
		t.Errorf("filed without a fee: %v", err)
	}
	// One adjournment on appeal in Côte d'Ivoire.
	ci := parse(t, documents["ci-civil-premiere-instance.yaml"])
	state = ci.Begin()
	state.Workflow = "appealed"
	state, _ = apply(t, ci, state, "adjourn-appeal", procedure.Known{}, monday)
	if _, _, err := ci.Apply(state, "adjourn-appeal", procedure.Input{Roles: staff}, monday); refused(t, err) != "counter-at-ceiling appeal-adjournments" {
		t.Errorf("second adjournment: %v", err)
	}
}
