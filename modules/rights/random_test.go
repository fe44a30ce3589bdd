package rights

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// For people with several roles, who stand in for others, the decision says by
// which grant something is allowed, and by that grant alone it is.
func TestRandomPeopleAreAllowedWhatOneOfTheirGrantsAllows(t *testing.T) {
	seed := uint64(20261126)
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 4))
	records := randomRecords(random, 500)
	for i := range records {
		records[i].Case = "case " + string(rune('a'+i))
	}
	allowed, delegated := 0, 0
	for n := range 200_000 {
		a, r, ask := randomActor(random, records), &records[random.IntN(len(records))], pairs[random.IntN(len(pairs))]
		if random.IntN(2) == 0 {
			a.Orders = a.Reasons
		}
		d := Decide(a, ask.Action, ask.Group, r, noon)
		if !d.Allowed {
			continue
		}
		allowed++
		holder := me
		if d.As.Delegated() {
			delegated++
			holder = d.As.For
		}
		acts, has := r.Relations[me], r.Relations[holder]
		staff := standard.roles[d.As.Role].kind == "staff"
		content := ask.Group != Trace && !slices.Contains([]Action{PersonAdminister, DelegationGrant, ImportRun, ExportRun}, ask.Action)
		for promise, broken := range map[string]bool{
			"excluded overrides":            acts.Has(Excluded) || has.Has(Excluded),
			"staff need a second factor":    staff && !a.MFA,
			"sealed is for whom is named":   content && r.Sealing == Sealed && !has.Has(Named),
			"nobody handles their own case": staff && content && (acts|has)&SetOf(PartyTo, Counsel) != 0,
			"it is a grant of theirs": d.As.Role != Anyone && !slices.ContainsFunc(a.Grants, func(g Grant) bool {
				return g.Role == d.As.Role && g.Court == d.As.Court && g.For == d.As.For && (g.Until.IsZero() || noon.Before(g.Until))
			}),
			"standing in takes a role of their own": d.As.Delegated() && !slices.ContainsFunc(a.Grants, func(g Grant) bool {
				return g.For == "" && standard.roles[d.As.Role].cover.has(g.Role) && (g.Until.IsZero() || noon.Before(g.Until))
			}),
			"an auditor sees no case by another staff role": staff && d.As.Role != Auditor && slices.ContainsFunc(a.Grants, func(g Grant) bool {
				return g.Role == Auditor && g.For == "" && (g.Until.IsZero() || noon.Before(g.Until))
			}),
		} {
			if broken {
				t.Fatalf("%d of seed %d: %s: %s of %s by %+v with %+v of %+v", n, seed, promise, ask.Action, ask.Group, d.As, a.Grants, *r)
			}
		}
		alone := &Actor{Person: holder, MFA: a.MFA, Reasons: a.Reasons, Orders: a.Orders, Grants: []Grant{{Role: d.As.Role, Court: d.As.Court}}}
		if !Decide(alone, ask.Action, ask.Group, r, noon).Allowed {
			t.Fatalf("%d of seed %d: %s of %s is not allowed by %+v alone, of %+v", n, seed, ask.Action, ask.Group, d.As, *r)
		}
	}
	t.Logf("%d allowed, %d standing in", allowed, delegated)
	if allowed < 1000 || delegated < 50 {
		t.Error("too little was allowed to prove anything")
	}
}
