package rights

import (
	"fmt"
	"slices"
)

// check refuses lines without an effect: a reader must be able to trust that
// each line says something, and that taking it away changes something. Of two
// equal lines the later one is named.
func (t *table) check() error {
	count := t.count()
	for _, l := range slices.Backward(t.lines) {
		live, alone := l.never, false
		l.each(func(i int) {
			for r := None; r < relationEnd; r++ {
				switch {
				case !l.relations.Has(r):
				case l.never:
					alone = alone || count[i].never[r] == 1
				case !t.cells[i].never.Has(r):
					live = true
					alone = alone || count[i].alone(r, l.needs)
				}
			}
		})
		switch {
		case !live:
			return fmt.Errorf("line %d: can never match: other lines refuse all of it", l.number)
		case !alone:
			return fmt.Errorf("line %d: says nothing that other lines do not say already", l.number)
		}
	}
	return nil
}

// tally counts, for one cell, how many lines are about each relation.
type tally struct {
	may   [needSets][relationEnd]uint16
	never [relationEnd]uint16
}

// alone says whether one line only allows relation r with these needs or fewer.
func (c *tally) alone(r Relation, needs need) bool {
	lines := 0
	for n := range needSets {
		if n&^needs == 0 {
			lines += int(c.may[n][r])
		}
	}
	return lines == 1
}

func (t *table) count() []tally {
	counts := make([]tally, len(t.cells))
	for _, l := range t.lines {
		l.each(func(i int) {
			for r := None; r < relationEnd; r++ {
				switch {
				case !l.relations.Has(r):
				case l.never:
					counts[i].never[r]++
				default:
					counts[i].may[l.needs][r]++
				}
			}
		})
	}
	return counts
}
