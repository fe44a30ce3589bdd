package procedure_test

import (
	"strings"
	"testing"
	"time"

	"ejustice.dev/operator/modules/procedure"
)

// A custody clock counts elapsed hours, over a change of clocks too, and no
// renewal lifts it above its ceiling.
func TestCustodyClock(t *testing.T) {
	d := parse(t, full(t))
	for from, want := range map[string]string{
		"2026-03-27T10:00:00Z": "2026-03-29T10:00:00Z", // clocks change in Hebron on the 28th
		"2026-03-02T23:59:59Z": "2026-03-04T23:59:59Z",
	} {
		term, err := d.Deadline("custody", instant(t, from))
		if got := term.Expires.Format(time.RFC3339); err != nil || got != want || term.Last != nil {
			t.Errorf("from %s: %s, want %s (%v)", from, got, want, err)
		}
	}
	arrest := instant(t, "2026-03-02T08:00:00Z")
	state, _ := apply(t, d, d.Begin(), "detain", procedure.Known{Facts: map[string]string{"arrestedAt": "2026-03-02T10:00:00+02:00"}}, monday)
	state, effects := apply(t, d, state, "prolong", procedure.Known{}, monday)
	if got := effects[0].Term.Expires.Sub(arrest); got != 72*time.Hour || effects[0].Term.Renewals != 1 {
		t.Errorf("prolonged to %s, want the ceiling of 72 h", got)
	}
	_, _, err := d.Apply(state, "prolong", procedure.Input{Roles: judge}, monday)
	if got := refused(t, err); got != "deadline-at-ceiling custody" {
		t.Errorf("beyond the ceiling: %s", got)
	}
	for after, want := range map[time.Duration]bool{72*time.Hour - 1: false, 72 * time.Hour: true} {
		if got := state.Deadlines["custody"].Passed(arrest.Add(after)); got != want {
			t.Errorf("%s after the arrest it has passed: %v", after, got)
		}
	}
	_, _, err = d.Apply(state, "prolong", procedure.Input{Roles: judge}, arrest.Add(72*time.Hour))
	if got := refused(t, err); got != "deadline-not-running custody" {
		t.Errorf("after it passed: %s", got)
	}
	// From a day without a time, the hours count from its beginning.
	dated := parse(t, replace(t, full(t), "{code: arrestedAt, names: {en: Arrested at, fr: Arrêté à}, kind: instant}", "{code: arrestedAt, names: {en: Arrested at, fr: Arrêté à}, kind: date}"))
	state, _ = apply(t, dated, dated.Begin(), "detain", procedure.Known{Facts: map[string]string{"arrestedAt": "2026-03-02"}}, monday)
	if got := state.Deadlines["custody"].Expires.Format(time.RFC3339); got != "2026-03-03T22:00:00Z" {
		t.Errorf("expires %s", got)
	}
}

// A remand in days is renewed up to a ceiling, whatever day that is.
func TestRemandInDays(t *testing.T) {
	d := parse(t, strings.NewReplacer(
		"length: {count: 48, unit: hours}, renewal: {count: 48, unit: hours}, ceiling: {count: 72, unit: hours}, custody: true",
		"length: {count: 15, unit: days}, renewal: {count: 15, unit: days}, ceiling: {count: 45, unit: days}, custody: true, counting: inclusive, lastDay: keep",
	).Replace(full(t)))
	state, _ := apply(t, d, d.Begin(), "detain", procedure.Known{Facts: map[string]string{"arrestedAt": "2026-03-02T10:00:00Z"}}, monday)
	var ends []string
	for range 3 {
		ends = append(ends, state.Deadlines["custody"].Last.String())
		next, _, err := d.Apply(state, "prolong", procedure.Input{Roles: judge}, monday)
		if err != nil {
			ends = append(ends, refused(t, err))
			break
		}
		state = next
	}
	if got := strings.Join(ends, " "); got != "2026-03-16 2026-03-31 2026-04-15 deadline-at-ceiling custody" {
		t.Errorf("ends: %s", got)
	}
}
