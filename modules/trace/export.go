package trace

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"regexp"
	"slices"

	"ejustice.dev/operator/modules/trace/chain"
)

// Creator makes the files of an export, one after the other: what was made
// before is finished. A *zip.Writer is one.
type Creator interface {
	Create(name string) (io.Writer, error)
}

// Document is put beside the trace. Open gives its content as it was filed.
type Document struct {
	ID   string
	Open func(context.Context) (io.ReadCloser, error)
}

// documentID is what may be the name of a file.
var documentID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,127}$`)

// Export writes the part of the trace in which all entries of the filter are, and
// documents beside it, so that cmd/trace-verify can verify it offline. Entries
// in that part which the filter does not mean are withheld: only their place in
// the chain can be checked. Nothing is held in memory but the anchors.
//
// documents may be nil. The error of one of them ends the export.
func Export(ctx context.Context, db DB, signer Signer, f Filter, documents iter.Seq2[Document, error], to Creator) (chain.Manifest, error) {
	keys, err := signer.PublicKeys(ctx)
	if err != nil {
		return chain.Manifest{}, err
	}
	x := &export{source: Live{db}, filter: f, to: to}
	if x.window, err = f.window(ctx, db); err != nil {
		return chain.Manifest{}, err
	}
	x.manifest = chain.Manifest{
		Format: chain.Format, Filter: f.words(), Keys: []chain.PublicKey{},
		After: x.window.after, Chains: []chain.ChainFile{}, Documents: []chain.DocumentFile{},
	}
	for _, id := range slices.Sorted(maps.Keys(keys)) {
		x.manifest.Keys = append(x.manifest.Keys, chain.PublicKey{ID: id, PublicKey: keys[id]})
	}
	for _, step := range []func(context.Context) error{x.anchors, x.chains} {
		if err := step(ctx); err != nil {
			return chain.Manifest{}, err
		}
	}
	if documents != nil {
		for document, err := range documents {
			if err == nil {
				err = x.document(ctx, document)
			}
			if err != nil {
				return chain.Manifest{}, fmt.Errorf("export documents: %w", err)
			}
		}
	}
	return x.manifest, x.sign(ctx, signer)
}

// export is one under way.
type export struct {
	source   Live
	filter   Filter
	window   window
	to       Creator
	manifest chain.Manifest
	base     map[chain.ID]chain.Head // as of the anchor to begin after
}

// anchors writes them, first the one to begin after with all its heads.
func (x *export) anchors(ctx context.Context) error {
	file, err := x.to.Create(chain.AnchorsFile)
	if err != nil {
		return err
	}
	last := x.window.after
	if last.Number > 0 {
		base, heads, err := x.source.Base(ctx, last.Number)
		if err != nil {
			return err
		}
		x.base = heads
		base.Heads = slices.SortedFunc(maps.Values(heads), func(a, b chain.Head) int { return a.ID.Compare(b.ID) })
		if err := writeLine(file, base); err != nil {
			return err
		}
	}
	for {
		limit := int64(verifyWindow)
		if x.window.through > 0 {
			limit = min(limit, x.window.through-last.Number)
		}
		var anchors []chain.Anchor
		if limit > 0 {
			if anchors, err = x.source.Anchors(ctx, last.Number, int(limit)); err != nil {
				return err
			}
		}
		if len(anchors) == 0 {
			break
		}
		for _, anchor := range anchors {
			if err := writeLine(file, anchor); err != nil {
				return err
			}
		}
		last = anchors[len(anchors)-1].Ref()
	}
	x.manifest.Last = last
	return nil
}

// chains writes the links of each.
func (x *export) chains(ctx context.Context) error {
	states, now, err := readChains(ctx, x.source.DB)
	if err != nil {
		return err
	}
	x.manifest.Made = chain.Time{Time: now}
	var ends map[chain.ID]chain.Head
	if x.window.through > 0 {
		if _, ends, err = x.source.Base(ctx, x.window.through); err != nil {
			return err
		}
	}
	for _, state := range states {
		end := state.Head
		if ends != nil {
			end = ends[state.ID]
		}
		after := x.base[state.ID].Seq
		if end.Seq <= after || x.window.only != nil && !x.window.only(state.ID) {
			continue
		}
		if err := x.chain(ctx, chain.ChainFile{Head: end, After: after, File: fileOf(state.ID)}); err != nil {
			return err
		}
	}
	return nil
}

func fileOf(id chain.ID) string {
	court := id.Court
	if court == "" {
		court = "tenant"
	}
	return fmt.Sprintf("chains/%s-%d.ndjson", court, id.Shard)
}

func (x *export) chain(ctx context.Context, file chain.ChainFile) error {
	if !court.MatchString(file.Court) {
		return errors.New("export: a chain's court has no code that could name a file")
	}
	to, err := x.to.Create(file.File)
	if err != nil {
		return err
	}
	buffer := bufio.NewWriterSize(to, 64<<10)
	for link, err := range x.source.Links(ctx, file.ID, file.After, file.Seq) {
		if err != nil {
			return err
		}
		if !x.filter.matches(link) {
			link = link.Withheld()
		}
		if err := writeLine(buffer, link); err != nil {
			return err
		}
	}
	x.manifest.Chains = append(x.manifest.Chains, file)
	return buffer.Flush()
}

func (x *export) document(ctx context.Context, d Document) error {
	if !documentID.MatchString(d.ID) {
		return errors.New("a document's id cannot name a file")
	}
	content, err := d.Open(ctx)
	if err != nil {
		return err
	}
	defer content.Close()
	listed := chain.DocumentFile{DocumentID: d.ID, File: "documents/" + d.ID}
	to, err := x.to.Create(listed.File)
	if err != nil {
		return err
	}
	sum := sha256.New()
	if listed.Size, err = io.Copy(io.MultiWriter(to, sum), content); err != nil {
		return err
	}
	sum.Sum(listed.SHA256[:0])
	x.manifest.Documents = append(x.manifest.Documents, listed)
	return nil
}

// sign writes the manifest and its signature.
func (x *export) sign(ctx context.Context, signer Signer) error {
	text, err := chain.Encode(x.manifest)
	if err != nil {
		return err
	}
	signature, keyID, err := signer.Sign(ctx, chain.ManifestSigned(text))
	if err != nil {
		return fmt.Errorf("sign the manifest: %w", err)
	}
	signed, err := chain.Encode(chain.Signature{KeyID: keyID, Signature: signature})
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{chain.ManifestFile: text, chain.SignatureFile: signed} {
		to, err := x.to.Create(name)
		if err != nil {
			return err
		}
		if _, err := to.Write(content); err != nil {
			return err
		}
	}
	return nil
}

func writeLine(to io.Writer, value any) error {
	line, err := chain.Encode(value)
	if err != nil {
		return err
	}
	_, err = to.Write(append(line, '\n'))
	return err
}
