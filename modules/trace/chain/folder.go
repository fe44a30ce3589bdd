package chain

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
)

// folder is an export as a Source.
type folder struct {
	files    fs.FS
	manifest Manifest
	chains   map[ID]ChainFile
	// anchors up to the first that cannot be read, which fault tells of.
	anchors []Anchor
	fault   *FormError
}

// VerifyExport verifies an export and the documents in it with keys that the
// caller got another way than with the export. known are anchors that were seen
// earlier. The error says that there is no export that could be verified.
func VerifyExport(ctx context.Context, files fs.FS, keys Keys, known ...Ref) (Report, Manifest, error) {
	file, err := readFile(files, ManifestFile)
	if errors.Is(err, errDamaged) {
		return Report{Breaks: []Break{{Kind: BadManifest, What: err.Error()}}}, Manifest{}, nil
	}
	if err != nil {
		return Report{}, Manifest{}, err
	}
	f := &folder{files: files, chains: map[ID]ChainFile{}}
	faults := f.checkManifest(file, keys)
	if f.manifest.Format == "" {
		return Report{Breaks: faults}, Manifest{}, nil
	}
	if err := f.readAnchors(); err != nil {
		return Report{}, f.manifest, err
	}
	documents := attested(f.manifest)
	options := Options{After: f.manifest.After, Known: known, See: documents.see}
	if f.manifest.Last.Number > 0 {
		options.Known = append(options.Known, f.manifest.Last)
	}
	if len(f.manifest.Filter) > 0 {
		options.Only = func(id ID) bool { _, found := f.chains[id]; return found }
	}
	report, err := Verify(ctx, f, keys, options)
	if err != nil {
		return report, f.manifest, err
	}
	report.Breaks = append(faults, report.Breaks...)
	documents.check(ctx, files, &report)
	return report, f.manifest, f.strangers(&report)
}

// checkManifest reads the manifest, unless it is not one.
func (f *folder) checkManifest(file []byte, keys Keys) (faults []Break) {
	bad := func(kind Kind, what string) {
		faults = append(faults, Break{Kind: kind, What: "the manifest: " + what})
	}
	var signature Signature
	if text, err := readFile(f.files, SignatureFile); err != nil {
		bad(BadSignature, "its signature is missing")
	} else if decode(text, &signature) != nil {
		bad(BadSignature, "its signature cannot be read")
	} else if fault := keys.verify(signature.KeyID, ManifestSigned(file), signature.Signature); fault != "" {
		bad(BadSignature, fault+": the manifest was altered or somebody else made it")
	}
	var manifest Manifest
	if err := decode(file, &manifest); err != nil {
		bad(BadManifest, "it cannot be read: "+err.Error())
		return faults
	}
	if fault := manifest.check(); fault != "" {
		bad(BadManifest, fault)
		return faults
	}
	f.manifest = manifest
	for _, c := range manifest.Chains {
		f.chains[c.ID] = c
	}
	return faults
}

func (f *folder) readAnchors() error {
	for line, err := range lines(f.files, AnchorsFile) {
		var anchor Anchor
		if err == nil {
			anchor, err = ParseAnchor(line)
			if err != nil {
				err = &FormError{fmt.Sprintf("it cannot be read: %v", err)}
			}
		}
		if errors.As(err, &f.fault) {
			return nil
		}
		if err != nil {
			return err
		}
		f.anchors = append(f.anchors, anchor)
	}
	return nil
}

// Base implements Source: the first line of the anchors.
func (f *folder) Base(_ context.Context, _ int64) (Anchor, map[ID]Head, error) {
	if len(f.anchors) == 0 {
		return Anchor{}, nil, nil
	}
	heads := map[ID]Head{}
	for _, head := range f.anchors[0].Heads {
		heads[head.ID] = head
	}
	return f.anchors[0], heads, nil
}

// Anchors implements Source. The limit does not matter: they are in memory.
func (f *folder) Anchors(_ context.Context, after int64, _ int) ([]Anchor, error) {
	rest := f.anchors
	for len(rest) > 0 && rest[0].Number <= after {
		rest = rest[1:]
	}
	if len(rest) == 0 && f.fault != nil {
		return nil, f.fault
	}
	return rest, nil
}

// Chains implements Source.
func (f *folder) Chains(context.Context) ([]State, error) {
	states := make([]State, len(f.manifest.Chains))
	for i, c := range f.manifest.Chains {
		states[i] = State{c.Head, c.Seq}
	}
	return states, nil
}

// Links implements Source.
func (f *folder) Links(_ context.Context, id ID, after, through int64) iter.Seq2[Link, error] {
	return func(yield func(Link, error) bool) {
		chain, found := f.chains[id]
		if !found {
			return
		}
		n, last := chain.After, Link{}
		for line, err := range lines(f.files, chain.File) {
			n++
			switch {
			case err == nil && n <= after:
				continue
			case err == nil && n > chain.Seq:
				err = &FormError{fmt.Sprintf("%s has more lines than the manifest lists", chain.File)}
			case err == nil && n > through:
				return
			}
			var link Link
			if err == nil {
				link, err = chain.parse(line, n)
			}
			// The file's last is held back until the end of the file is seen.
			if err == nil && n == chain.Seq {
				last = link
				continue
			}
			if !yield(link, err) || err != nil {
				return
			}
		}
		if n == chain.Seq && n <= through {
			yield(last, nil)
		}
	}
}

func (c ChainFile) parse(line []byte, n int64) (Link, error) {
	link, err := ParseLink(line)
	if err != nil {
		return Link{}, &FormError{fmt.Sprintf("line %d of %s cannot be read: %v", n-c.After, c.File, err)}
	}
	return link, nil
}
