package rights

import "slices"

// arm is a part of the table as SQL needs it: roles that, by the same reaches
// and at the same levels, may do something by the same relations.
type arm struct {
	roles   roleSet
	reaches []reach
	levels  levelSet
	cell    cell
}

// levelSet is a set of sealing levels.
type levelSet uint8

// arms folds the cells of one question up again, so that they make few
// conditions. Together they say exactly what the cells say.
// There are none for a question that makes no sense.
func (t *table) arms(ask Ask) []arm {
	if !known(ask.Action, ask.Group) {
		return nil
	}
	return mergeReaches(mergeRoles(t.narrowArms(ask)))
}

// narrowArms has one arm for each role, reach and different cell.
func (t *table) narrowArms(ask Ask) []arm {
	var arms []arm
	for role := Anyone; role < roleEnd; role++ {
		for r := reachOwn; r < reachEnd; r++ {
			first := len(arms)
			for level := Public; level < sealingEnd; level++ {
				c := t.cells[index(role, r, level, ask.Action, ask.Group)]
				if c.may == [needSets]RelationSet{} {
					continue
				}
				i := slices.IndexFunc(arms[first:], func(a arm) bool { return a.cell == c })
				if i < 0 {
					arms = append(arms, arm{roles: 1 << role, reaches: []reach{r}, cell: c})
					i = len(arms) - 1 - first
				}
				arms[first+i].levels |= 1 << level
			}
		}
	}
	return arms
}

func mergeRoles(narrow []arm) []arm {
	var merged []arm
	for _, a := range narrow {
		i := slices.IndexFunc(merged, func(b arm) bool {
			return b.reaches[0] == a.reaches[0] && b.levels == a.levels && b.cell == a.cell
		})
		if i < 0 {
			merged = append(merged, a)
			continue
		}
		merged[i].roles |= a.roles
	}
	return merged
}

func mergeReaches(narrow []arm) []arm {
	var merged []arm
	for _, a := range narrow {
		i := slices.IndexFunc(merged, func(b arm) bool {
			return b.roles == a.roles && b.levels == a.levels && b.cell == a.cell
		})
		if i < 0 {
			merged = append(merged, a)
			continue
		}
		merged[i].reaches = append(merged[i].reaches, a.reaches...)
	}
	return merged
}

func (s roleSet) list() []Role {
	var roles []Role
	for r := Anyone; r < roleEnd; r++ {
		if s.has(r) {
			roles = append(roles, r)
		}
	}
	return roles
}

func (s roleSet) codes() []string {
	var codes []string
	for _, r := range s.list() {
		codes = append(codes, r.String())
	}
	return codes
}

func (s levelSet) codes() []string {
	var codes []string
	for l := Public; l < sealingEnd; l++ {
		if s&(1<<l) != 0 {
			codes = append(codes, l.String())
		}
	}
	return codes
}

// stored are the codes of those relations that rows can have.
func (s RelationSet) stored() []string {
	var codes []string
	for r := Assigned; r < Self; r++ {
		if s.Has(r) {
			codes = append(codes, r.String())
		}
	}
	return codes
}
