package identity

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// The answers are what openapi.json promises.
func TestOpenAPI(t *testing.T) {
	s := start(t)
	s.account(t, "a.party", Grant{Role: roleParty})
	b := s.browser(t)
	b.signIn("a.party", "")
	b.get("/sign-out")
	b.send("")
	call := func(certificate, path string) (int, string, []byte) {
		t.Helper()
		response, err := s.client(t, certificate).Get(s.settings.Issuer + path)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, response.Header.Get("Content-Type"), body
	}
	_, _, text := call(caseName, "/openapi.json")
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("openapi.json", document); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		certificate, path, media, schema string
		status                           int
	}{
		{caseName, "/api/v1/sessions/ended", "application/json", "EndedSessions", http.StatusOK},
		{caseName, "/api/v1/sessions/ended?after=99", "application/json", "EndedSessions", http.StatusOK},
		{caseName, "/api/v1/sessions/ended?wait=x", "application/problem+json", "Problem", http.StatusBadRequest},
		{doorName, "/api/v1/sessions/ended", "application/problem+json", "Problem", http.StatusForbidden},
	} {
		status, media, body := call(test.certificate, test.path)
		schema, err := compiler.Compile("openapi.json#/components/schemas/" + test.schema)
		if err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
		if err != nil || status != test.status || media != test.media || schema.Validate(value) != nil {
			t.Errorf("%s: %d %s\n%s", test.path, status, media, body)
		}
		if test.schema == "EndedSessions" {
			var bad map[string]any
			_ = json.Unmarshal(body, &bad)
			delete(bad, "next")
			if schema.Validate(bad) == nil {
				t.Error("the schema allows anything: the test is blind")
			}
		}
	}
	// Every route below /api is described.
	described := document.(map[string]any)["paths"].(map[string]any)
	for _, route := range s.Router(nil).Routes() {
		_, path, _ := strings.Cut(route, " ")
		if path = strings.TrimPrefix(path, s.settings.prefix); strings.HasPrefix(path, "/api/") && described[path] == nil {
			t.Errorf("%s is not described", path)
		}
	}
}
