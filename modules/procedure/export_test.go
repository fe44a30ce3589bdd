package procedure

import (
	"reflect"
	"time"
)

// What the schema's writer needs to know of the decoder's rules.

type Constraints struct {
	Wording  string
	Min, Max int
	Bounded  bool
}

type FieldInfo struct {
	Name, GoName, Owner string
	Required            bool
	Type                reflect.Type
	Constraints
}

func FieldsOf(typ reflect.Type) (list []FieldInfo) {
	for _, f := range fieldsOf(typ) {
		owner := typ
		for _, i := range f.index[:len(f.index)-1] {
			owner = owner.Field(i).Type
		}
		list = append(list, FieldInfo{
			Name: f.name, GoName: owner.Field(f.index[len(f.index)-1]).Name, Owner: owner.Name(),
			Required: f.rule.required, Type: f.typ,
			Constraints: Constraints{f.rule.wording, f.rule.min, f.rule.max, f.rule.bounded},
		})
	}
	return list
}

func GroupsOf(typ reflect.Type) (exactly, atLeast []string) {
	value := reflect.New(typ).Elem().Interface()
	if group, is := value.(interface{ exactlyOne() []string }); is {
		exactly = group.exactlyOne()
	}
	if group, is := value.(interface{ atLeastOne() []string }); is {
		atLeast = group.atLeastOne()
	}
	return exactly, atLeast
}

func ValuesOf(typ reflect.Type) []string {
	if choice, is := reflect.New(typ).Elem().Interface().(interface{ values() []string }); is {
		return choice.values()
	}
	return nil
}

func WordingOf(name string) (pattern string, longest int) {
	return wordings[name].pattern.String(), wordings[name].max
}

// Begin is the first instant of a day, for tests.
func (d Day) Begin(zone *time.Location) time.Time { return d.begin(zone) }

var Easter = easter
