package rights

import (
	"maps"
	"slices"
	"testing"
	"time"
)

// opens says whether the actor may open a case of court A at a level, in which
// the people are what relations says.
func opens(a *Actor, level Sealing, relations map[string]RelationSet) bool {
	return Decide(a, CaseRead, Documents, &Record{Case: theCase, Court: "A", Sealing: level, Relations: looked(relations)}, noon).Allowed
}

// looked adds that everybody else of the tests is nothing to the case.
func looked(relations map[string]RelationSet) map[string]RelationSet {
	all := map[string]RelationSet{me: 0, absent: 0, other: 0}
	maps.Copy(all, relations)
	return all
}

func of(person string, relations ...Relation) map[string]RelationSet {
	return map[string]RelationSet{person: SetOf(relations...)}
}

func TestGrantsCountWhileTheyLast(t *testing.T) {
	for name, c := range map[string]struct {
		until time.Time
		want  bool
	}{
		"for good":               {time.Time{}, true},
		"a moment more":          {noon.Add(time.Nanosecond), true},
		"ended this moment":      {noon, false},
		"ended":                  {noon.Add(-time.Hour), false},
		"written in other zones": {noon.Add(time.Hour).In(time.FixedZone("", -4*3600)), true},
	} {
		a := &Actor{Person: me, MFA: true, Grants: []Grant{{Role: Clerk, Court: "A", Until: c.until}}}
		if got := opens(a, PartiesOnly, nil); got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestWhoIsNobodyOrTwoMayNothing(t *testing.T) {
	grants := []Grant{{Role: Registrar}}
	for name, a := range map[string]*Actor{
		"nobody":                 {MFA: true, Grants: grants},
		"a person and a program": {Person: me, Service: "reporting", MFA: true, Grants: grants},
		"a program with grants":  {Service: "reporting", MFA: true, Grants: grants},
	} {
		if d := Decide(a, CaseRead, Bare, &Record{Case: theCase, Court: "A", Sealing: PartiesOnly, Relations: looked(nil)}, noon); d.Allowed || d.Visible {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func TestQuestionsThatMakeNoSenseAreAnsweredNo(t *testing.T) {
	a := &Actor{Person: me, MFA: true, Grants: []Grant{{Role: Registrar}, {Role: 99}, {Role: Service}, {Role: Anyone}}}
	for action := range Action(255) {
		for group := range FieldGroup(255) {
			for _, level := range []Sealing{0, sealingEnd, 255} {
				if d := Decide(a, action, group, &Record{Court: "A", Sealing: level}, noon); d.Allowed || d.Visible || d.Why != NotKnown {
					t.Fatalf("%d of %d at level %d: %+v", action, group, level, d)
				}
			}
			if d := Decide(a, action, group, &Record{Court: "A", Sealing: Public}, noon); d.Allowed && !known(action, group) {
				t.Fatalf("%d of %d: %+v", action, group, d)
			}
		}
	}
}

// Somebody who stands in has what the absent person has, and no more.
func TestStandingIn(t *testing.T) {
	tomorrow := noon.Add(24 * time.Hour)
	deputy := func(own Role, g Grant) *Actor {
		g.For = absent
		return &Actor{Person: me, MFA: true, Grants: []Grant{{Role: own, Court: "B"}, g}, Reasons: []string{theCase}}
	}
	cover := Grant{Role: Judge, Court: "A", Until: tomorrow}
	with := func(a, b map[string]RelationSet) map[string]RelationSet {
		return map[string]RelationSet{me: a[me], absent: b[absent]}
	}
	for name, c := range map[string]struct {
		actor     *Actor
		level     Sealing
		relations map[string]RelationSet
		want      bool
	}{
		"a judge for a judge":                  {deputy(Judge, cover), PartiesOnly, nil, true},
		"in a case that the absent one has":    {deputy(Judge, cover), Sealed, of(absent, Named), true},
		"in a case that the absent has not":    {deputy(Judge, cover), Sealed, of(me, Named), false},
		"when the absent one is excluded":      {deputy(Judge, cover), PartiesOnly, of(absent, Assigned, Excluded), false},
		"when the deputy is excluded":          {deputy(Judge, cover), PartiesOnly, with(of(me, Excluded), of(absent, Assigned)), false},
		"when the deputy is a party":           {deputy(Judge, cover), PartiesOnly, with(of(me, PartyTo), of(absent, Assigned)), false},
		"when the absent one is counsel":       {deputy(Judge, cover), PartiesOnly, of(absent, Counsel), false},
		"without an end":                       {deputy(Judge, Grant{Role: Judge, Court: "A"}), PartiesOnly, nil, false},
		"after the end":                        {deputy(Judge, Grant{Role: Judge, Court: "A", Until: noon}), PartiesOnly, nil, false},
		"a clerk for a judge":                  {deputy(Clerk, cover), PartiesOnly, nil, false},
		"a clerk for a registrar":              {deputy(Clerk, Grant{Role: Registrar, Court: "A", Until: tomorrow}), PartiesOnly, nil, true},
		"a party for a party":                  {deputy(Party, Grant{Role: Party, Until: tomorrow}), PartiesOnly, of(absent, PartyTo), false},
		"a lawyer for a lawyer":                {deputy(Lawyer, Grant{Role: Lawyer, Until: tomorrow}), PartiesOnly, of(absent, Counsel), true},
		"a lawyer for one who has no case":     {deputy(Lawyer, Grant{Role: Lawyer, Until: tomorrow}), PartiesOnly, of(other, Counsel), false},
		"for themselves":                       {&Actor{Person: me, MFA: true, Grants: []Grant{{Role: Judge, Court: "A", For: me, Until: tomorrow}, {Role: Judge, Court: "B"}}}, PartiesOnly, nil, false},
		"only by standing in for a third":      {&Actor{Person: me, MFA: true, Grants: []Grant{{Role: Judge, Court: "A", For: absent, Until: tomorrow}, {Role: Judge, Court: "B", For: other, Until: tomorrow}}}, PartiesOnly, nil, false},
		"with an office of their own that end": {&Actor{Person: me, MFA: true, Grants: []Grant{{Role: Judge, Court: "B", Until: noon}, {Role: Judge, Court: "A", For: absent, Until: tomorrow}}}, PartiesOnly, nil, false},
	} {
		if got := opens(c.actor, c.level, c.relations); got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
	d := Decide(deputy(Judge, cover), CaseRead, Notes, &Record{Case: theCase, Court: "A", Sealing: Public, Relations: looked(of(absent, Assigned))}, noon)
	if !d.Allowed || d.As != (As{Judge, "A", absent}) || !d.As.Delegated() {
		t.Errorf("the decision does not say for whom: %+v", d)
	}
	both := deputy(Judge, cover)
	both.Grants = append(both.Grants, Grant{Role: Judge, Court: "A"})
	if d := Decide(both, CaseRead, Bare, &Record{Case: theCase, Court: "A", Sealing: PartiesOnly, Relations: looked(nil)}, noon); !d.Allowed || d.As.Delegated() {
		t.Error("somebody acts for another though their own role suffices")
	}
	if people := both.People(noon); !slices.Equal(people, []string{me, absent}) {
		t.Errorf("people: %v", people)
	}
	if people := both.People(tomorrow); !slices.Equal(people, []string{me}) {
		t.Errorf("people tomorrow: %v", people)
	}
}

// For somebody who watches, or hands out roles, roles with a view into cases
// do not count.
func TestRolesApart(t *testing.T) {
	for _, first := range []Role{Auditor, CourtAdministrator, TenantAdministrator} {
		for _, second := range []Role{Registrar, Clerk, Judge, Prosecutor} {
			a := &Actor{Person: me, MFA: true, Grants: []Grant{{Role: second}, {Role: first, Court: "Z"}}}
			relations := of(me, Assigned, Prosecution, Named)
			if opens(a, PartiesOnly, relations) {
				t.Errorf("%s, who is %s, opens a case", second, first)
			}
			a.Grants[1].Until = noon
			if !opens(a, PartiesOnly, relations) {
				t.Errorf("%s, who was %s, does not open a case", second, first)
			}
		}
	}
	both := &Actor{Person: me, MFA: true, Grants: []Grant{{Role: CourtAdministrator, Court: "A"}, {Role: Auditor, Court: "A"}}}
	account := &Record{Court: "A", Sealing: Public, Subject: other}
	if Decide(both, PersonAdminister, Bare, account, noon).Allowed {
		t.Error("an auditor administers people")
	}
	both.Grants = both.Grants[:1]
	if !Decide(both, PersonAdminister, Bare, account, noon).Allowed {
		t.Error("an administrator does not")
	}
	account.Subject = me
	if Decide(both, PersonAdminister, Bare, account, noon).Allowed {
		t.Error("an administrator gives themselves roles")
	}
}

func TestTheStrongestGrantThatSufficesIsUsed(t *testing.T) {
	a := &Actor{Person: me, MFA: true, Grants: []Grant{{Role: Lawyer}, {Role: Clerk, Court: "B"}, {Role: Clerk, Court: "A"}}}
	r := &Record{Case: theCase, Court: "A", Sealing: Restricted, Relations: looked(nil)}
	d := Decide(a, DocumentRead, Documents, r, noon)
	if d.Allowed || !d.Visible || !d.NeedsReason || d.NeedsOrder || d.As.Role != Clerk || d.As.Court != "A" || d.Why != Incomplete {
		t.Errorf("a clerk without a reason: %+v", d)
	}
	r.Relations = looked(of(me, Excluded))
	if d := Decide(a, DocumentRead, Documents, r, noon); d != (Decision{Why: Refused}) {
		t.Errorf("a clerk who is excluded: %+v", d)
	}
	r.Relations = looked(nil)
	a.Reasons = []string{other}
	if Decide(a, DocumentRead, Documents, r, noon).Allowed {
		t.Error("a reason for one case opens another")
	}
	a.Reasons, r.Case = []string{""}, ""
	if Decide(a, DocumentRead, Documents, r, noon).Allowed {
		t.Error("a reason for no case opens one without an id")
	}
}

// Somebody who was not looked up might be excluded.
func TestWithoutRelationsNothingIsAllowed(t *testing.T) {
	cover := Grant{Role: Judge, Court: "A", For: absent, Until: noon.Add(1)}
	for name, c := range map[string]struct {
		grants    []Grant
		relations map[string]RelationSet
		want      bool
	}{
		"nobody was looked up":            {[]Grant{{Role: Judge, Court: "A"}}, nil, false},
		"somebody else was":               {[]Grant{{Role: Judge, Court: "A"}}, of(other), false},
		"the actor was":                   {[]Grant{{Role: Judge, Court: "A"}}, of(me), true},
		"the absent person was not":       {[]Grant{{Role: Judge, Court: "B"}, cover}, of(me), false},
		"only the absent person was":      {[]Grant{{Role: Judge, Court: "B"}, cover}, of(absent), false},
		"the actor and the absent person": {[]Grant{{Role: Judge, Court: "B"}, cover}, map[string]RelationSet{me: 0, absent: 0}, true},
	} {
		a := &Actor{Person: me, MFA: true, Grants: c.grants}
		if d := Decide(a, CaseRead, Documents, &Record{Case: theCase, Court: "A", Sealing: PartiesOnly, Relations: c.relations}, noon); d.Allowed != c.want {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func TestDecidingAllocatesNothing(t *testing.T) {
	a, r := busy()
	if n := testing.AllocsPerRun(100, func() { Decide(a, CaseRead, Documents, r, noon) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

// busy is somebody with several roles, and a case that only the last opens.
func busy() (*Actor, *Record) {
	a := &Actor{Person: me, MFA: true, Reasons: []string{theCase}}
	for _, court := range []string{"B", "C", "D", "E", "A"} {
		a.Grants = append(a.Grants, Grant{Role: Judge, Court: court})
	}
	a.Grants = append(a.Grants, Grant{Role: Judge, Court: "A", For: absent, Until: noon.Add(1)})
	return a, &Record{Case: theCase, Court: "A", Sealing: Sealed, Relations: map[string]RelationSet{me: SetOf(Registry), absent: SetOf(Named)}}
}

func BenchmarkDecide(b *testing.B) {
	a, r := busy()
	if !Decide(a, CaseRead, Documents, r, noon).Allowed {
		b.Fatal("not allowed")
	}
	b.ReportAllocs()
	for b.Loop() {
		Decide(a, CaseRead, Documents, r, noon)
	}
}
