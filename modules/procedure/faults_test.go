package procedure_test

import (
	"strings"
	"testing"

	"ejustice.dev/operator/modules/procedure"
)

// fault is a change that makes the full document wrong.
type fault struct{ name, old, with, path, text string }

// line is where the fault is to be found: where the change is, unless the change
// shows elsewhere.
func (f fault) line(text string) int {
	elsewhere := map[string]string{
		"missing key":      "id: xx-civil",
		"unreachable":      "- {code: hearing,",
		"final left":       "- {code: fastTrack,",
		"no beginning":     "- {code: draft,",
		"circle of courts": "- {code: lower,",
		"year twice":       "- {year: 2026, days: []}",
		"no amount":        "- {code: copy,",
		"passes never":     "{deadlinePassed: notice",
		"not renewable":    "renews: [custody]",
		"no counting":      "- code: answer",
		"custody moved":    "lastDay: next-court-day",
	}[f.name]
	switch {
	case f.name == "key twice", f.name == "court and length", f.name == "same code twice", f.name == "inner code twice":
		return lineOf(text, f.with) + 1
	case elsewhere != "":
		return lineOf(text, elsewhere)
	}
	return lineOf(text, f.with)
}

// Every fault is found in its line, with a sentence that says what to do.
func TestParseFindsFaults(t *testing.T) {
	for _, c := range []fault{
		{"unknown key", "supersedes: 1.0.0", "superseeds: 1.0.0", "superseeds", "not known"},
		{"missing key", "country: XX\n", "", "", "add the key country"},
		{"no value", "country: XX", "country:", "country", "has no value"},
		{"number as text", "version: 2.0.0", "version: 2.0", "version", "put it in quotes"},
		{"amount as number", `amount: "12.50"`, "amount: 12.50", "fees[0].amount", "put it in quotes"},
		{"text as flag", "initial: true", "initial: yes", "states[0].initial", "true or false"},
		{"wrong choice", "means: served", "means: given", "channels[0].statuses[1].means", "write one of pending"},
		{"wrong code", "code: draft,", "code: a draft,", "states[0].code", "write a code"},
		{"wrong unit", "{count: 15, unit: days}", "{count: 15, unit: fortnights}", "deadlines[0].length.unit", "write one of hours"},
		{"fraction", "{count: 15, unit: days}", "{count: 1.5, unit: days}", "deadlines[0].length.count", "whole number"},
		{"out of range", "{count: 15, unit: days}", "{count: 0, unit: days}", "deadlines[0].length.count", "from 1 to 1000"},
		{"object as list", "from: [draft]", "from: draft", "events[0].from", "write a list"},
		{"too few", "from: [draft]", "from: []", "events[0].from", "has 0 entries"},
		{"list as object", "supersedes: 1.0.0", "supersedes: [1.0.0]", "supersedes", "single value"},
		{"text as object", "names: {en: Civil case, fr: Affaire civile}", "names: Civil case", "names", "one line for each"},
		{"language", "names: {en: Civil case, fr: Affaire civile}", "names: {english: Civil case}", "names.english", "language code"},
		{"anchor", "from: [draft]", "from: &a [draft]", "events[0].from", "anchors"},
		{"key twice", "country: XX", "country: XX\ncountry: XX", "country", "appears twice"},
		{"two questions", "{feePaid: filing}", "{feePaid: filing, fact: served}", "events[8].guards[0]", "exactly one of feePaid"},
		{"no amount", "gap: The tariff was not found.", "note: None.", "fees[1]", "at least one of amount, gap"},

		{"unknown state", "to: submitted", "to: sumbitted", "events[0].to", "sumbitted is not declared"},
		{"unknown role", "roles: [clerk]", "roles: [lawyer]", "events[2].roles[0]", "lawyer is not declared"},
		{"unknown calendar", "calendar: court\n", "calendar: count\n", "calendar", "count is not declared"},
		{"deadline's calendar", "calendar: prison", "calendar: jail", "deadlines[4].calendar", "jail is not declared"},
		{"unknown deadline", "renews: [custody]", "renews: [custdy]", "events[7].renews[0]", "custdy is not declared"},
		{"unknown document", "documents: [claim]", "documents: [claims]", "events[0].documents[0]", "claims is not declared"},
		{"unknown fact", "guards: [{documentsPresent: [proof]}, {fact: served}]", "guards: [{documentsPresent: [proof]}, {fact: serve}]", "events[2].guards[1].fact", "serve is not declared"},
		{"unknown event", "before: register", "before: registration", "fees[0].before", "registration is not declared"},
		{"unknown target", "open: registered", "open: registerd", "transitions[0].states.open", "registerd is not declared"},
		{"dropped state", "open: registered", "open: none", "transitions[0].states.open", "none is not declared"},
		{"same code twice", "code: fastTrack,", "code: hearing,", "states[4].code", "was declared in line"},
		{"inner code twice", "code: abroad,", "code: distance,", "deadlines[0].extensions[1].code", "was declared in line"},
		{"reserved code", "code: dropped,", "code: none,", "outcomes[1].code", "meaning of its own"},
		{"reference twice", "roles: [judge, registrar]", "roles: [judge, judge]", "events[9].roles[1]", "twice"},
		{"missing translation", "{en: Draft, fr: Projet}", "{en: Draft}", "states[0].names", "translation in fr"},
		{"undeclared language", "{en: Draft, fr: Projet}", "{en: Draft, fr: Projet, ar: x}", "states[0].names.ar", "not among the document's languages"},
		{"language twice", "languages: [en, fr]", "languages: [en, fr, en]", "languages[2]", "twice"},
		{"nobody may", "roles: [registrar]", "roles: []", "events[1].roles", "nobody may trigger register"},
		{"unreachable", "to: hearing", "to: fastTrack", "states[3]", "no event leads to hearing"},
		{"dead end", "{code: closed, names: {en: Closed, fr: Clos}, final: true}", "{code: closed, names: {en: Closed, fr: Clos}}", "states[5]", "no event leaves closed"},
		{"final left", "fastTrack, names: {en: Fast track, fr: Voie rapide}", "fastTrack, names: {en: Fast track, fr: Voie rapide}, final: true", "states[4]", "is final and yet"},
		{"two beginnings", "{code: submitted, names: {en: Submitted, fr: Déposé}}", "{code: submitted, names: {en: Submitted, fr: Déposé}, initial: true}", "states[1].initial", "begin in draft already"},
		{"no beginning", "initial: true", "initial: false", "states", "no case can begin"},
		{"no such date", "2026-03-20", "2026-02-30", "calendars[0].announced[0].days[0].date", "no such day"},
		{"wrong year", "2026-03-20", "2027-03-20", "calendars[0].announced[0].days[0].date", "not in 2026"},
		{"year twice", "year: 2027", "year: 2026", "calendars[0].announced[1].year", "there twice"},
		{"no such holiday", "date: 02-29", "date: 02-30", "calendars[0].holidays[4].date", "no such day"},
		{"time zone", "America/St_Lucia", "America/Santa_Lucia", "calendars[0].timeZone", "no such time zone"},
		{"local zone", "America/St_Lucia", "Local", "calendars[0].timeZone", "no such time zone"},
		{"ends early", "until: 2027-12-31", "until: 2025-12-31", "validity.until", "before it begins"},
		{"older version", "supersedes: 1.0.0", "supersedes: 2.0.0", "supersedes", "not older"},
		{"older transition", "- from: 1.0.0", "- from: 10.0.0", "transitions[0].from", "not older"},
		{"circle of courts", "{code: upper, names: {en: Upper court, fr: Cour}}", "{code: upper, names: {en: Upper court, fr: Cour}, appealTo: lower}", "courts[0].appealTo", "circle"},
		{"number format", `"RG {seq:4}/{year}"`, `"RG {seq:4}"`, "numbers[0].format", "add {year}"},
		{"never served", "means: served", "means: pending", "channels[0].statuses", "nothing can be served"},
		{"fact of another kind", "on: servedOn", "on: served", "events[2].starts[0].on", "served is a flag"},
		{"passes never", "{deadline: notice}, ", "", "events[3].guards[0].deadlinePassed", "no event starts notice"},
		{"not renewable", "renewal: {count: 48, unit: hours}, ", "", "events[7].renews[0]", "cannot be renewed"},
		{"hours and days", "ceiling: {count: 72, unit: hours}", "ceiling: {count: 3, unit: days}", "deadlines[4].ceiling", "cannot be put together"},
		{"low ceiling", "ceiling: {count: 72, unit: hours}", "ceiling: {count: 24, unit: hours}", "deadlines[4].ceiling", "below the length"},
		{"hours counted", "custody: true", "custody: true, lastDay: keep", "deadlines[4]", "elapsed time"},
		{"custody moved", "lastDay: next-court-day", "lastDay: next-court-day\n    custody: true", "deadlines[0].lastDay", "custody longer"},
		{"no counting", "counting: francs", "note: x", "deadlines[0]", "add counting"},
		{"court and length", "counting: francs", "counting: francs\n    byCourt: true", "deadlines[0].byCourt", "remove one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := replace(t, full(t), c.old, c.with)
			document, problems := procedure.Parse([]byte(text))
			if document != nil || problems.Err() == nil {
				t.Fatal("the document was accepted")
			}
			for _, problem := range problems {
				if problem.Path == c.path && strings.Contains(problem.Text, c.text) {
					if want := c.line(text); problem.Line != want || problem.Column < 1 {
						t.Errorf("found in line %d, want %d", problem.Line, want)
					}
					return
				}
			}
			t.Errorf("want %s: %s, got\n%v", c.path, c.text, problems)
		})
	}
}
