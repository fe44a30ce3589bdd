package casemanagement

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// contract checks answers against openapi.json.
type contract struct {
	mu       sync.Mutex // a compiler is not safe for concurrent use
	document map[string]any
	compiler *jsonschema.Compiler
	paths    map[string]*regexp.Regexp
}

func readContract(t testing.TB, routes []string) *contract {
	t.Helper()
	text, err := files.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := &contract{document: parsed.(map[string]any), compiler: jsonschema.NewCompiler(), paths: map[string]*regexp.Regexp{}}
	c.compiler.AssertFormat()
	if err := c.compiler.AddResource("openapi.json", parsed); err != nil {
		t.Fatal(err)
	}
	for path := range c.document["paths"].(map[string]any) {
		pattern := regexp.MustCompile(`\\\{[^}]*\\\}`).ReplaceAllString(regexp.QuoteMeta(path), `[^/]+`)
		c.paths[path] = regexp.MustCompile("^" + pattern + "$")
	}
	if documented, want := c.operations(), normalised(routes); !slices.Equal(documented, want) {
		t.Fatalf("openapi.json describes\n%s\nbut the routes are\n%s", strings.Join(documented, "\n"), strings.Join(want, "\n"))
	}
	return c
}

func (c *contract) operations() []string {
	var operations []string
	for path, item := range c.document["paths"].(map[string]any) {
		for method := range item.(map[string]any) {
			operations = append(operations, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(operations)
	return operations
}

// normalised writes ServeMux patterns as OpenAPI does.
func normalised(routes []string) []string {
	routes = slices.Clone(routes)
	for i := range routes {
		routes[i] = strings.TrimSuffix(routes[i], "{$}")
	}
	slices.Sort(routes)
	return routes
}

func escape(token string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(token)
}

// at follows keys through the document and its references.
func (c *contract) at(keys ...string) (any, string) {
	var node any = c.document
	pointer := ""
	for _, key := range keys {
		object, _ := node.(map[string]any)
		node = object[key]
		pointer += "/" + escape(key)
		if target, ok := node.(map[string]any); ok && target["$ref"] != nil {
			pointer = strings.TrimPrefix(target["$ref"].(string), "#")
			node, _ = c.at(strings.Split(strings.TrimPrefix(pointer, "/"), "/")...)
		}
	}
	return node, pointer
}

// check fails the test when an answer is not what openapi.json promises.
func (c *contract) check(t testing.TB, method, path string, answer reply) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	template := ""
	for candidate, pattern := range c.paths {
		if pattern.MatchString(path) {
			template = candidate
		}
	}
	if template == "" || method == http.MethodHead {
		return // no route of ours: a 404, or nothing to read
	}
	operation, _ := c.at("paths", template, strings.ToLower(method))
	if operation == nil {
		return // 405
	}
	keys := []string{"paths", template, strings.ToLower(method), "responses", strconv.Itoa(answer.status)}
	response, _ := c.at(keys...)
	if response == nil {
		t.Errorf("%s %s: status %d is not in openapi.json\n%.500s", method, template, answer.status, answer.body)
		return
	}
	content, _ := response.(map[string]any)["content"].(map[string]any)
	media, _, err := mime.ParseMediaType(answer.header.Get("Content-Type"))
	if err != nil {
		t.Errorf("%s %s: content type: %v", method, template, err)
		return
	}
	described := content[media]
	if described == nil {
		if content["*/*"] == nil {
			t.Errorf("%s %s: content type %s is not in openapi.json", method, template, media)
		}
		return
	}
	if media != "application/json" && media != "application/problem+json" {
		return
	}
	if err := c.validate(answer.body, append(keys, "content", media, "schema")); err != nil {
		t.Errorf("%s %s: %v\n%.800s", method, template, err, answer.body)
	}
}

func (c *contract) validate(body []byte, keys []string) error {
	_, pointer := c.at(keys...)
	schema, err := c.compiler.Compile("openapi.json#" + strings.NewReplacer("{", "%7B", "}", "%7D").Replace(pointer))
	if err != nil {
		return fmt.Errorf("schema %s: %w", pointer, err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

func TestOpenAPI(t *testing.T) {
	s := start(t)
	answer := s.call(t, http.MethodGet, "/openapi.json", nil)
	var document struct {
		OpenAPI string         `json:"openapi"`
		Paths   map[string]any `json:"paths"`
	}
	answer.decode(t, &document)
	if !strings.HasPrefix(document.OpenAPI, "3.1.") || len(document.Paths) < 8 {
		t.Errorf("served %s with %d paths", document.OpenAPI, len(document.Paths))
	}
	// Every reference must lead somewhere.
	references := regexp.MustCompile(`"\$ref": ?"(#[^"]+)"`).FindAllSubmatch(answer.body, -1)
	if len(references) == 0 {
		t.Error("no references found: the test is blind")
	}
	for _, reference := range references {
		if node, _ := s.api.at(strings.Split(strings.TrimPrefix(string(reference[1]), "#/"), "/")...); node == nil {
			t.Errorf("%s leads nowhere", reference[1])
		}
	}
	// The document describes what the module takes, too.
	body, err := json.Marshal(filing())
	if err != nil {
		t.Fatal(err)
	}
	keys := []string{"paths", "/api/v1/cases", "post", "requestBody", "content", "application/json", "schema"}
	if err := s.api.validate(body, keys); err != nil {
		t.Errorf("a good filing is not valid: %v", err)
	}
	if err := s.api.validate([]byte(`{"courtCode":"X"}`), keys); err == nil {
		t.Error("a bad filing is valid: the test is blind")
	}
}
