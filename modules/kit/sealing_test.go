package kit_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"strings"
	"testing"

	"github.com/google/uuid"

	"ejustice.dev/operator/modules/kit"
)

var (
	documentID = uuid.MustParse("6f2d7f0a-0f52-4a6e-9d9d-0d6f5b0f7a11")
	testKey    = must(kit.NewTestKey(uuid.New(), bytes.Repeat([]byte{7}, 32)))
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func seal(t testing.TB, key kit.Key, id uuid.UUID, content []byte) []byte {
	t.Helper()
	var sealed bytes.Buffer
	w, err := key.Seal(&sealed, id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return sealed.Bytes()
}

// open gives what is released before the end or the first error.
func open(key kit.Key, id uuid.UUID, sealed []byte) ([]byte, error) {
	r, err := key.Open(bytes.NewReader(sealed), id)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func content(n int) []byte {
	content := make([]byte, n)
	for i := range content {
		content[i] = byte(i * 31 / 7)
	}
	return content
}

const segment = 256 << 10

func TestSealedContentOpens(t *testing.T) {
	for _, n := range []int{0, 1, 1000, segment - 57, segment - 56, segment - 55, segment, 3*segment - 88, 3*segment + 1} {
		want := content(n)
		sealed := seal(t, testKey, documentID, want)
		if n > 8 && bytes.Contains(sealed, want[:8]) {
			t.Errorf("%d bytes: the content can be read", n)
		}
		if got, err := open(testKey, documentID, sealed); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: got %d, %v", n, len(got), err)
		}
	}
	if bytes.Equal(seal(t, testKey, documentID, content(99)), seal(t, testKey, documentID, content(99))) {
		t.Error("the same content is sealed the same way twice")
	}
}

func TestSealedContentCannotBeChanged(t *testing.T) {
	whole := content(3 * segment)
	sealed := seal(t, testKey, documentID, whole)
	otherKey := must(kit.NewTestKey(uuid.New(), bytes.Repeat([]byte{8}, 32)))
	flipped := func(at int) []byte {
		changed := bytes.Clone(sealed)
		changed[at] ^= 1
		return changed
	}
	swapped := bytes.Clone(sealed)
	copy(swapped[segment:2*segment], sealed[2*segment:3*segment])
	copy(swapped[2*segment:3*segment], sealed[segment:2*segment])
	for name, test := range map[string]struct {
		key    kit.Key
		id     uuid.UUID
		sealed []byte
	}{
		"another document's":      {testKey, uuid.New(), sealed},
		"another key's":           {otherKey, documentID, sealed},
		"header flipped":          {testKey, documentID, flipped(5)},
		"first segment flipped":   {testKey, documentID, flipped(100)},
		"last byte flipped":       {testKey, documentID, flipped(len(sealed) - 1)},
		"segments swapped":        {testKey, documentID, swapped},
		"a segment left out":      {testKey, documentID, append(bytes.Clone(sealed[:segment]), sealed[2*segment:]...)},
		"last segment cut off":    {testKey, documentID, sealed[:3*segment]},
		"last byte cut off":       {testKey, documentID, sealed[:len(sealed)-1]},
		"a byte more":             {testKey, documentID, append(bytes.Clone(sealed), 0)},
		"nothing":                 {testKey, documentID, nil},
		"half a header":           {testKey, documentID, sealed[:20]},
		"the same content, again": {testKey, documentID, append(bytes.Clone(sealed), sealed...)},
	} {
		got, err := open(test.key, test.id, test.sealed)
		if err == nil {
			t.Errorf("%s: opened", name)
		}
		if !bytes.HasPrefix(whole, got) {
			t.Errorf("%s: released something else than the content", name)
		}
	}
}

// What was sealed once must open for ever.
const (
	sealedText  = "Statement of claim, first page."
	sealedBytes = "KLuWvBygMLIhtUHjCkbLNu8WjjSJgRTOMdYCXiNsfGdQI4d86vqoqFAEuwLNusc1PL8YPsJsHpPjcw0bDn6AXVDFzZBbY24kHd4CQBzmbWTtPB25TPwN"
)

// Whatever is stored, what comes out is the beginning of what was sealed; and
// all of it only if nothing was changed.
func FuzzOpen(f *testing.F) {
	sealed := must(base64.StdEncoding.DecodeString(sealedBytes))
	f.Add(sealed)
	f.Add(sealed[:40])
	f.Add(sealed[:60])
	f.Add([]byte{40})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := open(testKey, documentID, data)
		switch {
		case bytes.Equal(data, sealed):
			if err != nil || string(got) != sealedText {
				t.Errorf("what was sealed does not open: %v", err)
			}
		case err == nil && len(got) > 0:
			t.Errorf("%d forged bytes opened", len(got))
		case !strings.HasPrefix(sealedText, string(got)):
			t.Error("something else came out")
		}
	})
}
