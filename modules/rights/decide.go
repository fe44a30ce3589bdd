package rights

import (
	"slices"
	"time"
)

// Decide answers whether the actor may do the action to the part of the record
// at the time now. It asks nobody, and the same question has the same answer.
func Decide(actor *Actor, action Action, group FieldGroup, record *Record, now time.Time) Decision {
	return standard.decide(actor, action, group, record, now)
}

func (t *table) decide(a *Actor, action Action, group FieldGroup, r *Record, now time.Time) Decision {
	s := t.stand(a, now)
	if !known(action, group) || !r.Sealing.valid() || (a.Person == "") == (a.Service == "") {
		return Decision{Why: NotKnown, NeedsStrongSignIn: s.weak}
	}
	d := t.search(a, s, action, group, r, now)
	d.Visible = d.Allowed || d.Why == Incomplete || t.search(a, s, CaseList, Bare, r, now).Allowed
	d.NeedsStrongSignIn = s.weak && !d.Allowed
	return d
}

// search goes through the actor's roles: their own before those of others, in
// the order of the grants, and last what everybody may.
func (t *table) search(a *Actor, s standing, action Action, group FieldGroup, r *Record, now time.Time) Decision {
	q := question{table: t, actor: a, record: r, action: action, group: group}
	if a.Service != "" {
		q.ask(Service, reachTenant, As{Role: Service}, 0, 0)
		return q.best
	}
	mine, looked := r.relations(a.Person)
	if !looked {
		return Decision{Why: NotKnown}
	}
	if r.Subject == a.Person {
		mine |= SetOf(Self)
	}
	for _, delegated := range [...]bool{false, true} {
		for i := range a.Grants {
			g := &a.Grants[i]
			if (g.For != "") != delegated || !t.counts(g, a, s, now) {
				continue
			}
			holders := mine
			if delegated {
				if holders, looked = r.relations(g.For); !looked {
					continue
				}
			}
			for reach := reachOwn; reach < reachEnd; reach++ {
				if reach.fits(g.Court, r) {
					q.ask(g.Role, reach, As{g.Role, g.Court, g.For}, holders, mine)
				}
			}
		}
	}
	q.ask(Anyone, reachTenant, As{Role: Anyone}, mine, mine)
	return q.best
}

// relations are a person's; false when nobody looked them up.
func (r *Record) relations(person string) (RelationSet, bool) {
	set, ok := r.Relations[person]
	return set, ok || r.Case == ""
}

// fits says whether a grant for court reaches the record this way.
func (r reach) fits(court string, record *Record) bool {
	switch r {
	case reachTenant:
		return court == ""
	case reachOwn:
		return court != "" && court == record.Court
	case reachAppeal:
		return court != "" && court == record.AppealCourt
	default:
		return court != "" && court == record.FromCourt
	}
}

// question is one search, and the best answer so far.
type question struct {
	table  *table
	actor  *Actor
	record *Record
	action Action
	group  FieldGroup
	best   Decision
}

// ask looks one cell up. What allows is what the role's holder is to the case;
// what refuses is that, and also what the one who acts is to it.
func (q *question) ask(role Role, reach reach, as As, holder, acts RelationSet) {
	if q.best.Allowed {
		return
	}
	holder, acts = holder.orNone(), acts.orNone()
	c := &q.table.cells[index(role, reach, q.record.Sealing, q.action, q.group)]
	refused := c.never&(holder|acts) != 0
	missing, found := q.missing(c, holder)
	switch {
	case !found:
	case refused:
		if q.best.Why == NoRule {
			q.best.Why = Refused
		}
	case missing == 0:
		q.best = Decision{Allowed: true, As: as, Why: AllowedByRule}
	case missing&needUnprotected == 0 && q.best.Why != Incomplete:
		q.best = Decision{NeedsReason: missing&needReason != 0, NeedsOrder: missing&needOrder != 0, As: as, Why: Incomplete}
	}
}

// missing finds the line that asks least beyond what is there; found says
// whether there is any.
func (q *question) missing(c *cell, holder RelationSet) (least need, found bool) {
	for n := range needSets {
		if c.may[n]&holder == 0 {
			continue
		}
		lacks := n
		if slices.Contains(q.actor.Reasons, q.record.Case) && q.record.Case != "" {
			lacks &^= needReason
		}
		if slices.Contains(q.actor.Orders, q.record.Case) && q.record.Case != "" {
			lacks &^= needOrder
		}
		if !q.record.Protected {
			lacks &^= needUnprotected
		}
		if !found || lacks < least {
			least, found = lacks, true
		}
	}
	return least, found
}

// orNone is the set, or what stands for an empty one.
func (s RelationSet) orNone() RelationSet {
	if s &= allRelations; s == 0 {
		return SetOf(None)
	}
	return s
}
