// Package kit is what every module of a court platform shares: configuration,
// start-up and shutdown, health, metrics, logging, migrations, problem
// responses, languages and the page frame.
//
// It knows nothing about courts and nothing about the operator.
package kit
