package procedure

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ccdDefaultPriority is that of a post-state without one.
const ccdDefaultPriority = 99

var ccdPriority = regexp.MustCompile(`:\s*(\d{1,4})\s*$`)

// post is one entry of PostConditionState, "State(condition):priority".
type post struct {
	state, condition string
	priority         int
}

// poststates reads where an event leads: entries by priority, the one without a
// condition last.
func (im *importer) poststates(r row, event *Event) {
	var posts []post
	for _, part := range splitOutside(r.text(ccdPost), ';') {
		if strings.TrimSpace(part) != "" {
			posts = append(posts, readPost(part))
		}
	}
	slices.SortStableFunc(posts, func(a, b post) int {
		if (a.condition == "") != (b.condition == "") {
			return cmp.Compare(b.condition, a.condition) // a condition before none
		}
		return cmp.Compare(a.priority, b.priority)
	})
	for _, one := range posts {
		switch {
		case one.state != "*" && !slices.Contains(im.stateCodes, one.state):
			im.fail(r, ccdPost, "there is no state %s: add it to State or mend the ID", one.state)
		case one.condition != "":
			event.Branches = append(event.Branches, Branch{im.conditions(r, ccdPost, one.condition), one.state})
		case event.To != "":
			im.fail(r, ccdPost, "two states have no condition: give one of them a condition")
		default:
			event.To = one.state
		}
	}
	if event.From != nil && event.From[0] == ccdStart && (event.To == "" || event.To == "*") {
		im.fail(r, ccdPost, "a new case needs a state: write its ID")
	}
	if event.To == "*" {
		event.To = ""
	}
}

func readPost(text string) post {
	one := post{priority: ccdDefaultPriority}
	text = strings.TrimSpace(text)
	if found := ccdPriority.FindStringSubmatchIndex(text); found != nil {
		one.priority, _ = strconv.Atoi(text[found[2]:found[3]])
		text = strings.TrimSpace(text[:found[0]])
	}
	if open := strings.IndexByte(text, '('); open >= 0 && strings.HasSuffix(text, ")") {
		one.condition = strings.TrimSpace(text[open+1 : len(text)-1])
		text = strings.TrimSpace(text[:open])
	}
	one.state = text
	return one
}

// splitOutside splits at a sign that stands in no quotes.
func splitOutside(text string, sign rune) (parts []string) {
	var part strings.Builder
	quoted := false
	for _, c := range text {
		if c == '"' {
			quoted = !quoted
		}
		if c == sign && !quoted {
			parts = append(parts, part.String())
			part.Reset()
			continue
		}
		part.WriteRune(c)
	}
	return append(parts, part.String())
}
