package rights

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// For one role, the database shows exactly what Decide allows to be read, in
// every combination of role, court, relation, level, second factor and reason.
func TestPoliciesAndDecideAgreeInEveryCombination(t *testing.T) {
	b := newSides(t, everyRecord())
	var all []string
	for _, r := range b.records {
		all = append(all, r.Case)
	}
	compared, seen := 0, 0
	for role := Registrar; role < Service; role++ {
		for _, court := range []string{"A", "", "C"} {
			for _, mfa := range []bool{false, true} {
				for _, reasons := range [][]string{nil, all} {
					a := &Actor{Person: me, MFA: mfa, Grants: []Grant{{Role: role, Court: court}}, Reasons: reasons}
					seen += b.compare(t, a, fmt.Sprintf("%s of %q, mfa %v, reason %v", role, court, mfa, reasons != nil))
					compared += len(b.records) * len(b.tables)
				}
			}
		}
	}
	for name, a := range map[string]*Actor{
		"a program": {Service: "reporting"}, "a person without a role": {Person: me},
		"nobody": {}, "a person and a program": {Person: me, Service: "reporting", MFA: true, Grants: []Grant{{Role: Registrar}}},
	} {
		seen += b.compare(t, a, name)
	}
	t.Logf("%d records, %d answers compared, %d of them yes", len(b.records), compared, seen)
}

// The same for people with several roles, who stand in for others, in cases
// in which several of them are something.
func TestPoliciesAndDecideAgreeForRandomPeople(t *testing.T) {
	seed := uint64(20261125)
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 4))
	b := newSides(t, randomRecords(random, 400))
	seen, delegated := 0, 0
	for n := range 120 {
		a := randomActor(random, b.records)
		if len(a.People(noon)) > 1 {
			delegated++
		}
		seen += b.compare(t, a, fmt.Sprintf("person %d of seed %d: %+v", n, seed, a.Grants))
	}
	t.Logf("%d rows seen, %d people stood in for others", seen, delegated)
	if seen == 0 || delegated < 20 {
		t.Error("the random people see too little to prove anything")
	}
}

func pick[T any](random *rand.Rand, from ...T) T { return from[random.IntN(len(from))] }

func randomRecords(random *rand.Rand, n int) []Record {
	records := make([]Record, n)
	for i := range records {
		r := &records[i]
		r.Court, r.AppealCourt, r.FromCourt = pick(random, "A", "B", "C"), pick(random, "", "", "A", "B"), pick(random, "", "", "A", "C")
		r.Sealing, r.Protected = pick(random, Public, PartiesOnly, Restricted, Sealed), random.IntN(2) == 0
		r.Relations = map[string]RelationSet{}
		for _, person := range []string{me, absent, other} {
			r.Relations[person] = 0
			for range pick(random, 0, 1, 1, 2, 3) {
				r.Relations[person] |= SetOf(pick(random, Assigned, Registry, PartyTo, Counsel, Prosecution, Named, Named, Excluded))
			}
		}
	}
	return records
}

func randomActor(random *rand.Rand, records []Record) *Actor {
	a := &Actor{Person: me, MFA: random.IntN(4) > 0}
	for range random.IntN(4) {
		g := Grant{Role: pick(random, Registrar, Clerk, Judge, Judge, Prosecutor, Lawyer, Lawyer, Party, Auditor, Role(random.IntN(int(roleEnd)+1))), Court: pick(random, "", "A", "B", "C"),
			Until: pick(random, time.Time{}, noon.Add(time.Hour), noon)}
		a.Grants = append(a.Grants, g)
		if random.IntN(3) > 0 { // and the same for somebody else
			g.For, g.Until, g.Court = pick(random, absent, other, me), noon.Add(time.Minute), pick(random, g.Court, "A")
			a.Grants = append(a.Grants, g)
		}
	}
	random.Shuffle(len(a.Grants), func(i, j int) { a.Grants[i], a.Grants[j] = a.Grants[j], a.Grants[i] })
	for range pick(random, 0, len(records)/2) {
		a.Reasons = append(a.Reasons, pick(random, records...).Case)
	}
	return a
}
