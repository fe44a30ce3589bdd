package chain

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

var private = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

var trusted = Keys{"k/1": private.Public().(ed25519.PublicKey)}

func encode(t testing.TB, value any) []byte {
	t.Helper()
	text, err := Encode(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// export makes one by hand: four entries in one chain, anchored after each second,
// and a document. change may spoil the manifest before it is signed.
func export(t testing.TB, change func(*Manifest)) fstest.MapFS {
	t.Helper()
	return exportWith(t, change, func(*Anchor) {})
}

// exportWith also lets the anchors be spoilt before they are signed.
func exportWith(t testing.TB, change func(*Manifest), spoil func(*Anchor)) fstest.MapFS {
	t.Helper()
	at := Time{time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC)}
	document := []byte("what was filed")
	sum := Hash(sha256.Sum256(document))
	var links, anchors bytes.Buffer
	var head Head
	var last Ref
	for seq := int64(1); seq <= 4; seq++ {
		link := Link{ID: ID{"AAA", 0}, Seq: seq, At: at, Entry: &Entry{
			ID: fmt.Sprint(seq), Person: "p", Action: "document.file", Outcome: Allowed, ObjectKind: "document", ObjectID: "d",
			Details: map[string]string{"sha256": sum.String()},
		}}
		link.Hash = link.After(head.Hash, seq)
		head = Head{link.ID, seq, link.Hash}
		links.Write(append(encode(t, link), '\n'))
		if seq%2 == 0 {
			anchor := Anchor{Number: seq / 2, At: at, Previous: last.Hash, Root: Root(map[ID]Head{head.ID: head}), Chains: 1, Heads: []Head{head}, KeyID: "k/1"}
			spoil(&anchor)
			anchor.Signature = ed25519.Sign(private, anchor.Signed())
			anchors.Write(append(encode(t, anchor), '\n'))
			last = anchor.Ref()
		}
	}
	manifest := Manifest{
		Format: Format, Made: at, Filter: map[string]string{}, Keys: []PublicKey{}, Last: last,
		Chains:    []ChainFile{{Head: head, File: "chains/AAA-0.ndjson"}},
		Documents: []DocumentFile{{"d", "documents/d", int64(len(document)), sum}},
	}
	if change != nil {
		change(&manifest)
	}
	text := encode(t, manifest)
	signature := encode(t, Signature{"k/1", ed25519.Sign(private, ManifestSigned(text))})
	return fstest.MapFS{
		ManifestFile: {Data: text}, SignatureFile: {Data: signature}, AnchorsFile: {Data: anchors.Bytes()},
		"chains/AAA-0.ndjson": {Data: links.Bytes()}, "documents/d": {Data: document},
	}
}

func verify(t testing.TB, files fs.FS) Report {
	t.Helper()
	report, _, err := VerifyExport(context.Background(), files, trusted)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestVerifyExport(t *testing.T) {
	if report := verify(t, export(t, nil)); !report.OK() || report.Links != 4 || report.Anchors != 2 || report.Documents != 1 || report.Unattested != 0 {
		t.Errorf("%s %+v", report, report)
	}
}

// A manifest is not believed because it is signed: what it says must fit.
func TestSignedManifestThatDoesNotFit(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Manifest)
		says   string
	}{
		"another format":        {func(m *Manifest) { m.Format = "x" }, "format"},
		"a chain twice":         {func(m *Manifest) { m.Chains = append(m.Chains, m.Chains[0]) }, "twice"},
		"a file twice":          {func(m *Manifest) { m.Documents[0].File = ManifestFile }, "twice"},
		"an empty range":        {func(m *Manifest) { m.Chains[0].Seq = 0 }, "range"},
		"a negative range":      {func(m *Manifest) { m.Chains[0].After = -1 }, "range"},
		"a chain left out":      {func(m *Manifest) { m.Chains = nil }, "missing"},
		"a shorter chain":       {func(m *Manifest) { m.Chains[0].Seq = 3 }, "more lines"},
		"a longer chain":        {func(m *Manifest) { m.Chains[0].Seq = 5 }, "entry 5: missing"},
		"another last hash":     {func(m *Manifest) { m.Chains[0].Hash = Hash{} }, "another hash"},
		"a later start":         {func(m *Manifest) { m.Chains[0].After = 1 }, "more lines"},
		"a file outside":        {func(m *Manifest) { m.Chains[0].File = "../x" }, "missing"},
		"another last anchor":   {func(m *Manifest) { m.Last.Hash = Hash{} }, "not the one"},
		"an anchor to come":     {func(m *Manifest) { m.Last.Number = 3 }, "cut off"},
		"an anchor to follow":   {func(m *Manifest) { m.After.Number = 2 }, "verified earlier"},
		"a document left out":   {func(m *Manifest) { m.Documents = nil }, "does not belong"},
		"another document":      {func(m *Manifest) { m.Documents[0].SHA256 = Hash{} }, "altered"},
		"another document's id": {func(m *Manifest) { m.Documents[0].Size++ }, "altered"},
	} {
		if report := verify(t, export(t, test.change)); report.OK() || !strings.Contains(report.String(), test.says) {
			t.Errorf("%s: want %q: %s", name, test.says, report)
		}
	}
}

// Nor is an anchor: a module that was taken over can have nonsense signed.
func TestSignedAnchorThatDoesNotFit(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(*Anchor)
		says  string
	}{
		"a head set back": {func(a *Anchor) { a.Heads[0].Seq = 1; a.Root = Root(map[ID]Head{a.Heads[0].ID: a.Heads[0]}) }, "already covers"},
		"a head twice":    {func(a *Anchor) { a.Heads = append(a.Heads, a.Heads[0]) }, "already covers"},
		"another count":   {func(a *Anchor) { a.Chains = 2 }, "does not cover"},
		"another root":    {func(a *Anchor) { a.Root = Hash{} }, "does not cover"},
		"another chain": {func(a *Anchor) {
			a.Heads = append(a.Heads, Head{ID{"BBB", 0}, 1, Hash{1}})
			a.Root, a.Chains = Root(map[ID]Head{a.Heads[0].ID: a.Heads[0], a.Heads[1].ID: a.Heads[1]}), 2
		}, "court BBB, chain 0, entry 1: missing"},
		"another hash": {func(a *Anchor) { a.Heads[0].Hash = Hash{}; a.Root = Root(map[ID]Head{a.Heads[0].ID: a.Heads[0]}) }, "rewritten"},
		"a gap":        {func(a *Anchor) { a.Number = 3 }, "anchor 2: is missing"},
		"one again":    {func(a *Anchor) { a.Number = 1 }, "anchor 1: is not the one"},
		"other past":   {func(a *Anchor) { a.Previous = Hash{} }, "does not continue"},
	} {
		second := func(a *Anchor) {
			if a.Number == 2 {
				test.spoil(a)
			}
		}
		if report := verify(t, exportWith(t, nil, second)); report.OK() || !strings.Contains(report.String(), test.says) {
			t.Errorf("%s: want %q: %s", name, test.says, report)
		}
	}
}

// Only one who trusts a key accepts what it signed.
func TestKeysAreNotTakenFromTheExport(t *testing.T) {
	files := export(t, func(m *Manifest) { m.Keys = []PublicKey{{"k/1", trusted["k/1"]}} })
	for name, keys := range map[string]Keys{"none": {}, "another": {"k/1": make(ed25519.PublicKey, 32)}, "too short": {"k/1": {1}}, "another name": {"k/2": trusted["k/1"]}} {
		report, _, err := VerifyExport(context.Background(), files, keys)
		if err != nil || report.OK() || report.Breaks[0].Kind != BadSignature {
			t.Errorf("%s: %s, error %v", name, report, err)
		}
	}
}

// Whatever bytes are in an export, verifying it ends, and only what was made is
// called whole.
func FuzzVerifyExport(f *testing.F) {
	whole := export(f, nil)
	for name, file := range whole {
		f.Add(name, file.Data[:len(file.Data)-1])
		f.Add(name, []byte("{}"))
		f.Add(name, append(bytes.Clone(file.Data), '\n'))
		f.Add(name, bytes.ReplaceAll(file.Data, []byte("1"), []byte("-1")))
	}
	f.Add("other", []byte(nil))
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		files := maps.Clone(whole)
		if !fs.ValidPath(name) || name == "." || files[name] != nil && bytes.Equal(files[name].Data, content) {
			return
		}
		files[name] = &fstest.MapFile{Data: content}
		report, _, err := VerifyExport(context.Background(), files, trusted)
		if err == nil && report.OK() {
			t.Fatalf("%s may be %q", name, content)
		}
	})
}

// What is in the files of a signed manifest may be anything as well.
func FuzzSignedManifest(f *testing.F) {
	f.Add(int64(0), int64(4), int64(0), int64(2), "AAA", 0, "chains/AAA-0.ndjson")
	f.Add(int64(2), int64(4), int64(1), int64(2), "AAA", 0, "chains/AAA-0.ndjson")
	f.Add(int64(-1), int64(1)<<62, int64(-1), int64(-1), "", -1, "")
	f.Fuzz(func(t *testing.T, after, seq, base, last int64, court string, shard int, file string) {
		files := export(t, func(m *Manifest) {
			m.Chains[0].After, m.Chains[0].Seq, m.After.Number, m.Last.Number = after, seq, base, last
			m.Chains[0].Court, m.Chains[0].Shard, m.Chains[0].File = court, shard, file
		})
		report, _, err := VerifyExport(context.Background(), files, trusted)
		if (err == nil && report.OK()) != (after == 0 && seq == 4 && base == 0 && last == 2 && court == "AAA" && shard == 0 && file == "chains/AAA-0.ndjson") {
			t.Fatalf("%s, error %v", report, err)
		}
	})
}
