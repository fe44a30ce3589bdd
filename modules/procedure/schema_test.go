package procedure_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"ejustice.dev/operator/modules/procedure"
)

var update = flag.Bool("update", false, "write schema.json")

// The published schema is the one that the types make.
func TestSchemaIsCurrent(t *testing.T) {
	text, err := json.MarshalIndent(writeSchema(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	if *update {
		if err := os.WriteFile("schema.json", text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if !*update && !bytes.Equal(text, procedure.Schema) {
		t.Error("schema.json is old: go test ./modules/procedure -run TestSchemaIsCurrent -update")
	}
}

func compileSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(procedure.Schema))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	if err := compiler.AddResource("procedure.json", value); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("procedure.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// toJSON is what a JSON Schema validator sees of a YAML text.
func toJSON(text []byte) (any, error) {
	var node yaml.Node
	if err := yaml.Unmarshal(text, &node); err != nil {
		return nil, err
	}
	return nodeJSON(node.Content[0]), nil
}

func nodeJSON(node *yaml.Node) any {
	switch node.Kind {
	case yaml.MappingNode:
		value := map[string]any{}
		for i := 0; i < len(node.Content); i += 2 {
			value[node.Content[i].Value] = nodeJSON(node.Content[i+1])
		}
		return value
	case yaml.SequenceNode:
		value := []any{}
		for _, entry := range node.Content {
			value = append(value, nodeJSON(entry))
		}
		return value
	}
	switch node.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(node.Value, "true")
	case "!!int", "!!float":
		return json.Number(node.Value)
	}
	return node.Value
}

// sameVerdict compares the schema's verdict with that of Parse on structure.
func sameVerdict(t *testing.T, schema *jsonschema.Schema, root *yaml.Node, what string) (right bool) {
	t.Helper()
	text, err := yaml.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	_, problems := procedure.Parse(text)
	structural := false
	for _, problem := range problems {
		structural = structural || problem.Kind == procedure.Structure
	}
	if verdict := schema.Validate(nodeJSON(root)); (verdict != nil) != structural {
		t.Errorf("%s: the schema says %v, Parse says %v", what, verdict, problems)
	}
	return !structural
}

// Schema and Parse agree on documents in which one thing was changed.
func TestSchemaAgreesWithParse(t *testing.T) {
	schema := compileSchema(t)
	documents := map[string]string{"full.yaml": full(t)}
	for name, text := range countryDocuments(t) {
		documents[name] = text
	}
	changes, right := 0, 0
	for name, text := range documents {
		var root yaml.Node
		if err := yaml.Unmarshal([]byte(text), &root); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(nodeJSON(root.Content[0])); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		rounds := 15
		if name == "full.yaml" && !testing.Short() {
			rounds = 300
		}
		random := rand.New(rand.NewPCG(1, 2))
		for i := range rounds {
			var changed yaml.Node
			if err := yaml.Unmarshal([]byte(text), &changed); err != nil {
				t.Fatal(err)
			}
			what := mutate(random, changed.Content[0])
			if sameVerdict(t, schema, changed.Content[0], fmt.Sprintf("%s, change %d: %s", name, i, what)) {
				right++
			}
			if t.Failed() {
				return
			}
		}
		changes += rounds
	}
	if right == 0 || right == changes {
		t.Errorf("%d of %d changes left the structure right: the test compares nothing", right, changes)
	}
}

// mutate changes one place of a document and says how.
func mutate(random *rand.Rand, root *yaml.Node) string {
	var nodes []*yaml.Node
	var collect func(*yaml.Node)
	collect = func(node *yaml.Node) {
		nodes = append(nodes, node)
		for _, child := range node.Content {
			collect(child)
		}
	}
	collect(root)
	node := nodes[random.IntN(len(nodes))]
	before := node.Value
	switch n := len(node.Content); {
	case node.Kind == yaml.MappingNode && random.IntN(3) > 0:
		i := 2 * random.IntN(n/2)
		switch random.IntN(3) {
		case 0:
			before = "without " + node.Content[i].Value
			node.Content = append(node.Content[:i:i], node.Content[i+2:]...)
		case 1:
			before = "another key for " + node.Content[i].Value
			node.Content[i] = scalar("!!str", []string{"gap", "code", "length", "any", "en", "to"}[random.IntN(6)])
			if repeats(node) {
				node.Content[i].Value = "unheard-of"
			}
		default:
			before = "another value for " + node.Content[i].Value
			node.Content[i+1] = nodes[random.IntN(len(nodes))]
			if node.Content[i+1] == node || node.Content[i+1] == root || contains(node.Content[i+1], node) {
				node.Content[i+1] = scalar("!!null", "null")
			}
		}
		return before
	case node.Kind == yaml.SequenceNode && n > 0 && random.IntN(2) > 0:
		node.Content = nil
		return "an empty list"
	}
	// A key must stay a text, for JSON has no other keys.
	texts := []string{"", "a", "A b", "*", "none", "days", "12.50", "2026-01-31", "05-01", "1.0.0", "judge", "é", "line\nbreak", strings.Repeat("x", 2001)}
	replacement := scalar("!!str", texts[random.IntN(len(texts))])
	if !isKey(nodes, node) {
		switch random.IntN(4) {
		case 0:
			replacement = scalar("!!int", strconv.Itoa(random.IntN(3000)-100))
		case 1:
			replacement = scalar("!!bool", "true")
		case 2:
			replacement = scalar("!!float", []string{"1.5", "2.0"}[random.IntN(2)])
		}
	} else if replacement.Value = "k" + strconv.Itoa(random.IntN(1000)); random.IntN(2) == 0 {
		replacement.Value = "zz"
	}
	*node = *replacement
	return before + " -> " + replacement.Tag + " " + replacement.Value
}

func scalar(tag, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value}
}

func repeats(node *yaml.Node) bool {
	seen := map[string]bool{}
	for i := 0; i < len(node.Content); i += 2 {
		if seen[node.Content[i].Value] {
			return true
		}
		seen[node.Content[i].Value] = true
	}
	return false
}

func contains(node, part *yaml.Node) bool {
	if node == part {
		return true
	}
	for _, child := range node.Content {
		if contains(child, part) {
			return true
		}
	}
	return false
}

func isKey(nodes []*yaml.Node, key *yaml.Node) bool {
	for _, node := range nodes {
		for i := 0; node.Kind == yaml.MappingNode && i < len(node.Content); i += 2 {
			if node.Content[i] == key {
				return true
			}
		}
	}
	return false
}
