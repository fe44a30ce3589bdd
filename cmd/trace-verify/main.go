// Command trace-verify verifies an exported trace and the documents beside it. It
// needs no network, no database and nothing of the court's but the export and a
// public key that was got another way than with the export.
//
//	trace-verify -key keys.txt [-anchor 57:9f86d0…] export.zip
//
// It prints a verdict and ends with 0 when everything holds, with 1 when something
// does not (the first broken link is named), and with 2 when it could not verify.
package main

import (
	"archive/zip"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"

	"ejustice.dev/operator/modules/trace/chain"
)

// Codes that the program ends with.
const (
	holds  = 0
	broken = 1
	failed = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, out, errs io.Writer) int {
	var known anchors
	flags := flag.NewFlagSet("trace-verify", flag.ContinueOnError)
	flags.SetOutput(errs)
	key := flags.String("key", "", "`file` with the public keys to trust: one a line, its id, a space, 32 bytes in base64 (required)")
	flags.Var(&known, "anchor", "an anchor seen before the export was made, as `number:hash`; may be repeated")
	flags.Usage = func() {
		fmt.Fprintln(errs, "trace-verify -key keys.txt [-anchor number:hash] export (a folder or a .zip)")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return holds
		}
		return failed
	}
	if *key == "" || flags.NArg() != 1 {
		flags.Usage()
		return failed
	}
	report, manifest, err := verify(ctx, *key, flags.Arg(0), known)
	if err != nil {
		fmt.Fprintln(errs, "Could not verify:", err)
		return failed
	}
	fmt.Fprintln(out, report)
	describe(out, manifest)
	if !report.OK() {
		return broken
	}
	return holds
}

func verify(ctx context.Context, key, export string, known []chain.Ref) (chain.Report, chain.Manifest, error) {
	file, err := os.Open(key)
	if err != nil {
		return chain.Report{}, chain.Manifest{}, err
	}
	defer file.Close()
	keys, err := chain.ReadKeys(file)
	if err != nil {
		return chain.Report{}, chain.Manifest{}, fmt.Errorf("%s: %w", key, err)
	}
	files, done, err := open(export)
	if err != nil {
		return chain.Report{}, chain.Manifest{}, err
	}
	defer done()
	return chain.VerifyExport(ctx, files, keys, known...)
}

// open gives the files of an export. Nothing outside it can be reached, whatever
// names and links are in it.
func open(path string) (files fs.FS, done func(), err error) {
	if strings.HasSuffix(path, ".zip") {
		archive, err := zip.OpenReader(path)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
		return archive, func() { _ = archive.Close() }, nil
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, nil, err
	}
	return root.FS(), func() { _ = root.Close() }, nil
}

// describe says what the export claims to be.
func describe(out io.Writer, m chain.Manifest) {
	if m.Format == "" {
		return
	}
	fmt.Fprintf(out, "Made %s", m.Made)
	if m.Last.Number > 0 {
		fmt.Fprintf(out, ", last anchor %s", m.Last)
	}
	fmt.Fprintln(out, ".")
	var parts []string
	for name, value := range m.Filter {
		parts = append(parts, fmt.Sprintf("%s %q", name, value))
	}
	if len(parts) > 0 {
		slices.Sort(parts)
		fmt.Fprintf(out, "It is a part of the trace: %s.\n", strings.Join(parts, ", "))
	}
}

// anchors is a flag that may be repeated.
type anchors []chain.Ref

func (a *anchors) String() string { return fmt.Sprint(*a) }

func (a *anchors) Set(text string) error {
	number, hash, _ := strings.Cut(text, ":")
	var ref chain.Ref
	var err error
	if ref.Number, err = strconv.ParseInt(number, 10, 64); err != nil || ref.Number < 1 {
		return errors.New("must begin with the anchor's number")
	}
	if err := ref.Hash.UnmarshalText([]byte(hash)); err != nil {
		return fmt.Errorf("after the colon there %w", err)
	}
	*a = append(*a, ref)
	return nil
}
