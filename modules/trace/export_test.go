package trace_test

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"crypto/sha256"
	"encoding/hex"

	"ejustice.dev/operator/modules/trace"
	"ejustice.dev/operator/modules/trace/chain"
)

const filed = "8f14e45f-ceea-467f-ab1d-0123456789ab"

// documents are one that the trace knows by its SHA-256 and one that it does not.
func documents(contents map[string]string) iter.Seq2[trace.Document, error] {
	return func(yield func(trace.Document, error) bool) {
		for _, id := range slices.Sorted(maps.Keys(contents)) {
			open := func(context.Context) (io.ReadCloser, error) {
				return io.NopCloser(strings.NewReader(contents[id])), nil
			}
			if !yield(trace.Document{ID: id, Open: open}, nil) {
				return
			}
		}
	}
}

// file records that a document was filed.
func (f *fixture) file(t *testing.T, content string) {
	t.Helper()
	sum := sha256.Sum256([]byte(content))
	e := entry("AAA")
	e.Action, e.ObjectKind, e.ObjectID = "document.file", "document", filed
	e.Details = map[string]string{"sha256": hex.EncodeToString(sum[:])}
	f.append(t, e)
}

// unpack gives the files of an export so that they can be changed.
func unpack(t testing.TB, archive []byte) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	reader := unzip(t, archive)
	for _, entry := range reader.File {
		content, err := fs.ReadFile(reader, entry.Name)
		if err != nil {
			t.Fatal(err)
		}
		files[entry.Name] = &fstest.MapFile{Data: content}
	}
	return files
}

func (f *fixture) verifyFiles(t testing.TB, files fs.FS) chain.Report {
	t.Helper()
	keys, _ := f.key.PublicKeys(ctx)
	report, _, err := chain.VerifyExport(ctx, files, keys)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestExportWithDocuments(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.fill(t, 3, "AAA", "BBB")
	f.file(t, "what was filed")
	f.anchor(t)
	f.fill(t, 1, "AAA")
	contents := map[string]string{filed: "what was filed", "11111111-0000-4000-8000-000000000000": "something else"}
	archive := f.export(t, trace.Filter{}, documents(contents))
	report := f.verifyExport(t, archive)
	if !report.OK() || report.Links != 8 || report.Documents != 2 || report.Unattested != 1 || report.Uncovered != 1 || report.Withheld != 0 {
		t.Errorf("%+v", report)
	}
	contents[filed] = "what was not filed"
	report = f.verifyExport(t, f.export(t, trace.Filter{}, documents(contents)))
	if report.OK() || report.Breaks[0].Kind != chain.BadDocument || !strings.Contains(report.String(), filed) {
		t.Errorf("another content: %s", report)
	}
}

// Every single byte of an export counts: whichever is changed, wherever, the
// verdict is that something does not hold.
func TestEveryByteOfAnExportCounts(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.fill(t, 2, "AAA", "")
	f.file(t, "what was filed")
	f.anchor(t)
	f.fill(t, 1, "AAA")
	files := unpack(t, f.export(t, trace.Filter{}, documents(map[string]string{filed: "what was filed"})))
	if report := f.verifyFiles(t, files); !report.OK() {
		t.Fatal(report)
	}
	for name, file := range files {
		whole := file.Data
		for i := range whole {
			file.Data = bytes.Clone(whole)
			file.Data[i] ^= 1
			if report := f.verifyFiles(t, files); report.OK() {
				t.Errorf("%s: byte %d of %d was changed and everything holds", name, i, len(whole))
			}
		}
		for _, cut := range []int{0, len(whole) / 2, len(whole) - 2} {
			if file.Data = whole[:cut]; f.verifyFiles(t, files).OK() {
				t.Errorf("%s: cut to %d of %d bytes and everything holds", name, cut, len(whole))
			}
		}
		file.Data = whole
		delete(files, name)
		if keys, _ := f.key.PublicKeys(ctx); name != chain.ManifestFile {
			if report, _, err := chain.VerifyExport(ctx, files, keys); err == nil && report.OK() {
				t.Errorf("%s: taken away and everything holds", name)
			}
		}
		files[name] = file
	}
}

// The first link that does not hold is named.
func TestFirstBrokenLinkOfAnExport(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.fill(t, 6, "AAA")
	f.anchor(t)
	archive := f.export(t, trace.Filter{}, nil)
	const file = "chains/AAA-0.ndjson"
	for name, attack := range map[string]struct {
		change func(lines []string) []string
		want   chain.Break
	}{
		"a byte":         {func(l []string) []string { l[2] = strings.Replace(l[2], "judge", "clerk", 1); return l }, chain.Break{Kind: chain.Altered, Seq: 3}},
		"no JSON":        {func(l []string) []string { l[2] = l[2][1:]; return l }, chain.Break{Kind: chain.Altered, Seq: 3}},
		"a line missing": {func(l []string) []string { return append(l[:3], l[4:]...) }, chain.Break{Kind: chain.Missing, Seq: 4}},
		"two swapped":    {func(l []string) []string { l[1], l[4] = l[4], l[1]; return l }, chain.Break{Kind: chain.Missing, Seq: 2}},
		"one twice":      {func(l []string) []string { l[4] = l[3]; return l }, chain.Break{Kind: chain.Reordered, Seq: 5}},
		"one too many":   {func(l []string) []string { return append(l[:6], l[5], "") }, chain.Break{Kind: chain.Altered, Seq: 6}},
		"cut off":        {func(l []string) []string { return append(l[:4], "") }, chain.Break{Kind: chain.Missing, Seq: 5}},
	} {
		files := unpack(t, archive)
		lines := strings.Split(string(files[file].Data), "\n")
		files[file].Data = []byte(strings.Join(attack.change(lines), "\n"))
		report := f.verifyFiles(t, files)
		if report.OK() || report.Breaks[0].Kind != attack.want.Kind || report.Breaks[0].Seq != attack.want.Seq {
			t.Errorf("%s: %s", name, report)
		}
	}
	files := unpack(t, archive)
	files["note.txt"] = &fstest.MapFile{Data: []byte("believe me")}
	if report := f.verifyFiles(t, files); report.OK() || !strings.Contains(report.String(), "note.txt") {
		t.Errorf("a file of somebody else's: %s", report)
	}
}

// What the filter does not mean is withheld, and the chain can be verified all
// the same.
func TestExportOfACase(t *testing.T) {
	t.Parallel()
	f := start(t)
	other := entry("AAA")
	other.Case, other.ObjectID, other.Reason = secondCase, secondCase.String(), "not for other parties"
	f.append(t, other)
	f.anchor(t)
	f.fill(t, 1, "AAA")
	f.append(t, other)
	f.fill(t, 1, "AAA")
	f.append(t, entryOf("BBB", secondCase.String()))
	f.anchor(t)
	archive := f.export(t, trace.Filter{Case: firstCase}, nil)
	report := f.verifyExport(t, archive)
	if !report.OK() || report.Links != 3 || report.Withheld != 1 {
		t.Errorf("%s %+v", report, report)
	}
	for name, file := range unpack(t, archive) {
		if strings.Contains(string(file.Data), secondCase.String()) || strings.Contains(string(file.Data), "not for other parties") {
			t.Errorf("%s tells of another case", name)
		}
		if strings.Contains(name, "BBB") {
			t.Errorf("%s is of a court that the case was never in", name)
		}
	}
	if report := f.verify(t, trace.Filter{Case: firstCase}); !report.OK() || report.Links != 3 {
		t.Errorf("on demand: %s", report)
	}
	f.exec(t, `UPDATE trace.entry SET reason = 'x' WHERE case_id = '`+secondCase.String()+`' AND court = 'BBB'`)
	if report := f.verify(t, trace.Filter{Case: firstCase}); !report.OK() {
		t.Errorf("what is wrong elsewhere: %s", report)
	}
	f.exec(t, `UPDATE trace.entry SET reason = 'x' WHERE seq = 3`)
	for where, report := range map[string]chain.Report{
		"on demand": f.verify(t, trace.Filter{Case: firstCase}), "export": f.verifyExport(t, f.export(t, trace.Filter{Case: firstCase}, nil)),
	} {
		if report.OK() || report.Breaks[0].Seq != 3 {
			t.Errorf("%s: what is wrong between the case's entries: %s", where, report)
		}
	}
}

func entryOf(court, object string) trace.Entry {
	e := entry(court)
	e.Case, e.ObjectID = secondCase, object
	return e
}

// A part by time goes from an anchor to an anchor.
func TestExportOfACourtAndATime(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.fill(t, 2, "AAA", "BBB")
	f.anchor(t)
	f.fill(t, 3, "AAA", "BBB")
	f.anchor(t)
	f.fill(t, 4, "BBB")
	f.anchor(t)
	links, _, err := trace.Find(ctx, f.pool, trace.Filter{Courts: []string{"AAA"}}, trace.Position{}, 10)
	if err != nil || len(links) != 5 {
		t.Fatalf("%d links, error %v", len(links), err)
	}
	third := links[2].At.Time // the first after the first anchor
	for name, test := range map[string]struct {
		filter          trace.Filter
		links, withheld int64
	}{
		"a court":                {trace.Filter{Courts: []string{"AAA"}}, 5, 0},
		"a time":                 {trace.Filter{From: third}, 10, 0},
		"a court and a time":     {trace.Filter{Courts: []string{"AAA"}, From: third}, 3, 0},
		"up to a time":           {trace.Filter{To: third}, 14, 10},
		"up to a time long past": {trace.Filter{To: third.Add(-time.Hour)}, 4, 4},
		"a person":               {trace.Filter{Person: clerk}, 14, 14},
		"nothing":                {trace.Filter{Courts: []string{"CCC"}}, 0, 0},
		"later than everything":  {trace.Filter{From: third.Add(time.Hour)}, 0, 0},
	} {
		report := f.verifyExport(t, f.export(t, test.filter, nil))
		if !report.OK() || report.Links != test.links || report.Withheld != test.withheld {
			t.Errorf("%s: %d links, %d withheld; want %d, %d: %s", name, report.Links, report.Withheld, test.links, test.withheld, report)
		}
		if live := f.verify(t, test.filter); !live.OK() || live.Links != test.links {
			t.Errorf("%s on demand: %d links, want %d: %s", name, live.Links, test.links, live)
		}
	}
}

func TestExportFails(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.fill(t, 1, "AAA")
	for name, document := range map[string]trace.Document{
		"cannot be opened": {ID: filed, Open: func(context.Context) (io.ReadCloser, error) { return nil, errDeliberate }},
		"climbs out":       {ID: "../../etc/passwd", Open: nil},
	} {
		one := func(yield func(trace.Document, error) bool) { yield(document, nil) }
		if _, err := trace.Export(ctx, f.pool, f.key, trace.Filter{}, one, zip.NewWriter(io.Discard)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
