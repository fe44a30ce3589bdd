package rights

import (
	"slices"
	"time"
)

// Grant is one role that a person holds.
type Grant struct {
	Role Role
	// Court is a court's code, or "" for the whole tenant.
	Court string
	// Until is when the grant ends; at that instant it has ended. Zero means
	// that it does not end by itself, which a delegation may not.
	Until time.Time
	// For is whom the person stands in for, or "" when the role is their own.
	For string
}

// Actor is who asks: a person after sign-in, or a program. An actor that is
// neither, or both, may do nothing.
type Actor struct {
	// Person is the person's id, a UUID in lower case.
	Person string
	// Session is the id of the sign-in, for the trace.
	Session string
	Grants  []Grant
	// MFA says whether the person showed a second factor at this sign-in.
	MFA bool
	// Service is the name of a program, by its workload identity. A program that
	// acts for a person is that person.
	Service string
	// Reasons are the ids of the cases for whose opening the person has given a
	// reason that is recorded.
	Reasons []string
	// Orders are the ids of the cases for which this request cites a judge's
	// order that the caller has found in the file.
	Orders []string
}

// standing is which roles of an actor count at a moment.
type standing struct {
	own  roleSet // held by themselves
	void roleSet // do not count beside another role
	weak bool    // some are left out for want of a second factor
}

// stand finds out which roles count. It looks at no record, so that asking for
// a stronger sign-in tells nothing of any.
func (t *table) stand(a *Actor, now time.Time) standing {
	var s standing
	if a.Person == "" || a.Service != "" {
		return s
	}
	var all roleSet
	for i := range a.Grants {
		g := &a.Grants[i]
		if !g.valid(a.Person, now) {
			continue
		}
		if t.roles[g.Role].kind == "staff" && !a.MFA {
			s.weak = true
			continue
		}
		all |= 1 << g.Role
		if g.For == "" {
			s.own |= 1 << g.Role
		}
	}
	for role := Registrar; role < Service; role++ {
		if all.has(role) {
			s.void |= t.roles[role].voids
		}
	}
	return s
}

// valid says whether the grant is of a known form and has not ended.
func (g *Grant) valid(person string, now time.Time) bool {
	if !g.Role.granted() || (!g.Until.IsZero() && !now.Before(g.Until)) {
		return false
	}
	return g.For == "" || (g.For != person && !g.Until.IsZero())
}

// counts says whether a grant gives anything, given what else the actor holds.
func (t *table) counts(g *Grant, a *Actor, s standing, now time.Time) bool {
	switch {
	case !g.valid(a.Person, now), s.void.has(g.Role):
		return false
	case t.roles[g.Role].kind == "staff" && !a.MFA:
		return false
	case g.For != "":
		// Standing in takes somebody who could hold such an office.
		return t.roles[g.Role].cover&s.own&^s.void != 0
	}
	return true
}

// People are whose relations to a record matter: the actor's, and those of
// everybody whom the actor stands in for at the time now.
func (a *Actor) People(now time.Time) []string {
	if a.Person == "" {
		return nil
	}
	people := []string{a.Person}
	s := standard.stand(a, now)
	for i := range a.Grants {
		g := &a.Grants[i]
		if g.For != "" && standard.counts(g, a, s, now) && !slices.Contains(people, g.For) {
			people = append(people, g.For)
		}
	}
	return people
}
