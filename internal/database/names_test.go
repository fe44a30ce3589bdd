package database

import (
	"strings"
	"testing"
)

func TestNameFor(t *testing.T) {
	long := strings.Repeat("a", 40)
	tests := []struct{ tenant, module, want string }{
		{"palestine", "casemanagement", "palestine_casemanagement"},
		{"cote-divoire", "case-management", "cote_divoire_case_management"},
		{long, strings.Repeat("b", 22), long + "_" + strings.Repeat("b", 22)},
	}
	for _, tc := range tests {
		if got := NameFor(tc.tenant, tc.module); got != tc.want {
			t.Errorf("NameFor(%s, %s) = %s, want %s", tc.tenant, tc.module, got, tc.want)
		}
	}
	one, two := NameFor(long, strings.Repeat("b", 30)), NameFor(long, strings.Repeat("b", 29)+"c")
	if len(one) > maxIdentifier || len(two) > maxIdentifier {
		t.Errorf("too long for PostgreSQL: %s, %s", one, two)
	}
	if one == two {
		t.Errorf("two modules share the name %s", one)
	}
}
