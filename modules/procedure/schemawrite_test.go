package procedure_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"ejustice.dev/operator/modules/procedure"
)

// schemaWriter turns the types of document.go into a JSON Schema.
type schemaWriter struct {
	comments    map[string]string // "Type" or "Type.Field"
	definitions map[string]any
}

type object = map[string]any

func writeSchema(t *testing.T) object {
	w := schemaWriter{comments: readComments(t), definitions: object{}}
	root := w.object(reflect.TypeFor[procedure.Document]())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["$id"] = "https://ejustice.dev/schemas/procedure.json"
	root["title"] = "Court procedure"
	root["$defs"] = w.definitions
	return root
}

func (w *schemaWriter) object(typ reflect.Type) object {
	properties, required := object{}, []any{}
	for _, f := range procedure.FieldsOf(typ) {
		if f.Required {
			required = append(required, f.Name)
		}
		property := w.value(f.Type, f.Constraints)
		if comment := w.comments[f.Owner+"."+f.GoName]; comment != "" {
			property["description"] = comment
		}
		properties[f.Name] = property
	}
	schema := object{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		schema["required"] = required
	}
	if comment := w.comments[typ.Name()]; comment != "" {
		schema["description"] = comment
	}
	exactly, atLeast := procedure.GroupsOf(typ)
	if exactly != nil {
		schema["oneOf"] = choices(exactly)
	}
	if atLeast != nil {
		schema["anyOf"] = choices(atLeast)
	}
	return schema
}

func choices(names []string) (list []any) {
	for _, name := range names {
		list = append(list, object{"required": []any{name}})
	}
	return list
}

func (w *schemaWriter) value(typ reflect.Type, c procedure.Constraints) object {
	switch {
	case typ.Kind() == reflect.Pointer:
		return w.value(typ.Elem(), c)
	case typ.Kind() == reflect.Struct:
		if _, done := w.definitions[typ.Name()]; !done {
			w.definitions[typ.Name()] = object{} // it may contain itself
			w.definitions[typ.Name()] = w.object(typ)
		}
		return object{"$ref": "#/$defs/" + typ.Name()}
	case typ.Kind() == reflect.Slice:
		list := object{"type": "array", "items": w.value(typ.Elem(), procedure.Constraints{Wording: c.Wording})}
		bounds(list, c, "minItems", "maxItems")
		return list
	case typ.Kind() == reflect.Map:
		keys, values := c.Wording, c.Wording
		if typ == reflect.TypeFor[procedure.Names]() {
			keys, values = "language", "text"
		}
		return object{"type": "object", "minProperties": 1, "propertyNames": wording(keys), "additionalProperties": wording(values)}
	case typ.Kind() == reflect.Bool:
		return object{"type": "boolean"}
	case typ.Kind() == reflect.Int && c.Wording == "":
		number := object{"type": "integer"}
		bounds(number, c, "minimum", "maximum")
		return number
	}
	if values := procedure.ValuesOf(typ); values != nil {
		return object{"type": "string", "enum": values}
	}
	return wording(c.Wording)
}

func bounds(schema object, c procedure.Constraints, low, high string) {
	if c.Bounded {
		schema[high] = c.Max
		if c.Min != 0 || low == "minimum" {
			schema[low] = c.Min
		}
	}
}

func wording(name string) object {
	pattern, longest := procedure.WordingOf(name)
	return object{"type": "string", "pattern": pattern, "maxLength": longest}
}

// readComments finds what document.go and its neighbours say of each field.
func readComments(t *testing.T) map[string]string {
	comments := map[string]string{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			declaration, is := node.(*ast.GenDecl)
			if !is || declaration.Tok != token.TYPE {
				return true
			}
			for _, spec := range declaration.Specs {
				typ := spec.(*ast.TypeSpec)
				fields, is := typ.Type.(*ast.StructType)
				if !is {
					continue
				}
				comments[typ.Name.Name] = strings.Join(strings.Fields(strings.SplitN(declaration.Doc.Text(), "\n\n", 2)[0]), " ")
				for _, f := range fields.Fields.List {
					for _, ident := range f.Names {
						comments[typ.Name.Name+"."+ident.Name] = strings.Join(strings.Fields(f.Doc.Text()), " ")
					}
				}
			}
			return true
		})
	}
	return comments
}

// No field goes without a description.
func TestEveryFieldIsDescribed(t *testing.T) {
	comments := readComments(t)
	for _, f := range procedure.FieldsOf(reflect.TypeFor[procedure.Event]()) {
		if comments[f.Owner+"."+f.GoName] == "" {
			t.Errorf("%s.%s, index %s", f.Owner, f.GoName, strconv.Quote(f.Name))
		}
	}
}
