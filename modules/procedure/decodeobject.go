package procedure

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// field is a field of a struct as a document writes it.
type field struct {
	name  string
	index []int
	rule  constraints
	ref   string
	typ   reflect.Type
}

// knownFields keeps what fieldsOf found. There are as many entries as types.
var knownFields sync.Map

// fieldsOf lists a struct's fields, those of embedded structs included.
func fieldsOf(typ reflect.Type) []field {
	if fields, found := knownFields.Load(typ); found {
		return fields.([]field)
	}
	var fields []field
	for _, f := range reflect.VisibleFields(typ) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous || !f.IsExported() || name == "" || name == "-" {
			continue
		}
		fields = append(fields, field{
			name:  name,
			index: f.Index,
			rule:  parseConstraints(f.Tag.Get("rule")),
			ref:   f.Tag.Get("ref"),
			typ:   f.Type,
		})
	}
	knownFields.Store(typ, fields)
	return fields
}

func (d *decoder) object(node *yaml.Node, path string, into reflect.Value) {
	if node.Kind != yaml.MappingNode {
		d.fail(node, path, "write keys with values, for example code: ...")
		return
	}
	fields, present := fieldsOf(into.Type()), map[string]bool{}
	d.pairs(node, path, func(key, value *yaml.Node, at string) {
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == key.Value })
		if i < 0 {
			d.fail(key, at, "this key is not known: remove it or write one of %s", nameList(fields))
			return
		}
		present[key.Value] = true
		d.value(value, at, into.FieldByIndex(fields[i].index), fields[i].rule)
	})
	for _, f := range fields {
		if f.rule.required && !present[f.name] {
			d.fail(node, path, "add the key %s", f.name)
		}
	}
	d.groups(node, path, into, present)
}

// groups checks keys of which exactly one, or at least one, must be there.
func (d *decoder) groups(node *yaml.Node, path string, into reflect.Value, present map[string]bool) {
	count := func(names []string) (n int) {
		for _, name := range names {
			if present[name] {
				n++
			}
		}
		return n
	}
	if group, is := into.Interface().(interface{ exactlyOne() []string }); is && count(group.exactlyOne()) != 1 {
		d.fail(node, path, "write exactly one of %s", strings.Join(group.exactlyOne(), ", "))
	}
	if group, is := into.Interface().(interface{ atLeastOne() []string }); is && count(group.atLeastOne()) == 0 {
		d.fail(node, path, "write at least one of %s", strings.Join(group.atLeastOne(), ", "))
	}
}

// pairs calls do for every key of a mapping that appears once.
func (d *decoder) pairs(node *yaml.Node, path string, do func(key, value *yaml.Node, at string)) {
	seen := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		at := join(path, key.Value)
		if key.Kind != yaml.ScalarNode || key.Anchor != "" || key.ShortTag() != "!!str" {
			d.fail(key, path, "this key is not a plain text: put it in quotes")
			continue
		}
		if line, twice := seen[key.Value]; twice {
			d.problems.add(Problem{Syntax, key.Line, key.Column, at, fmt.Sprintf("appears twice: remove it here or in line %d", line)})
			continue
		}
		seen[key.Value] = key.Line
		do(key, value, at)
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func nameList(fields []field) string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	return strings.Join(names, ", ")
}
