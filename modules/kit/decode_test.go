package kit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"ejustice.dev/operator/modules/kit"
)

type person struct {
	Name string `json:"name"`
}

type input struct {
	Title   string            `json:"title"`
	Count   int64             `json:"count"`
	Names   map[string]string `json:"names"`
	Content []byte            `json:"content"`
	People  []person          `json:"people"`
	Tags    []string          `json:"tags"`
}

func TestDecodeJSON(t *testing.T) {
	var got input
	err := kit.DecodeJSON(strings.NewReader(`{"title":"A","count":3,"names":{"ar":"ب"},"content":"aGk=","people":[{"name":"C"},null],"tags":["x"]}`), &got)
	if err != nil {
		t.Fatal(err)
	}
	want := input{"A", 3, map[string]string{"ar": "ب"}, []byte("hi"), []person{{"C"}, {}}, []string{"x"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestDecodeJSONNamesEveryFault(t *testing.T) {
	for body, want := range map[string]string{
		`{"titel":"A"}`:                                    "titel is not a known field",
		`{"Title":"A"}`:                                    "Title is not a known field",
		`{"title":"A","title":"B"}`:                        "title appears twice",
		`{"names":{"a":"1","a":"2"}}`:                      "names.a appears twice",
		`{"title":7,"count":"x"}`:                          "title must be text; count must be a whole number",
		`{"count":1.5}`:                                    "count must be a whole number",
		`{"count":99999999999999999999}`:                   "count must be a whole number",
		`{"content":"no!"}`:                                "content must be base64",
		`{"content":[1]}`:                                  "content must be base64 text",
		`{"people":[{},{"nam":[{"x":{}}]}],"tags":[true]}`: "people[1].nam is not a known field; tags[0] must be text",
		`{"people":{"name":[1,{}]},"tags":"x"}`:            "people must be a list; tags must be a list",
		`{"names":["x"]}`:                                  "names must be an object",
		`[]`:                                               "body must be an object",
		`{} {}`:                                            "body must be a single JSON value",
		``:                                                 "body is not valid JSON (it ends too early)",
		`{"title":"A"`:                                     "body is not valid JSON (it ends too early)",
		`{"title" "A"}`:                                    "body is not valid JSON (at byte 9)",
		`{"` + strings.Repeat("long ", 100) + `":1}`: `"long long long long " is not a known field`,
	} {
		err := kit.DecodeJSON(strings.NewReader(body), &input{})
		var faults kit.FieldErrors
		if !errors.As(err, &faults) || faults.Error() != want {
			t.Errorf("%.60s: got %v, want %s", body, err, want)
		}
	}
}

func TestDecodeJSONIsBounded(t *testing.T) {
	var got input
	for _, body := range []string{`{"people":[` + strings.Repeat("null,", 200_000), `{"x":[` + strings.Repeat("[", 200_000)} {
		err := kit.DecodeJSON(strings.NewReader(body), &got)
		if err == nil || err.Error() != "body has too many values" {
			t.Errorf("error %v", err)
		}
	}
	err := kit.DecodeJSON(strings.NewReader(`{`+strings.TrimSuffix(strings.Repeat(`"x":1,`, 5_000), ",")+`}`), &got)
	var faults kit.FieldErrors
	if !errors.As(err, &faults) || len(faults) != 100 {
		t.Errorf("got %d faults, want the first 100", len(faults))
	}
}

func TestDecodeJSONReportsTheReader(t *testing.T) {
	broken := errors.New("broken")
	err := kit.DecodeJSON(io.MultiReader(strings.NewReader(`{"title":`), iotest.ErrReader(broken)), &input{})
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want the reader's error", err)
	}
}

// Whatever DecodeJSON accepts, encoding/json must accept and read alike.
func FuzzDecodeJSON(f *testing.F) {
	for _, seed := range []string{`{}`, `{"title":"A","people":[{"name":"\u0000"}]}`, `{"content":"aGk="}`, `{"x":[[[{}]]],"x":1}`, `[1,2`, `{"names":{"":"x"}} `} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var ours, theirs input
		if kit.DecodeJSON(bytes.NewReader(body), &ours) != nil {
			return
		}
		if err := json.Unmarshal(body, &theirs); err != nil {
			t.Fatalf("accepted what encoding/json refuses: %v", err)
		}
		if !bytes.Equal(ours.Content, theirs.Content) || ours.Title != theirs.Title || ours.Count != theirs.Count ||
			len(ours.Names) != len(theirs.Names) || len(ours.People) != len(theirs.People) {
			t.Fatalf("read %+v, encoding/json reads %+v", ours, theirs)
		}
	})
}
