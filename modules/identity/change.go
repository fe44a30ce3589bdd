package identity

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ejustice.dev/operator/modules/kit"
)

// Kinds of changes.
const (
	kindGrant    = "grant"
	kindEndGrant = "end-grant"
	kindRecover  = "recover"
	kindDisable  = "disable"
	kindEnable   = "enable"
)

// changeLife is how long a change may wait for a second administrator.
const changeLife = 7 * 24 * time.Hour

// Change is what one administrator wants and another may have to approve.
type Change struct {
	ID     uuid.UUID
	Kind   string
	Person uuid.UUID
	// Grant is the role that is given, or of which the ID is taken.
	Grant      Grant
	Reason     string
	ProposedBy uuid.UUID
	ProposedAt time.Time
}

// mayAdminister says whether somebody may see the pages of administrators.
func (v *visitor) mayAdminister() bool { return v.session.strong() && v.person.Grants.administers() }

// notAllowed is the answer to what an administrator may not do.
func notAllowed() error {
	return kit.NewProblem(http.StatusForbidden, "forbidden", "Not allowed", "This needs another role, or another person.")
}

// mayDecide says whether an administrator may propose or approve a change: never
// about oneself, and only where one's own roles reach.
func (a *App) mayDecide(actor, person Person, c Change) bool {
	if actor.ID == person.ID || actor.Disabled {
		return false
	}
	if c.Kind == kindGrant || c.Kind == kindEndGrant {
		return actor.Grants.mayGive(c.Grant.Role, c.Grant.Court)
	}
	return actor.Grants.lookAfter(person)
}

// lookAfter says whether their holder may look after an account as a whole: a
// court administrator only when nothing of it belongs to another court or
// administers others.
func (g Grants) lookAfter(person Person) bool {
	if g.has(roleTenantAdministrator, "") {
		return true
	}
	if !g.has(roleCourtAdministrator, person.HomeCourt) {
		return false
	}
	for _, held := range person.Grants {
		if !g.mayGive(held.Role, held.Court) {
			return false
		}
	}
	return true
}

// needsSecond says whether a change takes two administrators. Shutting an account
// does not: it must be possible at once.
func needsSecond(person Person, c Change) bool {
	switch c.Kind {
	case kindRecover:
		return true
	case kindGrant, kindEndGrant:
		return isStaffRole(c.Grant.Role)
	case kindEnable:
		return person.Grants.staff()
	}
	return false
}

// propose records a change and carries it out when no second administrator is
// needed. Of a recovery it returns the first half of the one-time credential,
// which is shown to who proposed it, once.
func (a *App) propose(ctx context.Context, actor Person, c Change) (done bool, half string, err error) {
	c.ID, c.ProposedBy, c.ProposedAt = uuid.New(), actor.ID, a.now()
	err = pgx.BeginFunc(ctx, a.pool, func(tx pgx.Tx) error {
		person, err := a.lockPerson(ctx, tx, c.Person)
		if err != nil {
			return err
		}
		if c.Kind == kindEndGrant {
			held, found := person.Grants.byID(c.Grant.ID)
			if !found {
				return kit.NotFound()
			}
			c.Grant = held
		}
		if !a.mayDecide(actor, person, c) {
			return notAllowed()
		}
		done = !needsSecond(person, c)
		if !done {
			if done, err = onlyAdministrator(ctx, tx, actor, c); err != nil {
				return err
			}
		}
		var first sealed
		if c.Kind == kindRecover {
			half = randomCode(recoveryLength)
			if first, err = a.seal(forRecovery, c.ID, []byte(half)); err != nil {
				return err
			}
		}
		if err := insertChange(ctx, tx, c, done, first); err != nil || !done {
			return err
		}
		return a.apply(ctx, tx, c, "")
	})
	return done, grouped(half), err
}

// byID finds a role among those that are held.
func (g Grants) byID(id uuid.UUID) (Grant, bool) {
	for _, one := range g {
		if one.ID == id {
			return one, true
		}
	}
	return Grant{}, false
}

// onlyAdministrator says whether this is the first administrator of all giving
// the tenant its second one: there is nobody yet who could approve it.
func onlyAdministrator(ctx context.Context, tx pgx.Tx, actor Person, c Change) (bool, error) {
	if c.Kind != kindGrant || c.Grant.Role != roleTenantAdministrator || !c.Grant.Until.IsZero() || c.Grant.For != uuid.Nil {
		return false, nil
	}
	// One such change at a time, or two at once would both be the first.
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(firstLock)); err != nil {
		return false, fmt.Errorf("count administrators: %w", err)
	}
	var others int
	err := tx.QueryRow(ctx, `SELECT count(*) FROM role_grant WHERE role = $1 AND person_id <> $2`, roleTenantAdministrator, actor.ID).Scan(&others)
	if err != nil {
		return false, fmt.Errorf("count administrators: %w", err)
	}
	return others == 0, nil
}

// lockPerson reads an account for a change, one change at a time.
func (a *App) lockPerson(ctx context.Context, tx pgx.Tx, id uuid.UUID) (Person, error) {
	if _, err := tx.Exec(ctx, `SELECT FROM person WHERE id = $1 FOR UPDATE`, id); err != nil {
		return Person{}, fmt.Errorf("lock person: %w", err)
	}
	return findPerson(ctx, tx, "id", id, a.now())
}

func insertChange(ctx context.Context, tx pgx.Tx, c Change, done bool, first sealed) error {
	var until *time.Time
	if !c.Grant.Until.IsZero() {
		until = &c.Grant.Until
	}
	var grant, decidedBy, firstKey *uuid.UUID
	var decidedAt *time.Time
	outcome := "waiting"
	if c.Kind == kindEndGrant {
		grant = &c.Grant.ID
	}
	if done {
		outcome, decidedBy, decidedAt = "approved", &c.ProposedBy, &c.ProposedAt
	}
	if first.content != nil {
		firstKey = &first.key
	}
	_, err := tx.Exec(ctx, `INSERT INTO change (id, kind, person_id, role, court, until, acting_for, grant_id, reason, proposed_by, proposed_at,
		decided_by, decided_at, outcome, alone, first_half, first_half_key)
		VALUES ($1, $2, $3, $4, $5, $6, nullif($7, '00000000-0000-0000-0000-000000000000'::uuid), $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`,
		c.ID, c.Kind, c.Person, c.Grant.Role, c.Grant.Court, until, c.Grant.For, grant, c.Reason, c.ProposedBy, c.ProposedAt,
		decidedBy, decidedAt, outcome, done, first.content, firstKey)
	if err != nil {
		return fmt.Errorf("store change: %w", err)
	}
	return nil
}
