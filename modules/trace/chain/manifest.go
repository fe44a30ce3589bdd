package chain

import (
	"crypto/sha256"
	"fmt"
)

// Names in an export. Files of chains and documents are named by the manifest.
const (
	Format        = "ejustice-trace-export-1"
	ManifestFile  = "manifest.json"
	SignatureFile = "manifest.sig.json"
	AnchorsFile   = "anchors.ndjson"
)

// Manifest says what an export holds. It is signed like an anchor.
type Manifest struct {
	Format string `json:"format"`
	Made   Time   `json:"made"`
	// Filter is what was asked for; empty for everything. Entries that it does
	// not match are withheld.
	Filter map[string]string `json:"filter"`
	// Keys are the public keys of the one who made it. They show which keys are
	// meant; a verifier trusts only those that it got another way.
	Keys []PublicKey `json:"keys"`
	// After is the anchor that the export begins after, zero when it begins
	// with the first entry. The file of anchors begins with it, and there it
	// lists all heads. Last is the last anchor, zero if there is none.
	After Ref `json:"after"`
	Last  Ref `json:"last"`
	// Chains that are in the export.
	Chains []ChainFile `json:"chains"`
	// Documents beside the trace.
	Documents []DocumentFile `json:"documents"`
}

// ChainFile is the links of one chain, one a line.
type ChainFile struct {
	// Head is the last link in the file.
	Head
	// After is the seq of the link before the first in the file.
	After int64  `json:"after"`
	File  string `json:"file"`
}

// DocumentFile is one document.
type DocumentFile struct {
	// DocumentID is what entries call it: those with the object kind document
	// and this object id. If they have a detail sha256, it must be the
	// document's.
	DocumentID string `json:"documentId"`
	File       string `json:"file"`
	// Size in bytes.
	Size   int64 `json:"size"`
	SHA256 Hash  `json:"sha256"`
}

// Signature is of a manifest.
type Signature struct {
	KeyID     string `json:"keyId"`
	Signature []byte `json:"signature"`
}

// ManifestSigned are the bytes that are signed for a manifest: its file as it is.
func ManifestSigned(file []byte) []byte {
	return appendNet(nil, "ejustice-trace-manifest-1", Hash(sha256.Sum256(file)).String())
}

// check says what is wrong with a manifest that can be read, or "".
func (m Manifest) check() string {
	if m.Format != Format {
		return fmt.Sprintf("the format is not %s", Format)
	}
	chains, files := map[ID]bool{}, ownFiles()
	for _, c := range m.Chains {
		if chains[c.ID] || files[c.File] || c.After < 0 || c.Seq <= c.After {
			return fmt.Sprintf("%s is listed twice, or its file is, or its range is wrong", c.ID)
		}
		chains[c.ID], files[c.File] = true, true
	}
	for _, d := range m.Documents {
		if files[d.File] {
			return fmt.Sprintf("the file %q is listed twice", d.File)
		}
		files[d.File] = true
	}
	return ""
}

func ownFiles() map[string]bool {
	return map[string]bool{ManifestFile: true, SignatureFile: true, AnchorsFile: true}
}

// files are those that belong to the export.
func (m Manifest) files() map[string]bool {
	files := ownFiles()
	for _, c := range m.Chains {
		files[c.File] = true
	}
	for _, d := range m.Documents {
		files[d.File] = true
	}
	return files
}
