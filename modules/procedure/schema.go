package procedure

import _ "embed"

// Schema is the JSON Schema (2020-12) of a document's structure. Editors check
// with it while somebody writes; Parse also checks what the parts mean. A test
// writes it from document.go, so that the two never differ.
//
//go:embed schema.json
var Schema []byte
