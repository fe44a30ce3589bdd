// Package trace records every read and write of a case or document, so that it
// cannot be undone: entries are hash-chained in the database by functions that
// only append, and the heads of all chains are signed at intervals with a key
// that the database does not have. docs/trace.md describes it for operators,
// auditors and whoever writes another verifier.
//
//	entry.go      what is recorded of one act
//	append.go     how it is recorded within the act's own transaction
//	migration.go  the database's side, and the roles it needs
//	anchor.go     how the heads are put together and signed
//	vault.go      how Vault signs
//	live.go       the database as something to verify
//	scope.go      which part of the trace is meant
//	find.go       how entries are read, by an auditor or by a party
//	export.go     how a part is handed out to be verified elsewhere
//	keeper.go     how all this goes on while the module runs
//	chain/        the pure part, shared with cmd/trace-verify
//	tracetest/    a trace for other packages' tests
package trace
