package rights

import (
	"testing"
	"time"
)

func TestDelegateGivesNoMoreThanTheAbsentPersonHas(t *testing.T) {
	tomorrow, later := noon.Add(24*time.Hour), noon.Add(48*time.Hour)
	judge := Grant{Role: Judge, Court: "A"}
	cover := Grant{Role: Judge, Court: "A", Until: tomorrow, For: absent}
	change := func(f func(*Grant)) Grant {
		g := cover
		f(&g)
		return g
	}
	for name, c := range map[string]struct {
		absent, deputy []Grant
		grant          Grant
		want           bool
	}{
		"a judge by a judge":               {[]Grant{judge}, []Grant{{Role: Judge, Court: "B"}}, cover, true},
		"of one court, held for all":       {[]Grant{{Role: Judge}}, []Grant{judge}, cover, true},
		"until theirs ends":                {[]Grant{{Role: Judge, Court: "A", Until: tomorrow}}, []Grant{judge}, cover, true},
		"the longer of two":                {[]Grant{{Role: Judge, Until: noon.Add(1)}, {Role: Judge, Court: "A", Until: later}}, []Grant{judge}, cover, true},
		"longer than theirs":               {[]Grant{{Role: Judge, Court: "A", Until: tomorrow.Add(-1)}}, []Grant{judge}, cover, false},
		"of all courts, held for one":      {[]Grant{judge}, []Grant{judge}, change(func(g *Grant) { g.Court = "" }), false},
		"of another court":                 {[]Grant{judge}, []Grant{judge}, change(func(g *Grant) { g.Court = "B" }), false},
		"another role":                     {[]Grant{judge}, []Grant{judge, {Role: Clerk, Court: "A"}}, change(func(g *Grant) { g.Role = Registrar }), false},
		"what they stand in for":           {[]Grant{{Role: Judge, Court: "A", For: other, Until: later}}, []Grant{judge}, cover, false},
		"what has ended":                   {[]Grant{{Role: Judge, Court: "A", Until: noon}}, []Grant{judge}, cover, false},
		"without an end":                   {[]Grant{judge}, []Grant{judge}, change(func(g *Grant) { g.Until = time.Time{} }), false},
		"in the past":                      {[]Grant{judge}, []Grant{judge}, change(func(g *Grant) { g.Until = noon }), false},
		"for nobody":                       {[]Grant{judge}, []Grant{judge}, change(func(g *Grant) { g.For = "" }), false},
		"a judge by a clerk":               {[]Grant{judge}, []Grant{{Role: Clerk, Court: "A"}}, cover, false},
		"a judge by one who was":           {[]Grant{judge}, []Grant{{Role: Judge, Court: "A", Until: noon}}, cover, false},
		"a judge by one who stands in":     {[]Grant{judge}, []Grant{{Role: Judge, Court: "A", For: other, Until: later}}, cover, false},
		"an auditor":                       {[]Grant{{Role: Auditor}}, []Grant{{Role: Auditor}}, Grant{Role: Auditor, For: absent, Until: tomorrow}, false},
		"a role that is none":              {[]Grant{{Role: Anyone}}, []Grant{{Role: Anyone}}, Grant{Role: Anyone, For: absent, Until: tomorrow}, false},
		"a court administrator by another": {[]Grant{{Role: CourtAdministrator, Court: "A"}}, []Grant{{Role: CourtAdministrator, Court: "B"}}, Grant{Role: CourtAdministrator, Court: "A", For: absent, Until: tomorrow}, true},
	} {
		got, err := Delegate(c.absent, c.deputy, c.grant, noon)
		if (err == nil) != c.want || (err == nil && got != c.grant) || (err != nil && got != Grant{}) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
