package identity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ejustice.dev/operator/modules/kit"
)

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
	batch.Queue(`DELETE FROM passkey WHERE person_id = $1`, person)
	batch.Queue(`DELETE FROM throttle WHERE key = $1 OR key = $2`, accountLimit.key(login), factorLimit.key(person.String()))
	return tx.SendBatch(ctx, batch).Close()
}
