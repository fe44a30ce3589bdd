package procedure

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// ChangeKind says how a part of a document changed.
type ChangeKind string

const (
	Added     ChangeKind = "added"
	Removed   ChangeKind = "removed"
	Changed   ChangeKind = "changed"
	Reordered ChangeKind = "reordered"
)

// Change is one difference between two versions. Path names parts by their
// codes, for example "deadlines.answer.length.count". Old and New are the values,
// or what was there as JSON.
type Change struct {
	Kind ChangeKind `json:"kind"`
	Path string     `json:"path"`
	Old  string     `json:"old,omitempty"`
	New  string     `json:"new,omitempty"`
}

func (c Change) String() string {
	switch c.Kind {
	case Added:
		return fmt.Sprintf("added %s: %s", c.Path, c.New)
	case Removed:
		return fmt.Sprintf("removed %s: %s", c.Path, c.Old)
	case Changed:
		return fmt.Sprintf("changed %s: %s → %s", c.Path, c.Old, c.New)
	}
	return fmt.Sprintf("reordered %s: %s → %s", c.Path, c.Old, c.New)
}

// Changes are all differences, in the order of the document's parts.
type Changes []Change

func (c Changes) String() string {
	lines := make([]string, len(c))
	for i, change := range c {
		lines[i] = change.String()
	}
	return strings.Join(lines, "\n")
}

// Diff lists what is different in new.
func Diff(old, new *Document) Changes {
	var d differ
	d.structs(reflect.ValueOf(old).Elem(), reflect.ValueOf(new).Elem(), "")
	return d.changes
}

type differ struct{ changes Changes }

func (d *differ) add(kind ChangeKind, path, old, new string) {
	d.changes = append(d.changes, Change{kind, path, old, new})
}

func (d *differ) values(old, new reflect.Value, path string) {
	switch {
	case old.IsZero() && new.IsZero():
	case old.IsZero():
		d.add(Added, path, "", show(new))
	case new.IsZero():
		d.add(Removed, path, show(old), "")
	case old.Kind() == reflect.Pointer:
		d.values(old.Elem(), new.Elem(), path)
	case old.Kind() == reflect.Struct:
		d.structs(old, new, path)
	case old.Kind() == reflect.Map:
		d.maps(old, new, path)
	case old.Kind() == reflect.Slice:
		d.lists(old, new, path)
	case show(old) != show(new):
		d.add(Changed, path, show(old), show(new))
	}
}

func (d *differ) structs(old, new reflect.Value, path string) {
	for _, f := range fieldsOf(old.Type()) {
		d.values(old.FieldByIndex(f.index), new.FieldByIndex(f.index), join(path, f.name))
	}
}

func (d *differ) maps(old, new reflect.Value, path string) {
	keys := append(keysOf(old), keysOf(new)...)
	slices.Sort(keys)
	text := func(m reflect.Value, key string) reflect.Value {
		if value := m.MapIndex(reflect.ValueOf(key)); value.IsValid() {
			return value
		}
		return reflect.Zero(m.Type().Elem())
	}
	for _, key := range slices.Compact(keys) {
		d.values(text(old, key), text(new, key), join(path, key))
	}
}

func keysOf(m reflect.Value) (keys []string) {
	for _, key := range m.MapKeys() {
		keys = append(keys, key.String())
	}
	return keys
}

// lists compares by codes. Entries without one are the same when all of them is
// the same; what is left over is compared in turn.
func (d *differ) lists(old, new reflect.Value, path string) {
	before, after := named(old), named(new)
	coded := before.coded && after.coded
	var lost, gained []int
	for i, key := range before.keys {
		if j := slices.Index(after.keys, key); j < 0 {
			lost = append(lost, i)
		} else if coded {
			d.values(old.Index(i), new.Index(j), join(path, key))
		}
	}
	for i, key := range after.keys {
		if !slices.Contains(before.keys, key) {
			gained = append(gained, i)
		}
	}
	for !coded && len(lost) > 0 && len(gained) > 0 && old.Index(lost[0]).Kind() == reflect.Struct {
		d.values(old.Index(lost[0]), new.Index(gained[0]), fmt.Sprintf("%s[%d]", path, gained[0]))
		lost, gained = lost[1:], gained[1:]
	}
	for _, i := range lost {
		d.add(Removed, before.path(path, i), show(old.Index(i)), "")
	}
	for _, i := range gained {
		d.add(Added, after.path(path, i), "", show(new.Index(i)))
	}
	d.order(before.keys, after.keys, path)
}

// order compares the order of what both have.
func (d *differ) order(before, after []string, path string) {
	common := func(list, other []string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(key string) bool { return !slices.Contains(other, key) })
	}
	old, new := common(before, after), common(after, before)
	if !slices.Equal(old, new) {
		d.add(Reordered, path, strings.Join(old, ", "), strings.Join(new, ", "))
	}
}

// entries are the entries of a list by what they can be told apart with.
type entries struct {
	keys  []string
	coded bool
}

func named(list reflect.Value) (e entries) {
	e.coded = true
	for i := range list.Len() {
		entry := list.Index(i)
		if entry.Kind() == reflect.Struct && entry.FieldByName("Code").IsValid() {
			e.keys = append(e.keys, entry.FieldByName("Code").String())
			continue
		}
		e.coded = false
		e.keys = append(e.keys, show(entry))
	}
	return e
}

func (e entries) path(path string, i int) string {
	if e.coded {
		return join(path, e.keys[i])
	}
	return fmt.Sprintf("%s[%d]", path, i)
}

// show writes a value for a reader: a text as it is, the rest as JSON.
func show(value reflect.Value) string {
	if value.Kind() == reflect.String {
		return value.String()
	}
	text, err := json.Marshal(value.Interface())
	if err != nil {
		return err.Error()
	}
	return strings.Trim(string(text), `"`)
}
