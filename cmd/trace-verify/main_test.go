package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"ejustice.dev/operator/modules/kit/pgtest"
	"ejustice.dev/operator/modules/trace"
	"ejustice.dev/operator/modules/trace/tracetest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

// exported is the zip of a trace of five entries, and its last anchor.
func exported(t *testing.T) (archive []byte, anchor string) {
	t.Helper()
	ctx, db, key := context.Background(), pgtest.Database(t), tracetest.NewKey(1)
	tracetest.Install(t, db)
	pool := tracetest.Superuser(t, db)
	for range 5 {
		err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			return trace.Append(ctx, tx, trace.Entry{Court: "AAA", Person: "p-1", Action: "case.read", Outcome: trace.Allowed, ObjectKind: "case"})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := trace.Anchor(ctx, pool, key); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	to := zip.NewWriter(&b)
	manifest, err := trace.Export(ctx, pool, key, trace.Filter{}, nil, to)
	if err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), manifest.Last.String()
}

func write(t *testing.T, name string, content []byte) string {
	t.Helper()
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func keyFile(t *testing.T, seed byte) string {
	t.Helper()
	keys, err := tracetest.NewKey(seed).PublicKeys(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return write(t, filepath.Join(t.TempDir(), "keys.txt"), []byte(tracetest.KeyID+" "+base64.StdEncoding.EncodeToString(keys[tracetest.KeyID])+"\n"))
}

func unzipTo(t *testing.T, archive []byte) string {
	t.Helper()
	files, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "export")
	if err := os.CopyFS(folder, files); err != nil {
		t.Fatal(err)
	}
	return folder
}

func TestVerdicts(t *testing.T) {
	archive, anchor := exported(t)
	trusted, other := keyFile(t, 1), keyFile(t, 2)
	whole := write(t, filepath.Join(t.TempDir(), "export.zip"), archive)
	folder, altered := unzipTo(t, archive), unzipTo(t, archive)
	link := filepath.Join(altered, "chains", "AAA-0.ndjson")
	content, err := os.ReadFile(link)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(content), "\n")
	lines[3] = strings.Replace(lines[3], "p-1", "p-2", 1)
	write(t, link, []byte(strings.Join(lines, "")))
	outside := unzipTo(t, archive)
	name := filepath.Join(outside, "chains", "AAA-0.ndjson")
	if err := os.Rename(name, filepath.Join(t.TempDir(), "elsewhere")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(link, name); err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(archive)
	damaged[bytes.Index(archive, []byte("chains/AAA-0.ndjson"))+40] ^= 1
	for name, test := range map[string]struct {
		args []string
		code int
		says string
	}{
		"a folder":              {[]string{"-key", trusted, folder}, holds, "The trace holds: 5 entries, 1 anchors."},
		"an archive":            {[]string{"-key", trusted, whole}, holds, "The trace holds"},
		"with a known anchor":   {[]string{"-key", trusted, "-anchor", anchor, whole}, holds, "last anchor " + anchor},
		"a byte changed":        {[]string{"-key", trusted, altered}, broken, "The trace is BROKEN. First: court AAA, chain 0, entry 4: altered"},
		"a damaged archive":     {[]string{"-key", trusted, write(t, filepath.Join(t.TempDir(), "d.zip"), damaged)}, broken, "court AAA"},
		"another key":           {[]string{"-key", other, folder}, broken, "signature"},
		"a later anchor":        {[]string{"-key", trusted, "-anchor", "2" + anchor[1:], whole}, broken, "cut off"},
		"a link out of it":      {[]string{"-key", trusted, outside}, failed, "Could not verify"},
		"no key":                {[]string{folder}, failed, "-key keys.txt"},
		"no export":             {[]string{"-key", trusted}, failed, "-key keys.txt"},
		"not there":             {[]string{"-key", trusted, filepath.Join(folder, "x")}, failed, "Could not verify"},
		"not an export":         {[]string{"-key", trusted, t.TempDir()}, failed, "manifest.json"},
		"no archive":            {[]string{"-key", trusted, write(t, filepath.Join(t.TempDir(), "e.zip"), nil)}, failed, "Could not verify"},
		"a key that is none":    {[]string{"-key", link, folder}, failed, "line 1"},
		"an anchor that is not": {[]string{"-key", trusted, "-anchor", "1:00", folder}, failed, "64 hexadecimal digits"},
	} {
		var out, errs bytes.Buffer
		code := run(context.Background(), test.args, &out, &errs)
		if code != test.code || !strings.Contains(out.String()+errs.String(), test.says) {
			t.Errorf("%s: ended with %d, want %d saying %q:\n%s%s", name, code, test.code, test.says, &out, &errs)
		}
	}
}

// An auditor can read the whole of it: nothing but the standard library and the
// pure part of the trace.
func TestNothingElseIsLinked(t *testing.T) {
	output, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Fields(string(output))
	want := "ejustice.dev/operator/modules/trace/chain ejustice.dev/operator/cmd/trace-verify"
	if strings.Join(got, " ") != want {
		t.Errorf("linked: %v", got)
	}
}
