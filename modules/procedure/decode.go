package procedure

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// mark is a place in a text. Lines and columns count from 1.
type mark struct{ line, column int }

// decoder fills Go values from YAML nodes, by the json, rule and ref tags of
// document.go. It finds every fault, and remembers where each value stood.
type decoder struct {
	problems Problems
	marks    map[string]mark
}

// constraints are a rule tag.
type constraints struct {
	required bool
	wording  string
	min, max int
	bounded  bool // min and max were given
}

func parseConstraints(tag string) constraints {
	c := constraints{max: math.MaxInt32}
	for word := range strings.SplitSeq(tag, ",") {
		name, number, _ := strings.Cut(word, "=")
		n, _ := strconv.Atoi(number)
		switch name {
		case "":
		case "required":
			c.required = true
		case "min":
			c.min, c.bounded = n, true
		case "max":
			c.max, c.bounded = n, true
		default:
			c.wording = name
		}
	}
	return c
}

func (d *decoder) fail(node *yaml.Node, path, format string, args ...any) {
	d.problems.add(Problem{Structure, node.Line, node.Column, path, fmt.Sprintf(format, args...)})
}

func (d *decoder) value(node *yaml.Node, path string, into reflect.Value, rule constraints) {
	d.marks[path] = mark{node.Line, node.Column}
	if node.Kind == yaml.AliasNode || node.Anchor != "" {
		d.fail(node, path, "anchors and aliases are not read: write the value out")
		return
	}
	if node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null" {
		d.fail(node, path, "has no value: give it one or remove the line")
		return
	}
	switch into.Kind() {
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		d.value(node, path, into.Elem(), rule)
	case reflect.Struct:
		d.object(node, path, into)
	case reflect.Slice:
		d.list(node, path, into, rule)
	case reflect.Map:
		d.texts(node, path, into, rule)
	default:
		d.scalar(node, path, into, rule)
	}
}

func (d *decoder) scalar(node *yaml.Node, path string, into reflect.Value, rule constraints) {
	if node.Kind != yaml.ScalarNode {
		d.fail(node, path, "holds a list or keys: write a single value")
		return
	}
	tag := node.ShortTag()
	switch {
	case into.Kind() == reflect.Bool:
		if tag != "!!bool" {
			d.fail(node, path, "write true or false")
			return
		}
		into.SetBool(strings.EqualFold(node.Value, "true"))
	case into.Type() != reflect.TypeFor[Day]() && into.Kind() == reflect.Int:
		d.number(node, path, into, rule)
	case tag != "!!str" && tag != "!!timestamp":
		d.fail(node, path, "is not a text: put it in quotes")
	default:
		d.text(node, path, into, rule)
	}
}

// number accepts 2.0 for 2, as JSON Schema does.
func (d *decoder) number(node *yaml.Node, path string, into reflect.Value, rule constraints) {
	var n float64
	if tag := node.ShortTag(); tag != "!!int" && tag != "!!float" || node.Decode(&n) != nil || n != math.Trunc(n) {
		d.fail(node, path, "write a whole number")
		return
	}
	if n < float64(rule.min) || n > float64(rule.max) {
		d.fail(node, path, "write a number from %d to %d", rule.min, rule.max)
		return
	}
	into.SetInt(int64(n))
}

func (d *decoder) text(node *yaml.Node, path string, into reflect.Value, rule constraints) {
	if choice, is := into.Interface().(interface{ values() []string }); is {
		if !slices.Contains(choice.values(), node.Value) {
			d.fail(node, path, "write one of %s", strings.Join(choice.values(), ", "))
			return
		}
		into.SetString(node.Value)
		return
	}
	if fault := badWording(node.Value, rule.wording); fault != "" {
		d.fail(node, path, "%s", fault)
		return
	}
	if day, is := into.Addr().Interface().(encoding.TextUnmarshaler); is {
		if err := day.UnmarshalText([]byte(node.Value)); err != nil {
			d.problems.add(Problem{Meaning, node.Line, node.Column, path, err.Error()})
		}
		return
	}
	into.SetString(node.Value)
}

// badWording says what to write instead of a text, or "".
func badWording(text, name string) string {
	wording := wordings[name]
	if !utf8.ValidString(text) || utf8.RuneCountInString(text) > wording.max || !wording.pattern.MatchString(text) {
		return wording.advice
	}
	return ""
}

// list decodes elements with the rule's wording. Its bounds are the list's.
func (d *decoder) list(node *yaml.Node, path string, into reflect.Value, rule constraints) {
	if node.Kind != yaml.SequenceNode {
		d.fail(node, path, "write a list: one line with - for each entry")
		return
	}
	if n := len(node.Content); n < rule.min || n > rule.max {
		d.fail(node, path, "has %d entries: write %d to %d", n, rule.min, rule.max)
		return
	}
	list := reflect.MakeSlice(into.Type(), len(node.Content), len(node.Content))
	for i, entry := range node.Content {
		d.value(entry, fmt.Sprintf("%s[%d]", path, i), list.Index(i), constraints{wording: rule.wording})
	}
	into.Set(list)
}

// texts decodes a map of texts: Names by language, or codes by code.
func (d *decoder) texts(node *yaml.Node, path string, into reflect.Value, rule constraints) {
	keys, values := rule.wording, rule.wording
	if into.Type() == reflect.TypeFor[Names]() {
		keys, values = "language", "text"
	}
	if node.Kind != yaml.MappingNode || len(node.Content) == 0 {
		d.fail(node, path, "write one line for each entry, for example fr: ...")
		return
	}
	into.Set(reflect.MakeMap(into.Type()))
	d.pairs(node, path, func(key, value *yaml.Node, at string) {
		if fault := badWording(key.Value, keys); fault != "" {
			d.fail(key, at, "%s", fault)
		}
		text := reflect.New(into.Type().Elem()).Elem()
		d.value(value, at, text, constraints{wording: values})
		into.SetMapIndex(reflect.ValueOf(key.Value), text)
	})
}
