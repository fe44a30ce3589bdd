// Package casemanagement keeps a court's case files: filing with gapless
// numbers, registration, parties, documents, search, an API and pages.
//
//	app.go         how the parts fit together
//	settings.go    what the ministry configures
//	filing.go      what a filing may contain
//	numbering.go   how numbers look
//	text.go        how text is cleaned and searched
//	store.go       what the database keeps
//	search.go      how cases are listed and found
//	idempotency.go how a retry creates nothing twice
//	api.go         the JSON API, described by openapi.json
//	pages.go       the pages, drawn by templates/
package casemanagement
