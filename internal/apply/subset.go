package apply

import (
	"fmt"
	"reflect"
	"sort"
)

// Subset reports where live lacks something that desired asks for: the path of the first
// difference, or "" when live contains all of desired. Both are JSON values as the API
// server returns them. Rules:
//   - a map in desired needs each of its keys in live; further keys in live are ignored;
//   - a list whose items all carry a unique "name" is matched by name, because the API
//     server and admission may add items; any other list must have the same length;
//   - an empty map, empty list or null in desired asks for nothing.
func Subset(desired, live any) string { return subset("", desired, live) }

func subset(path string, desired, live any) string {
	switch d := desired.(type) {
	case nil:
		return ""
	case map[string]any:
		if len(d) == 0 {
			return ""
		}
		l, ok := live.(map[string]any)
		if !ok {
			return pathOrRoot(path)
		}
		for _, key := range sortedKeys(d) {
			if diff := subset(path+"."+key, d[key], l[key]); diff != "" {
				return diff
			}
		}
		return ""
	case []any:
		if len(d) == 0 {
			return ""
		}
		l, ok := live.([]any)
		if !ok {
			return pathOrRoot(path)
		}
		return subsetList(path, d, l)
	default:
		if scalarEqual(desired, live) {
			return ""
		}
		return pathOrRoot(path)
	}
}

func subsetList(path string, desired, live []any) string {
	desiredByName, named := byName(desired)
	liveByName, liveNamed := byName(live)
	if named && liveNamed {
		for _, name := range sortedKeys(desiredByName) {
			if diff := subset(path+"["+name+"]", desiredByName[name], liveByName[name]); diff != "" {
				return diff
			}
		}
		return ""
	}
	if len(desired) != len(live) {
		return pathOrRoot(path)
	}
	for i := range desired {
		if diff := subset(fmt.Sprintf("%s[%d]", path, i), desired[i], live[i]); diff != "" {
			return diff
		}
	}
	return ""
}

// byName indexes a list of maps by their "name"; ok is false when a name is missing or
// appears twice.
func byName(list []any) (index map[string]any, ok bool) {
	index = make(map[string]any, len(list))
	for _, item := range list {
		m, isMap := item.(map[string]any)
		if !isMap {
			return nil, false
		}
		name, isString := m["name"].(string)
		if !isString {
			return nil, false
		}
		if _, twice := index[name]; twice {
			return nil, false
		}
		index[name] = item
	}
	return index, true
}

// scalarEqual compares two JSON scalars; numbers may be int64 on one side and float64 on
// the other, depending on who decoded them.
func scalarEqual(a, b any) bool {
	if fa, ok := number(a); ok {
		fb, ok := number(b)
		return ok && fa == fb
	}
	return reflect.DeepEqual(a, b)
}

func number(v any) (float64, bool) {
	switch n := v.(type) {
	case int64:
		return float64(n), true
	case float64:
		return n, true
	case int:
		return float64(n), true
	}
	return 0, false
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func pathOrRoot(path string) string {
	if path == "" {
		return "."
	}
	return path
}
