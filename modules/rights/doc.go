// Package rights decides who may do what with a case: role × court × relation
// to the case × sealing level × action on a group of fields. What no rule
// allows is refused.
//
// The rules are data, in rules.csv. From them come Decide, which answers one
// question; NewFilter, which narrows lists, counts and searches; SQL, which
// writes PostgreSQL's row-level security as a second line; and docs/rights.md.
// In which state of a case a step is open is not decided here but by the
// procedure.
//
//	rules.csv      the table
//	words.go       roles, relations, levels, actions and field groups
//	vocabulary.go  their codes, and what they mean
//	table.go       the table, unfolded for look-ups
//	parse.go       how it is read
//	check.go       lines without an effect are refused
//	actor.go       who asks, and which of their roles count now
//	claims.go      the actor of a token
//	delegate.go    what somebody who stands in may be given
//	record.go      what is asked about, and the answer
//	decide.go      the decision
//	load.go        what people are to a case
//	sql.go         row-level security for a migration
//	policies.go    its conditions, for whoever a transaction names
//	functions.sql  its functions
//	setting.go     how a transaction names the actor
//	filter.go      the condition for one actor
//	known.go       its parts
//	values.go      its placeholders
//	arms.go        the table, folded up for SQL
//	predicate.go   what both kinds of condition share
//	document.go    docs/rights.md, which print writes
//
// # How a module uses it
//
// At sign-in ParseClaims reads the actor. Each request opens a transaction,
// calls Enter, loads the record with LoadRelations, and asks Decide. A record that is not Visible is answered as one that does not exist;
// where NeedsReason is set, the reason is asked for, recorded, and the case's
// id put into Actor.Reasons. Lists use NewFilter besides.
package rights
