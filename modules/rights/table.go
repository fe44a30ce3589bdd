package rights

import _ "embed" // for the table

//go:embed rules.csv
var rulesText []byte

// standard is the table that everything is decided by.
var standard = mustParse(rulesText)

func mustParse(text []byte) *table {
	t, err := parse(text)
	if err != nil {
		panic("the table of rights: " + err.Error()) // it is built in, and tested
	}
	return t
}

// table is the rules, unfolded so that a question is a look-up.
type table struct {
	roles [roleEnd]roleFacts
	lines []line // may and never, as written
	cells []cell // by index
}

// roleFacts is what the table says of a role as such.
type roleFacts struct {
	kind    string  // "staff", "outside", "program" or "all"
	cover   roleSet // who may stand in for its holders
	voids   roleSet // roles that do not count beside it
	meaning string
}

// roleSet is a set of roles.
type roleSet uint16

func (s roleSet) has(r Role) bool { return s&(1<<r) != 0 }

// cell is what the table says of one role, reach, sealing level and pair of
// action and field group.
type cell struct {
	// may holds, for each set of needs, the relations that allow with it.
	may [needSets]RelationSet
	// never holds the relations that refuse.
	never RelationSet
}

// Ask is an action on a part of a record.
type Ask struct {
	Action Action
	Group  FieldGroup
}

// pairs are all that can be asked; pairIndex is where each stands there, plus
// one.
var pairs, pairIndex = enumerate()

func enumerate() (pairs []Ask, at [actionEnd][groupEnd]uint8) {
	for action := CaseList; action < actionEnd; action++ {
		for _, group := range groupsOf[action] {
			pairs = append(pairs, Ask{action, group})
			at[action][group] = uint8(len(pairs))
		}
	}
	return pairs, at
}

// known says whether the question makes sense.
func known(action Action, group FieldGroup) bool {
	return action < actionEnd && group < groupEnd && pairIndex[action][group] != 0
}

// index is where a cell stands. All arguments must be valid.
func index(role Role, reach reach, level Sealing, action Action, group FieldGroup) int {
	i := int(role-1)*int(reachEnd-1) + int(reach-1)
	i = i*int(sealingEnd-1) + int(level-1)
	return i*len(pairs) + int(pairIndex[action][group]) - 1
}

func cellCount() int {
	return int(roleEnd-1) * int(reachEnd-1) * int(sealingEnd-1) * len(pairs)
}

// line is one may or never line.
type line struct {
	number    int // in the file, from 1
	never     bool
	cells     []string // as written, for the docs
	roles     []int
	reaches   []int
	relations RelationSet
	levels    []int
	actions   []int
	groups    []int
	needs     need
}

// each calls f with every cell that the line is about.
func (l *line) each(f func(i int)) {
	for _, role := range l.roles {
		for _, r := range l.reaches {
			for _, level := range l.levels {
				for _, action := range l.actions {
					for _, group := range l.groups {
						if known(Action(action), FieldGroup(group)) {
							f(index(Role(role), reach(r), Sealing(level), Action(action), FieldGroup(group)))
						}
					}
				}
			}
		}
	}
}

// unfold fills the cells from the lines.
func (t *table) unfold() {
	t.cells = make([]cell, cellCount())
	for _, l := range t.lines {
		l.each(func(i int) {
			if l.never {
				t.cells[i].never |= l.relations
			} else {
				t.cells[i].may[l.needs] |= l.relations
			}
		})
	}
}
