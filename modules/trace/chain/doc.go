// Package chain is the pure part of the trace: what is hashed and signed, and
// how a trace is verified, wherever it lies. It needs the standard library
// only, so that the stand-alone verifier is small enough to be read whole.
// docs/trace.md describes the same for somebody who writes another verifier.
//
//	entry.go      what is recorded of one act, and its digest
//	link.go       an entry's place in its chain, and the hash
//	anchor.go     the heads of all chains, put together and signed
//	keys.go       the public keys that anchors are checked with
//	verify.go     what a verification is and where it begins
//	follow.go     how anchors are followed
//	walk.go       how one chain is followed
//	tail.go       how the newest links are, which no anchor covers yet
//	report.go     what was found, in plain words
//	manifest.go   what an export says of itself
//	folder.go     how an export is read
//	lines.go      how its files are read
//	documents.go  how the documents beside an export are checked
//	strict.go     how JSON is read that has only one form
package chain
