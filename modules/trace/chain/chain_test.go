package chain

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// example is the entry of docs/trace.md.
func example() Link {
	return Link{
		ID: ID{"AAA", 0}, Seq: 1, At: Time{time.Date(2026, 11, 25, 8, 15, 30, 1000, time.UTC)},
		Entry: &Entry{
			ID: "6b1d7a8e-7c39-4d0a-9d52-0c8f1e2d3c4b", Person: "anonymous", Action: "case.read", Outcome: Refused,
			ObjectKind: "case", Case: "00000000-0000-4000-8000-000000000001", Reason: "é", Details: map[string]string{"b": "2", "a": "1"},
		},
	}
}

// What is hashed is pinned, byte for byte: changing it would make every trace
// that exists unverifiable. docs/trace.md has the same example.
func TestExampleOfTheDocs(t *testing.T) {
	docs, err := os.ReadFile("../../../docs/trace.md")
	if err != nil {
		t.Fatal(err)
	}
	link := example()
	link.Hash = link.After(Hash{}, 1)
	root := Root(map[ID]Head{link.ID: {link.ID, 1, link.Hash}})
	anchor := Anchor{Number: 1, At: link.At, Root: root, Chains: 1}
	for name, value := range map[string][2]string{
		"digest": {link.Entry.Digest().String(), "b9458cad03e12eda9cb1bb159ecc533128237414bf3af7ff02a0e49be7396391"},
		"hash":   {link.Hash.String(), "15554b2001a4390a4521bb810e12142a8d176b61bd8cd3c82afd78a87ba50ddb"},
		"root":   {root.String(), "f4653aa3a458a7ef35bcac27801442d72fa00e8d4b11772cd5533157be53c1d1"},
		"anchor": {anchor.Hash().String(), "af4a021a3b80b17355190ee67b84f8b6d57ce6815c0da978affed597ea0465a8"},
	} {
		if value[0] != value[1] {
			t.Errorf("%s %s, want %s", name, value[0], value[1])
		}
		if !bytes.Contains(docs, []byte(value[1])) {
			t.Errorf("docs/trace.md does not have the %s", name)
		}
	}
	line, err := Encode(link)
	if err != nil || !bytes.Contains(docs, line) {
		t.Errorf("docs/trace.md does not have the line %s", line)
	}
}

func TestNetstrings(t *testing.T) {
	if got := string(appendNet(nil, "", "a,b", "é")); got != "0:,3:a,b,2:é," {
		t.Error(got)
	}
}

// parseNet is the inverse of appendNet, which there is only if what it writes can
// be read in one way.
func parseNet(text []byte) ([]string, bool) {
	var texts []string
	for len(text) > 0 {
		length, rest, found := bytes.Cut(text, []byte(":"))
		n := 0
		if _, err := fmt.Sscanf(string(length), "%d", &n); err != nil || !found || n < 0 || len(rest) <= n || rest[n] != ',' || fmt.Sprint(n) != string(length) {
			return nil, false
		}
		texts, text = append(texts, string(rest[:n])), rest[n+1:]
	}
	return texts, true
}

// Two different lists of texts never have the same bytes.
func FuzzEncodingIsInjective(f *testing.F) {
	f.Add("a", "b", "", "c")
	f.Add("1:a,", "", "0:,", ":")
	f.Add("", "", "", "3:abc,")
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		got, ok := parseNet(appendNet(nil, a, b, c, d))
		if !ok || !slices.Equal(got, []string{a, b, c, d}) {
			t.Fatalf("%q was read as %q", []string{a, b, c, d}, got)
		}
		one, other := appendNet(nil, a, b), appendNet(nil, c, d)
		if bytes.Equal(one, other) != (a == c && b == d) {
			t.Fatalf("%q and %q", []string{a, b}, []string{c, d})
		}
		details := map[string]string{a: b, c: d}
		pairs, ok := parseNet([]byte(encodeDetails(details)))
		again := map[string]string{}
		for i := 0; i+1 < len(pairs); i += 2 {
			again[pairs[i]] = pairs[i+1]
		}
		if !ok || !maps.Equal(details, again) {
			t.Fatalf("details %q were read as %q", details, again)
		}
	})
}

// Each field counts: no two entries that differ in one have the same digest, and
// none may move into the next.
func TestEveryFieldCounts(t *testing.T) {
	seen := map[Hash]string{example().Entry.Digest(): "the example"}
	note := func(name string, digest Hash) {
		if before, twice := seen[digest]; twice {
			t.Errorf("%s has the digest of %s", name, before)
		}
		seen[digest] = name
	}
	fields := reflect.TypeFor[Entry]()
	for i := range fields.NumField() {
		e := *example().Entry
		if field := reflect.ValueOf(&e).Elem().Field(i); field.Kind() == reflect.String {
			field.SetString(field.String() + "x")
		} else {
			e.Details = map[string]string{"b": "2", "a": "1x"}
		}
		note(fields.Field(i).Name, e.Digest())
	}
	link := example()
	for name, change := range map[string]func(*Link){
		"court": func(l *Link) { l.Court = "AAB" }, "shard": func(l *Link) { l.Shard = 1 },
		"at": func(l *Link) { l.At.Time = l.At.Add(time.Microsecond) }, "entry": func(l *Link) { l.Entry = &Entry{} },
	} {
		changed := link
		change(&changed)
		note(name, changed.After(Hash{}, 1))
	}
	note("the link", link.After(Hash{}, 1))
	note("seq", link.After(Hash{}, 2))
	note("previous", link.After(Hash{1}, 1))
	if withheld := link.Withheld(); withheld.After(Hash{}, 1) != link.After(Hash{}, 1) || withheld.Entry != nil {
		t.Error("a withheld entry's link has another hash")
	}
}

func TestParseLinkIsStrict(t *testing.T) {
	link := example()
	link.Hash = link.After(Hash{}, 1)
	line, err := Encode(link)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ParseLink(line); err != nil || !reflect.DeepEqual(got, link) {
		t.Fatalf("%+v, error %v", got, err)
	}
	text := string(line)
	for name, bad := range map[string]string{
		"a name twice":       strings.Replace(text, `"seq":1`, `"seq":2,"seq":1`, 1),
		"capitals":           strings.Replace(text, `"seq"`, `"Seq"`, 1),
		"spaces":             strings.Replace(text, `"seq":1`, `"seq": 1`, 1),
		"an unknown name":    strings.Replace(text, `"seq":1`, `"seq":1,"x":1`, 1),
		"another order":      strings.Replace(text, `"shard":0,"seq":1`, `"seq":1,"shard":0`, 1),
		"a zone":             strings.Replace(text, "000001Z", "000001+00:00", 1),
		"more digits":        strings.Replace(text, "000001Z", "0000010Z", 1),
		"capital hash":       strings.Replace(text, link.Hash.String(), strings.ToUpper(link.Hash.String()), 1),
		"a short hash":       strings.Replace(text, link.Hash.String(), "00", 1),
		"an escape":          strings.Replace(text, "é", `\u00e9`, 1),
		"not UTF-8":          strings.Replace(text, "é", "\xe9", 1),
		"null":               "null",
		"nothing":            "",
		"more":               text + "{}",
		"neither":            `{"court":"AAA","shard":0,"seq":1,"at":"2026-11-25T08:15:30.000001Z","hash":"` + link.Hash.String() + `"}`,
		"details of nothing": strings.Replace(text, `{"a":"1","b":"2"}`, "null", 1),
	} {
		if bad == text {
			t.Fatalf("%s: the test changes nothing", name)
		}
		if _, err := ParseLink([]byte(bad)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Whatever line is accepted is the only one that says so, and has the hash of what
// it says only if nothing was changed.
func FuzzParseLink(f *testing.F) {
	link := example()
	link.Hash = link.After(Hash{}, 1)
	for _, l := range []Link{link, link.Withheld()} {
		line, _ := Encode(l)
		f.Add(line)
	}
	f.Add([]byte(`{"court":"","shard":-1,"seq":0,"at":"0001-01-01T00:00:00.000000Z","digest":"` + strings.Repeat("0", 64) + `","hash":"` + strings.Repeat("0", 64) + `"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		got, err := ParseLink(line)
		if err != nil {
			return
		}
		again, err := Encode(got)
		if err != nil || !bytes.Equal(again, line) {
			t.Fatalf("%q is also written %q, error %v", line, again, err)
		}
		if got.After(Hash{}, got.Seq) == link.Hash && !reflect.DeepEqual(got.Withheld(), link.Withheld()) && got.Hash == link.Hash {
			t.Fatalf("%q has the hash of another", line)
		}
	})
}

func FuzzParseAnchor(f *testing.F) {
	anchor := Anchor{Number: 1, At: example().At, Chains: 1, Heads: []Head{{ID{"AAA", 0}, 1, Hash{1}}}, KeyID: "k", Signature: []byte{1}}
	line, _ := Encode(anchor)
	f.Add(line)
	f.Fuzz(func(t *testing.T, line []byte) {
		got, err := ParseAnchor(line)
		if err != nil {
			return
		}
		if again, err := Encode(got); err != nil || !bytes.Equal(again, line) {
			t.Fatalf("%q is also written %q, error %v", line, again, err)
		}
	})
}

func TestReadKeys(t *testing.T) {
	good := "# of the court\n\ntrace/1 " + strings.Repeat("A", 43) + "=\n trace/2  " + strings.Repeat("B", 42) + "A=\n"
	keys, err := ReadKeys(strings.NewReader(good))
	if err != nil || len(keys) != 2 || hex.EncodeToString(keys["trace/1"]) != strings.Repeat("0", 64) {
		t.Errorf("%v, error %v", keys, err)
	}
	for _, bad := range []string{"", "# none", "trace/1", "trace/1 AAAA", "trace/1 " + strings.Repeat("A", 44), good + "trace/1 " + strings.Repeat("A", 43) + "="} {
		if _, err := ReadKeys(strings.NewReader(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func FuzzReadKeys(f *testing.F) {
	f.Add("trace/1 " + strings.Repeat("A", 43) + "=\n")
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := ReadKeys(strings.NewReader(text))
		for id, key := range keys {
			if err != nil || len(key) != 32 || !strings.Contains(text, id) {
				t.Fatalf("%q: %q %x %v", text, id, key, err)
			}
		}
	})
}
