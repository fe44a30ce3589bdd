// Package procedure reads, checks, compares and runs a court procedure that a
// country owns as a versioned document. It keeps nothing and asks nobody: a
// case's State is plain data that the caller stores.
//
// The document and its parts:
//
//	document.go      what a document declares
//	rules.go         fees, deadlines, states, events, conditions, transitions
//	calendar.go      court days and holidays
//	values.go        fixed words, and how texts must look
//	schema.go        the published JSON Schema
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
//	day.go           days without a place, Easter
package procedure
