package vault

import (
	"encoding/json"
	"fmt"
	"strings"
)

// holds reports whether what Vault has contains what is wanted. Vault returns numbers as
// json.Number, durations as seconds, and fields that nobody set; only wanted fields count.
func holds(have, want map[string]any) bool {
	for key, wanted := range want {
		if !equal(have[key], wanted) {
			return false
		}
	}
	return true
}

func equal(have, want any) bool {
	if wanted, ok := want.(map[string]any); ok {
		found, ok := have.(map[string]any)
		return ok && holds(found, wanted)
	}
	return canonical(have) == canonical(want)
}

func canonical(v any) string {
	switch x := v.(type) {
	case nil:
		return "[]" // an empty list comes back as nothing
	case string:
		return strings.TrimSpace(x)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(raw)
}
