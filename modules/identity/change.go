package identity

import (
	"context"
	"errors"
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

// decide ends the waiting of a change. Refusing is for every administrator whom
// it concerns, and for who proposed it; approving for another one. Of a recovery
// it returns the second half of the one-time credential.
func (a *App) decide(ctx context.Context, actor Person, id uuid.UUID, approve bool) (half string, err error) {
	err = pgx.BeginFunc(ctx, a.pool, func(tx pgx.Tx) error {
		c, first, err := lockChange(ctx, tx, id)
		if err != nil {
			return err
		}
		person, err := a.lockPerson(ctx, tx, c.Person)
		if err != nil {
			return err
		}
		if !a.mayDecide(actor, person, c) {
			return notAllowed()
		}
		if approve {
			if err := a.stillGood(ctx, tx, actor, person, c); err != nil {
				return err
			}
		}
		outcome := map[bool]string{true: "approved", false: "refused"}[approve]
		if _, err := tx.Exec(ctx, `UPDATE change SET outcome = $2, decided_by = $3, decided_at = $4, first_half = NULL, first_half_key = NULL WHERE id = $1`,
			c.ID, outcome, actor.ID, a.now()); err != nil {
			return fmt.Errorf("decide change: %w", err)
		}
		if !approve {
			return nil
		}
		credential := ""
		if c.Kind == kindRecover {
			plain, err := a.open(ctx, forRecovery, c.ID, first)
			if err != nil {
				return err
			}
			half = randomCode(recoveryLength)
			credential = string(plain) + half
		}
		return a.apply(ctx, tx, c, credential)
	})
	return grouped(half), err
}

// stillGood says whether a change may be approved by actor now: in time, by
// another than who proposed it, and with that one's roles as they were.
func (a *App) stillGood(ctx context.Context, tx pgx.Tx, actor, person Person, c Change) error {
	proposer, err := findPerson(ctx, tx, "id", c.ProposedBy, a.now())
	if err != nil {
		return err
	}
	if actor.ID == c.ProposedBy || !a.mayDecide(proposer, person, c) || a.now().Sub(c.ProposedAt) > changeLife {
		return notAllowed()
	}
	return nil
}

func lockChange(ctx context.Context, tx pgx.Tx, id uuid.UUID) (Change, sealed, error) {
	var c Change
	var first sealed
	err := tx.QueryRow(ctx, `SELECT id, kind, person_id, role, court, coalesce(until, '0001-01-01 00:00:00Z'),
		coalesce(acting_for, '00000000-0000-0000-0000-000000000000'), coalesce(grant_id, '00000000-0000-0000-0000-000000000000'),
		reason, proposed_by, proposed_at, first_half, coalesce(first_half_key, '00000000-0000-0000-0000-000000000000')
		FROM change WHERE id = $1 AND outcome = 'waiting' FOR UPDATE`, id).
		Scan(&c.ID, &c.Kind, &c.Person, &c.Grant.Role, &c.Grant.Court, &c.Grant.Until, &c.Grant.For, &c.Grant.ID,
			&c.Reason, &c.ProposedBy, &c.ProposedAt, &first.content, &first.key)
	c.Grant.Until, c.ProposedAt = c.Grant.Until.UTC(), c.ProposedAt.UTC()
	if errors.Is(err, pgx.ErrNoRows) {
		return c, first, kit.NotFound()
	}
	if err != nil {
		return c, first, fmt.Errorf("read change: %w", err)
	}
	return c, first, nil
}

// apply carries a change out. The person's sessions end in every case: the next
// sign-in goes by the new roles, with a second factor if they need one.
func (a *App) apply(ctx context.Context, tx pgx.Tx, c Change, credential string) error {
	now := a.now()
	var err error
	switch c.Kind {
	case kindGrant:
		c.Grant.ID = uuid.New()
		err = addGrant(ctx, tx, c.Person, c.Grant, now)
	case kindEndGrant:
		err = endGrant(ctx, tx, c, now)
	case kindDisable:
		_, err = tx.Exec(ctx, `UPDATE person SET status = 'disabled' WHERE id = $1`, c.Person)
	case kindEnable:
		_, err = tx.Exec(ctx, `UPDATE person SET status = 'active' WHERE id = $1`, c.Person)
	case kindRecover:
		err = a.recover(ctx, tx, c.Person, credential)
	}
	if err != nil {
		return fmt.Errorf("carry out change: %w", err)
	}
	_, err = endSessions(ctx, tx, now, `person_id = $2`, c.Person)
	return err
}

// endGrant ends a role, and with it where others hold it in the person's place.
func endGrant(ctx context.Context, tx pgx.Tx, c Change, now time.Time) error {
	rows, _ := tx.Query(ctx, `UPDATE role_grant SET ended_at = $1 WHERE ended_at IS NULL
		AND (id = $2 OR acting_for = $3 AND role = $4 AND court = $5) RETURNING person_id`, now, c.Grant.ID, c.Person, c.Grant.Role, c.Grant.Court)
	people, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return err
	}
	_, err = endSessions(ctx, tx, now, `person_id = ANY($2)`, people)
	return err
}

// recover gives an account back to its person: a one-time credential instead of
// the password, and no second factor until a new one is set up.
func (a *App) recover(ctx context.Context, tx pgx.Tx, person uuid.UUID, credential string) error {
	hash, err := a.hasher.hash(ctx, oneTimeForm(credential))
	if err != nil {
		return err
	}
	var login string
	if err := tx.QueryRow(ctx, `UPDATE person SET password_hash = $2, one_time_until = $3, totp_secret = NULL, totp_key_id = NULL WHERE id = $1 RETURNING login`,
		person, hash, a.now().Add(oneTimeLife)).Scan(&login); err != nil {
		return err
	}
	batch := &pgx.Batch{}
	batch.Queue(`DELETE FROM recovery_code WHERE person_id = $1`, person)
	batch.Queue(`DELETE FROM throttle WHERE key = $1 OR key = $2`, accountLimit.key(login), factorLimit.key(person.String()))
	return tx.SendBatch(ctx, batch).Close()
}
