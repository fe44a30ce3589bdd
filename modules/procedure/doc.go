// Package procedure reads, checks, compares and runs a court procedure that a
// country owns as a versioned document. It keeps nothing and asks nobody: a
// case's State is plain data that the caller stores.
//
// The document and its parts:
//
//	document.go      what a document declares
//	rules.go         fees, deadlines, states, events, transitions
//	condition.go     what conditions can ask
//	calendar.go      court days and holidays
//	values.go        fixed words, and how texts must look
//	schema.go        the published JSON Schema
//	countries/       the procedures that are shipped
//
// Reading it:
//
//	parse.go         YAML or JSON to a document, with every problem's line
//	problem.go       what a problem is
//	decode.go        values, lists and texts
//	decodeobject.go  keys
//	check.go         names, references, codes, gaps
//	checkparts.go    versions, courts, calendars, services
//	checkrules.go    deadlines, fees, conditions
//	checkgraph.go    states that cannot be reached or left
//	numbers.go       number formats
//	index.go         finding parts by code
//
// Running a case:
//
//	state.go         where a case stands, and what the record says of it
//	engine.go        which events can happen, and letting one happen
//	question.go      answers to conditions
//	change.go        what an event changes, and its effects
//	reason.go        why an event cannot happen
//	term.go          a deadline of one case
//	counting.go      which day is the last
//	day.go           days without a place, their beginning, Easter
//
// From one version to another, and from elsewhere:
//
//	diff.go          what changed, in words
//	migrate.go       bringing cases over
//	ccd.go           rows of a CCD definition
//	ccdpost.go       their post-states
//	ccdcondition.go  their conditions
//	ccddocument.go   the document that they make
package procedure
