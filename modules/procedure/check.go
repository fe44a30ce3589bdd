package procedure

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// none drops a code in a transition, so that nothing else may be called so.
const none = "none"

// checker finds what does not fit together in a document of right structure.
type checker struct {
	document *Document
	marks    map[string]mark
	problems Problems
	used     map[string]bool // list/code
}

func check(document *Document, marks map[string]mark) Problems {
	c := checker{document: document, marks: marks, used: map[string]bool{}}
	document.buildIndex()
	c.walk(reflect.ValueOf(document).Elem(), "")
	c.duplicates(reflect.ValueOf(document).Elem(), "")
	c.versions()
	c.courts()
	c.calendars()
	c.numbers()
	c.deadlines()
	c.fees()
	c.services()
	c.events()
	c.graph()
	c.unused()
	c.problems.sort()
	return c.problems
}

// at is where a path stands, or else what it is part of.
func (c *checker) at(path string) mark {
	for {
		if found, known := c.marks[path]; known {
			return found
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			return c.marks[""]
		}
		path = path[:cut]
	}
}

func (c *checker) report(kind Kind, path, format string, args ...any) {
	at := c.at(path)
	c.problems.add(Problem{kind, at.line, at.column, path, fmt.Sprintf(format, args...)})
}

func (c *checker) fail(path, format string, args ...any) { c.report(Meaning, path, format, args...) }
func (c *checker) warn(path, format string, args ...any) { c.report(Warning, path, format, args...) }

// walk goes through every part: names, references, sources.
func (c *checker) walk(value reflect.Value, path string) {
	switch value.Kind() {
	case reflect.Pointer:
		if !value.IsNil() {
			c.walk(value.Elem(), path)
		}
	case reflect.Slice:
		for i := range value.Len() {
			c.walk(value.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
	case reflect.Map:
		if names, is := value.Interface().(Names); is && len(names) > 0 {
			c.translated(names, path)
		}
	case reflect.Struct:
		c.source(value, path)
		for _, f := range fieldsOf(value.Type()) {
			inner, at := value.FieldByIndex(f.index), join(path, f.name)
			if f.ref != "" {
				c.reference(inner, at, f.ref)
			}
			c.walk(inner, at)
		}
	}
}

func (c *checker) translated(names Names, path string) {
	for _, language := range c.document.Languages {
		if names[language] == "" {
			c.fail(path, "add the translation in %s", language)
		}
	}
	for _, language := range sortedKeys(names) {
		if !slices.Contains(c.document.Languages, language) {
			c.fail(join(path, language), "%s is not among the document's languages: add it there or remove the line", language)
		}
	}
}

// source collects gaps and unconfirmed rules.
func (c *checker) source(value reflect.Value, path string) {
	finding := Finding{Line: c.at(path).line, Path: path}
	if missing, is := value.Interface().(Missing); is {
		finding.Law, finding.Text = missing.Law, missing.Subject+": "+missing.Gap
		c.document.index.gaps = append(c.document.index.gaps, finding)
		return
	}
	embedded := value.FieldByName("Rule")
	if !embedded.IsValid() {
		return
	}
	rule := embedded.Interface().(Rule)
	finding.Law = rule.Law
	if rule.Gap != "" {
		finding.Text = rule.Gap
		c.document.index.gaps = append(c.document.index.gaps, finding)
	}
	if rule.Confidence == "recalled" {
		finding.Text = rule.Note
		c.document.index.recalled = append(c.document.index.recalled, finding)
	}
}

// reference checks codes against the list that must declare them.
func (c *checker) reference(value reflect.Value, path, list string) {
	switch value.Kind() {
	case reflect.String:
		if code := value.String(); code != "" && code != "*" {
			c.known(code, path, list)
		}
	case reflect.Slice:
		seen := map[string]bool{}
		for i := range value.Len() {
			code, at := value.Index(i).String(), fmt.Sprintf("%s[%d]", path, i)
			if seen[code] {
				c.fail(at, "%s is there twice: remove one", code)
			}
			seen[code] = true
			if code != "*" {
				c.known(code, at, list)
			}
		}
	case reflect.Map:
		codes := value.Interface().(map[string]string)
		for _, old := range sortedKeys(codes) {
			if codes[old] != none || list == "states" {
				c.known(codes[old], join(path, old), list)
			}
		}
	}
}

func (c *checker) known(code, path, list string) {
	c.used[list+"/"+code] = true
	if !c.document.index.has(list, code) {
		c.fail(path, "%s is not declared: add it to %s or write a code from there", code, list)
	}
}

// duplicates finds codes that a list declares twice.
func (c *checker) duplicates(value reflect.Value, path string) {
	for _, f := range fieldsOf(value.Type()) {
		list := value.FieldByIndex(f.index)
		if list.Kind() != reflect.Slice || list.Type().Elem().Kind() != reflect.Struct {
			continue
		}
		seen := map[string]int{}
		for i := range list.Len() {
			at := fmt.Sprintf("%s[%d]", join(path, f.name), i)
			if code := list.Index(i).FieldByName("Code"); code.IsValid() {
				c.once(seen, code.String(), at)
			}
			c.duplicates(list.Index(i), at)
		}
	}
}

func (c *checker) once(seen map[string]int, code, path string) {
	at := join(path, "code")
	if line, twice := seen[code]; twice {
		c.fail(at, "%s was declared in line %d: choose another code", code, line)
		return
	}
	seen[code] = c.at(at).line
	if code == none {
		c.fail(at, "%s has a meaning of its own: choose another code", none)
	}
}

// unused warns of what is declared and no rule needs.
func (c *checker) unused() {
	value := reflect.ValueOf(c.document).Elem()
	for _, f := range fieldsOf(value.Type()) {
		if !slices.Contains([]string{"numbers", "parameters", "facts", "stages", "outcomes", "documents", "counters", "calendars"}, f.name) {
			continue
		}
		list := value.FieldByIndex(f.index)
		for i := range list.Len() {
			if code := list.Index(i).FieldByName("Code").String(); !c.used[f.name+"/"+code] {
				c.warn(fmt.Sprintf("%s[%d]", f.name, i), "no rule uses %s: use it or remove it", code)
			}
		}
	}
}

func sortedKeys[V any, M ~map[string]V](m M) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
