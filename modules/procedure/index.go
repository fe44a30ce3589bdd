package procedure

import (
	"reflect"
	"sync"
	"time"
)

// index finds the parts of a document by code. Parse builds it once; afterwards
// nothing of a document changes, so that many goroutines may use one.
type index struct {
	calendars  map[string]*Calendar
	parameters map[string]*Parameter
	facts      map[string]*Fact
	fees       map[string]*Fee
	deadlines  map[string]*Deadline
	states     map[string]*WorkflowState
	events     map[string]*Event
	// from lists the events of each state in the document's order.
	from map[string][]*Event
	// before lists the fees that each event waits for.
	before map[string][]string
	// names are what every list's parts are called, by list and code.
	names map[string]map[string]Names
	gaps  []Finding
	// recalled are the rules nobody confirmed.
	recalled []Finding
}

func byCode[T any](list []T, code func(*T) string) map[string]*T {
	found := make(map[string]*T, len(list))
	for i := range list {
		found[code(&list[i])] = &list[i]
	}
	return found
}

func (d *Document) buildIndex() {
	d.index = index{
		calendars:  byCode(d.Calendars, func(c *Calendar) string { return c.Code }),
		parameters: byCode(d.Parameters, func(p *Parameter) string { return p.Code }),
		facts:      byCode(d.Facts, func(f *Fact) string { return f.Code }),
		fees:       byCode(d.Fees, func(f *Fee) string { return f.Code }),
		deadlines:  byCode(d.Deadlines, func(l *Deadline) string { return l.Code }),
		states:     byCode(d.States, func(s *WorkflowState) string { return s.Code }),
		events:     byCode(d.AllEvents, func(e *Event) string { return e.Code }),
		from:       map[string][]*Event{},
		before:     map[string][]string{},
		names:      namesOf(d),
	}
	for i := range d.AllEvents {
		event, from := &d.AllEvents[i], map[string]bool{}
		for _, code := range event.From {
			from[code] = true
		}
		for _, state := range d.States {
			if from[state.Code] || from["*"] && !state.Final {
				d.index.from[state.Code] = append(d.index.from[state.Code], event)
			}
		}
	}
	for _, fee := range d.Fees {
		if fee.Before != "" {
			d.index.before[fee.Before] = append(d.index.before[fee.Before], fee.Code)
		}
	}
	for i := range d.Calendars {
		c := &d.Calendars[i]
		c.years = new(sync.Map)
		if c.zone == nil {
			c.zone = time.UTC // until check has read the name
		}
	}
}

// targets are the states that the event can lead to from a state.
func (e *Event) targets(from string) []string {
	last := e.To
	if last == "" {
		last = from
	}
	targets := []string{last}
	for _, branch := range e.Branches {
		if branch.To != "*" {
			targets = append(targets, branch.To)
		}
	}
	return targets
}

func (i *index) has(list, code string) bool {
	_, declared := i.names[list][code]
	return declared
}

// Name is what people call a part of the document, for example Name("fees",
// "filing", "fr"). In a language that the document does not have it is the name
// in its first one, and of an unknown part the code.
func (d *Document) Name(list, code, language string) string {
	names := d.index.names[list][code]
	if name := names[language]; name != "" {
		return name
	}
	if name := names[d.Languages[0]]; name != "" {
		return name
	}
	return code
}

// namesOf collects the names of every list's parts.
func namesOf(d *Document) map[string]map[string]Names {
	names := map[string]map[string]Names{}
	value := reflect.ValueOf(d).Elem()
	for _, f := range fieldsOf(value.Type()) {
		list := value.FieldByIndex(f.index)
		if list.Kind() != reflect.Slice || list.Type().Elem().Kind() != reflect.Struct {
			continue
		}
		if _, named := list.Type().Elem().FieldByName("Code"); !named {
			continue
		}
		names[f.name] = map[string]Names{}
		for i := range list.Len() {
			part := list.Index(i)
			names[f.name][part.FieldByName("Code").String()] = part.FieldByName("Names").Interface().(Names)
		}
	}
	return names
}

// Finding is a rule that somebody has to look at.
type Finding struct {
	Line int    `json:"line"`
	Path string `json:"path"`
	Law  string `json:"law,omitempty"`
	Text string `json:"text"`
}

// Findings are the rules that the document does not have, as its author marked
// them, and those that its author remembered and nobody confirmed. The text of
// the latter is the author's note, or "".
func (d *Document) Findings() (gaps, recalled []Finding) {
	return d.index.gaps, d.index.recalled
}
