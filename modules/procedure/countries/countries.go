// Package countries holds the procedures that are shipped. No lawyer has
// reviewed them; each says so, and marks what is missing or only recalled.
package countries

import "embed"

// Files are the documents by file name, for example ps-criminal.yaml. Read them
// with procedure.Parse.
//
//go:embed *.yaml
var Files embed.FS
