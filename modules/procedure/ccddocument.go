package procedure

// document puts the parts together and says what is not known.
func (im *importer) document(caseType string) *Document {
	names := func(text string) Names { return Names{"en": text} }
	d := &Document{
		ID: caseType, Version: "0.0.1", Country: "XX", Names: names(caseType), Languages: []string{"en"},
		Review:    names("Imported from a CCD definition. No lawyer has reviewed it, and its gaps are not filled."),
		Calendar:  "court",
		Roles:     []RoleName{{Code: ccdRole, Names: names("Court administrator")}},
		Courts:    []Court{{Named: Named{"court", names("Court")}}},
		CaseTypes: []CaseType{{Named: Named{caseType, names(caseType)}, Court: "court"}},
		Calendars: []Calendar{{Named: Named{"court", names("Every day")}, TimeZone: "UTC", Weekend: []Weekday{}}},
		States:    append([]WorkflowState{{Named: Named{ccdStart, names("Not yet created")}, Initial: true}}, im.stateList...),
		AllEvents: im.eventList,
		Gaps: []Missing{
			{Subject: "country", Gap: "Which country's procedure this is, and since when it applies."},
			{Subject: "roles", Gap: "Who may trigger which event: CCD keeps it in AuthorisationCaseEvent, which was not read."},
			{Subject: "calendars", Gap: "The time zone and the days without court."},
			{Subject: "deadlines", Gap: "Deadlines: CCD has none as data."},
			{Subject: "fees", Gap: "Fees: CCD has none as data."},
		},
	}
	for _, code := range sortedKeys(im.facts) {
		d.Facts = append(d.Facts, im.facts[code])
	}
	markEnds(d)
	return d
}

// markEnds makes states that no event leaves final, and says where only CCD's
// callbacks can lead to a state.
func markEnds(d *Document) {
	d.buildIndex()
	c := checker{document: d}
	next, _ := c.edges()
	reached := spread([]string{ccdStart}, next)
	for i := range d.States {
		state := &d.States[i]
		state.Final = len(next[state.Code]) == 0
		if !reached[state.Code] {
			state.Gap = "No event leads to this state: in CCD a callback may."
		}
	}
}
