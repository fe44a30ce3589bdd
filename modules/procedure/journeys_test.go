package procedure_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ejustice.dev/operator/modules/procedure"
)

// journey is a case from its beginning to a final state. A step is an event and
// the days that pass before it.
type journey struct {
	file  string
	facts map[string]string
	steps []leg
	end   string
	keeps []string // "deadline last-day" that must hold at the end
}

type leg struct {
	event string
	days  int
}

var journeys = []journey{
	{"ps-civil-first-instance.yaml", map[string]string{"served": "true", "servedOn": "2026-03-10", "claimValue": "20000"}, []leg{
		{"submit", 0}, {"register", 1}, {"serve", 7}, {"answer", 5}, {"open-hearings", 10}, {"adjourn", 20}, {"deliberate", 20}, {"grant", 5}, {"appeal", 29}, {"judge-appeal", 90}, {"petition-cassation", 39}, {"judge-cassation", 100}, {"send-to-execution", 1},
	}, "final", []string{"answer 2026-03-25"}},
	{"ps-civil-first-instance.yaml", nil, []leg{{"submit", 0}, {"refuse", 30}}, "not-accepted", nil},
	{"ps-magistrates-civil.yaml", map[string]string{"served": "true", "claimValue": "900"}, []leg{
		{"submit", 0}, {"register", 1}, {"open-hearings", 20}, {"grant", 1}, {"become-final", 0},
	}, "final", nil},
	{"ps-magistrates-civil.yaml", map[string]string{"claimValue": "10000.5"}, []leg{{"submit", 0}, {"register", 1}, {"refer", 20}}, "referred", nil},
	{"ps-criminal.yaml", map[string]string{"inCustody": "true", "arrestedAt": "2026-03-01T08:00:00Z"}, []leg{
		{"open", 0}, {"record-arrest", 0}, {"receive-arrested", 0}, {"order-custody", 1}, {"renew-custody", 10}, {"renew-custody", 10}, {"extend-custody", 10}, {"charge", 10}, {"refer-to-trial", 1}, {"deliberate", 60}, {"convict", 1}, {"become-final", 20},
	}, "final", []string{"magistrate-custody 2026-04-15", "custody-ceiling 2026-08-31"}},
	{"ci-civil-premiere-instance.yaml", map[string]string{"served": "true", "servedOn": "2026-03-02", "notifiedOn": "2026-06-01", "claimValue": "500001"}, []leg{
		{"serve-summons", 0}, {"enrol", 1}, {"call", 20}, {"order-pretrial", 0}, {"close-pretrial", 30}, {"grant", 10}, {"notify", 1}, {"appeal", 1}, {"conclude-appeal", 10}, {"adjourn-appeal", 1}, {"judge-appeal", 10}, {"notify-appeal", 1}, {"petition-cassation", 1}, {"file-memorial", 10}, {"judge-cassation", 50}, {"execute", 1},
	}, "final", []string{"notice-to-appear 2026-03-11", "opposition 2026-06-17", "appeal 2026-07-02"}},
	{"ci-labour.yaml", map[string]string{"inspectorFailed": "true", "venueOfWork": "true"}, []leg{
		{"go-to-inspector", 0}, {"file", 30}, {"summon", 1}, {"settle", 10},
	}, "settled", nil},
	{"ci-labour.yaml", map[string]string{"venueOfWork": "true"}, []leg{{"file-urgent", 0}, {"summon-urgent", 1}, {"dismiss", 2}, {"become-final", 400}}, "final", []string{"urgent-summons 2026-03-03", "urgent-appearance 2026-03-05"}},
	{"ci-criminal.yaml", map[string]string{"heldSince": "2026-03-01T08:00:00Z", "authorised": "true", "crime": "true", "arrestedAt": "2026-03-06T08:00:00Z"}, []leg{
		{"hold", 0}, {"prolong-hold", 1}, {"investigate", 2}, {"arrest", 1}, {"remand-crime", 2}, {"prolong-crime", 200}, {"refer-to-trial", 10}, {"announce", 30}, {"convict", 7}, {"become-final", 30},
	}, "final", []string{"remand-crime 2027-07-06"}},
	{"lc-civil-high-court.yaml", map[string]string{"servedOn": "2026-03-10"}, []leg{
		{"submit", 0}, {"file", 1}, {"issue", 1}, {"serve", 7}, {"acknowledge", 3}, {"defend", 20}, {"reply", 5}, {"hold-conference", 40}, {"review", 30}, {"open-trial", 60}, {"find-for-claimant", 2}, {"appeal", 41}, {"judge-appeal", 200}, {"enforce", 1},
	}, "final", []string{"acknowledgment 2026-03-24", "defence 2026-04-07"}},
	{"lc-civil-high-court.yaml", map[string]string{"servedOn": "2026-03-10"}, []leg{
		{"submit", 0}, {"file", 1}, {"issue", 1}, {"serve", 7}, {"default-acknowledgment", 30}, {"set-aside", 5}, {"default-defence", 60}, {"become-final", 1},
	}, "final", nil},
	{"lc-criminal.yaml", map[string]string{"sufficient": "true", "arrestedAt": "2026-03-01T08:00:00Z"}, []leg{
		{"arrest", 0}, {"appear", 1}, {"refuse-bail", 0}, {"open-sufficiency", 10}, {"commit", 10}, {"indict", 30}, {"open-trial", 60}, {"acquit", 3},
	}, "judged", nil},
	{"lc-district-civil.yaml", map[string]string{"claimValue": "25000", "servedOn": "2026-03-03"}, []leg{
		{"lodge", 0}, {"serve", 2}, {"hear", 4}, {"find-for-claimant", 1}, {"become-final", 400},
	}, "final", []string{"summons 2026-03-06"}},
}

// Every document brings a case from its beginning to a final state.
func TestCountryJourneys(t *testing.T) {
	walked := map[string]bool{}
	for _, j := range journeys {
		d := parse(t, countryDocuments(t)[j.file])
		state, err := j.walk(t, d)
		if err != nil {
			t.Errorf("%s: %v", j.file, err)
			continue
		}
		final := slices.IndexFunc(d.States, func(s procedure.WorkflowState) bool { return s.Code == state.Workflow && s.Final })
		if state.Workflow != j.end || final < 0 {
			t.Errorf("%s ends in %s, want %s", j.file, state.Workflow, j.end)
		}
		for _, kept := range j.keeps {
			code, want, _ := strings.Cut(kept, " ")
			if term, started := state.Deadlines[code]; !started || term.Last == nil || term.Last.String() != want {
				t.Errorf("%s: %s until %v, want %s", j.file, code, term.Last, want)
			}
		}
		walked[j.file] = true
	}
	for name := range countryDocuments(t) {
		if !walked[name] {
			t.Errorf("%s has no journey", name)
		}
	}
}

// walk brings in every document before the first step, pays every fee that is
// due, save on the way to a refusal, and enters last days that only a court can.
func (j journey) walk(t *testing.T, d *procedure.Document) (procedure.State, error) {
	known := procedure.Known{Facts: j.facts}
	for _, paper := range d.Documents {
		known.Documents = append(known.Documents, paper.Code)
	}
	state, err := d.Learn(d.Begin(), known)
	if err != nil {
		return state, err
	}
	var roles []procedure.Role
	for _, role := range d.Roles {
		roles = append(roles, role.Code)
	}
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	for _, step := range j.steps {
		now = now.AddDate(0, 0, step.days)
		input := procedure.Input{Roles: roles, Known: procedure.Known{Fees: map[string]procedure.FeeStatus{}, Ends: map[string]procedure.Day{}}}
		for code := range state.Fees {
			if step.event != "refuse" {
				input.Fees[code] = "paid"
			}
		}
		event := d.AllEvents[slices.IndexFunc(d.AllEvents, func(e procedure.Event) bool { return e.Code == step.event })]
		for _, start := range event.Starts {
			if deadline := d.Deadlines[slices.IndexFunc(d.Deadlines, func(l procedure.Deadline) bool { return l.Code == start.Deadline })]; deadline.Length == nil {
				input.Ends[deadline.Code] = procedure.DayAt(now, time.UTC) + 30
			}
		}
		if state, _, err = d.Apply(state, step.event, input, now); err != nil {
			return state, err
		}
	}
	return state, nil
}
