package rights

import (
	"fmt"
	"os"
	"testing"
	"time"

	"ejustice.dev/operator/modules/kit/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

// People of the tests. Nobody real has such an id.
const (
	me      = "00000000-0000-4000-8000-000000000001"
	absent  = "00000000-0000-4000-8000-000000000002"
	other   = "00000000-0000-4000-8000-000000000003"
	theCase = "00000000-0000-4000-8000-0000000000c1"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// place is where the one grant of a situation is for, seen from the record.
type place int

const (
	here place = iota
	everywhere
	appealHere
	sentFrom
	elsewhere
	places
)

var placeNames = [...]string{"here", "everywhere", "at the appeal court", "at the sending court", "elsewhere"}

// situation is a person with one role who asks one thing about one record.
type situation struct {
	role                     Role
	place                    place
	relations                RelationSet
	level                    Sealing
	ask                      Ask
	mfa                      bool
	reason, order, protected bool
}

func (s situation) String() string {
	relations := "none"
	if stored := s.relations.stored(); len(stored) > 0 {
		relations = fmt.Sprint(stored)
	}
	return fmt.Sprintf("%s %s, %s, %s, %s of %s, mfa %v, reason %v, order %v, protected %v",
		s.role, placeNames[s.place], relations, s.level, s.ask.Action, s.ask.Group, s.mfa, s.reason, s.order, s.protected)
}

func (s situation) has(relations ...Relation) bool { return s.relations&SetOf(relations...) != 0 }

// at says whether the question is one of asks.
func (s situation) at(asks ...Ask) bool {
	for _, a := range asks {
		if a == s.ask {
			return true
		}
	}
	return false
}

// does says whether the action is one of actions.
func (s situation) does(actions ...Action) bool {
	for _, a := range actions {
		if a == s.ask.Action {
			return true
		}
	}
	return false
}

func (s situation) staff() bool {
	return s.role != Lawyer && s.role != Party && s.role != Service
}

// put makes the actor and the record of a situation.
func (s situation) put() (*Actor, *Record) {
	if s.role == Service {
		return &Actor{Service: "reporting"}, &Record{Case: theCase, Court: "A", Sealing: s.level}
	}
	a := &Actor{Person: me, MFA: s.mfa, Grants: []Grant{{Role: s.role, Court: [...]string{"A", "", "B", "C", "D"}[s.place]}}}
	if s.reason {
		a.Reasons = []string{theCase}
	}
	if s.order {
		a.Orders = []string{theCase}
	}
	r := &Record{Case: theCase, Court: "A", AppealCourt: "B", FromCourt: "C", Sealing: s.level, Protected: s.protected,
		Relations: map[string]RelationSet{me: s.relations &^ SetOf(Self)}}
	if s.has(Self) {
		r.Subject = me
	}
	return a, r
}

// decide asks a table.
func (s situation) decide(t *table) Decision {
	a, r := s.put()
	return t.decide(a, s.ask.Action, s.ask.Group, r, noon)
}

// relationSets are none, each stored relation, each two, and one's own account.
func relationSets() []RelationSet {
	sets := []RelationSet{0, SetOf(Self)}
	for a := Assigned; a < Self; a++ {
		for b := a; b < Self; b++ {
			sets = append(sets, SetOf(a, b))
		}
	}
	return sets
}

// situations calls f with every situation, until f says no.
func situations(f func(situation) bool) {
	flags := []bool{false, true}
	for role := Registrar; role < roleEnd; role++ {
		for place := here; place < places; place++ {
			if role == Service && place != everywhere {
				continue // it has no court
			}
			for level := Public; level < sealingEnd; level++ {
				for _, ask := range pairs {
					for _, relations := range relationSets() {
						for _, mfa := range flags {
							for _, reason := range flags {
								for _, order := range flags {
									for _, protected := range flags {
										if !f(situation{role, place, relations, level, ask, mfa, reason, order, protected}) {
											return
										}
									}
								}
							}
						}
					}
				}
			}
		}
	}
}
