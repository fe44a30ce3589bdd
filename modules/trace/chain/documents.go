package chain

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
)

// attestations are what entries say of the documents beside the trace.
type attestations struct {
	manifest Manifest
	// digests by document, those that some entry names.
	digests map[string][]Hash
}

func attested(m Manifest) *attestations {
	a := &attestations{m, map[string][]Hash{}}
	for _, d := range m.Documents {
		a.digests[d.DocumentID] = nil
	}
	return a
}

// see notes what a link says of a document's content.
func (a *attestations) see(link Link) {
	if link.Entry == nil || link.Entry.ObjectKind != "document" || link.Entry.Outcome != Allowed {
		return
	}
	known, listed := a.digests[link.Entry.ObjectID]
	var digest Hash
	if !listed || digest.UnmarshalText([]byte(link.Entry.Details["sha256"])) != nil || slices.Contains(known, digest) {
		return
	}
	a.digests[link.Entry.ObjectID] = append(known, digest)
}

// check compares each document with the manifest and with what entries say.
func (a *attestations) check(ctx context.Context, files fs.FS, report *Report) {
	for _, d := range a.manifest.Documents {
		if ctx.Err() != nil {
			return
		}
		known := a.digests[d.DocumentID]
		fault := d.check(files)
		if fault == "" && len(known) > 0 && !slices.Contains(known, d.SHA256) {
			fault = "it is not what the trace says was filed"
		}
		if fault != "" {
			report.add(Break{Kind: BadDocument, What: fmt.Sprintf("document %s: %s", d.DocumentID, fault)})
			continue
		}
		report.Documents++
		if len(known) == 0 {
			report.Unattested++
		}
	}
}

func (d DocumentFile) check(files fs.FS) string {
	file, err := files.Open(d.File)
	if err != nil {
		return "the file is missing or cannot be opened"
	}
	defer file.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, file)
	switch {
	case err != nil:
		return "the file cannot be read to the end"
	case size != d.Size || hex.EncodeToString(sum.Sum(nil)) != d.SHA256.String():
		return "altered: it is not the file that the manifest lists"
	}
	return ""
}

// strangers finds files that the manifest does not list: nobody should take them
// for verified.
func (f *folder) strangers(report *Report) error {
	listed := f.manifest.files()
	err := fs.WalkDir(f.files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && !listed[name] {
			report.add(Break{Kind: BadManifest, What: fmt.Sprintf("the file %s does not belong to the export", name)})
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("list the files: %w", err)
	}
	return nil
}
