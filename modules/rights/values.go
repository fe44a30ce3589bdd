package rights

import (
	"fmt"
	"regexp"
	"strconv"
)

// values collects what may become placeholders. PostgreSQL refuses one that
// the text does not mention, so they get their numbers when the text is there.
type values struct {
	list  []any
	types []string
}

// add remembers a value and returns what stands for it meanwhile.
func (v *values) add(value any, sqlType string) string {
	v.list, v.types = append(v.list, value), append(v.types, sqlType)
	return fmt.Sprintf("\x00%d\x00", len(v.list)-1)
}

// cases stands for an array of cases, or is nothing for none.
func (v *values) cases(ids []string) string {
	if len(ids) == 0 {
		return ""
	}
	return v.add(ids, "uuid[]")
}

var placeholder = regexp.MustCompile("\x00[0-9]+\x00")

// filter numbers the placeholders in the order in which they are used.
func (v *values) filter(conditions []string, first int) Filter {
	f := Filter{Any: make([]string, len(conditions))}
	numbers := map[int]int{}
	for i, condition := range conditions {
		f.Any[i] = placeholder.ReplaceAllStringFunc(condition, func(mark string) string {
			which, _ := strconv.Atoi(mark[1 : len(mark)-1])
			if _, ok := numbers[which]; !ok {
				numbers[which] = first + len(f.Args)
				f.Args = append(f.Args, v.list[which])
			}
			return fmt.Sprintf("$%d::%s", numbers[which], v.types[which])
		})
	}
	return f
}
