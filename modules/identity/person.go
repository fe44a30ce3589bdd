package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"ejustice.dev/operator/modules/kit"
)

// Person is an account.
type Person struct {
	ID        uuid.UUID
	Login     string
	Name      string
	Disabled  bool
	HomeCourt string
	CreatedAt time.Time
	// HasFactor says whether a second factor is set up.
	HasFactor bool
	// OneTimeUntil is not zero while the password is a one-time credential.
	OneTimeUntil time.Time
	Grants       Grants

	passwordHash string
}

// oneTime says whether the password is a one-time credential.
func (p *Person) oneTime() bool { return !p.OneTimeUntil.IsZero() }

const personColumns = `id, login, name, status = 'disabled', home_court, created_at, totp_secret IS NOT NULL,
	coalesce(one_time_until, '0001-01-01 00:00:00Z'), password_hash`

func scanPerson(row pgx.CollectableRow) (Person, error) {
	var p Person
	err := row.Scan(&p.ID, &p.Login, &p.Name, &p.Disabled, &p.HomeCourt, &p.CreatedAt, &p.HasFactor, &p.OneTimeUntil, &p.passwordHash)
	p.OneTimeUntil = p.OneTimeUntil.UTC()
	return p, err
}

// findPerson reads an account by a condition on one column, with its roles.
// There may be none: then it is kit.NotFound.
func findPerson(ctx context.Context, db querier, column string, value any, now time.Time) (Person, error) {
	p, err := readPerson(ctx, db, column, value)
	if err != nil {
		return Person{}, err
	}
	p.Grants, err = readGrants(ctx, db, p.ID, now)
	return p, err
}

// readPerson is findPerson without the roles.
func readPerson(ctx context.Context, db querier, column string, value any) (Person, error) {
	rows, _ := db.Query(ctx, `SELECT `+personColumns+` FROM person WHERE `+column+` = $1`, value)
	p, err := pgx.CollectExactlyOneRow(rows, scanPerson)
	if errors.Is(err, pgx.ErrNoRows) {
		return Person{}, kit.NotFound()
	}
	if err != nil {
		return Person{}, fmt.Errorf("read person: %w", err)
	}
	return p, nil
}

// oneTimeLife is how long a one-time credential may wait for its first use.
const oneTimeLife = 7 * 24 * time.Hour

// errLoginTaken says that there is an account of that name.
var errLoginTaken = errors.New("the login name is taken")

// addPerson stores an account whose password is a one-time credential.
func (a *App) addPerson(ctx context.Context, tx pgx.Tx, p Person, credential string) error {
	hash, err := a.hasher.hash(ctx, oneTimeForm(credential))
	if err != nil {
		return err
	}
	now := a.now()
	_, err = tx.Exec(ctx, `INSERT INTO person (id, login, name, status, home_court, created_at, password_hash, one_time_until)
		VALUES ($1, $2, $3, 'active', $4, $5, $6, $7)`, p.ID, p.Login, p.Name, p.HomeCourt, now, hash, now.Add(oneTimeLife))
	var answer *pgconn.PgError
	if errors.As(err, &answer) && answer.ConstraintName == "person_login_key" {
		return errLoginTaken
	}
	if err != nil {
		return fmt.Errorf("store person: %w", err)
	}
	return nil
}

// verifyPassword finds the account that a login name and a password fit. There
// is none when either is wrong, when the account is disabled or when its one-time
// credential has run out; it takes one hash in every case, so that nobody learns
// by waiting which it was.
func (a *App) verifyPassword(ctx context.Context, login, password string) (Person, bool, error) {
	// Without the roles: reading them would take longer when there is somebody.
	p, err := readPerson(ctx, a.pool, "login", login)
	known := err == nil
	var none *kit.Problem
	if err != nil && !errors.As(err, &none) {
		return Person{}, false, err
	}
	stored := p.passwordHash
	if !known {
		stored = a.hasher.stranger
	}
	if p.oneTime() {
		password = oneTimeForm(password)
	}
	right, err := a.hasher.verify(ctx, stored, password)
	if err != nil {
		return Person{}, false, err
	}
	if !right || !known || p.Disabled || p.oneTime() && !a.now().Before(p.OneTimeUntil) {
		return Person{}, false, nil
	}
	p.Grants, err = readGrants(ctx, a.pool, p.ID, a.now())
	return p, err == nil, err
}

// setPassword stores the password that a person has chosen.
func (a *App) setPassword(ctx context.Context, person uuid.UUID, password string) error {
	hash, err := a.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	if _, err := a.pool.Exec(ctx, `UPDATE person SET password_hash = $2, one_time_until = NULL WHERE id = $1`, person, hash); err != nil {
		return fmt.Errorf("store password: %w", err)
	}
	return nil
}

// newOneTime makes a one-time credential that people can read to each other: 24
// characters of 32, in groups of four.
func newOneTime() string { return grouped(randomCode(24)) }

// oneTimeForm is how a one-time credential is hashed and compared.
func oneTimeForm(text string) string { return cleanCode(text) }

func grouped(code string) string {
	var groups []string
	for len(code) > 4 {
		groups, code = append(groups, code[:4]), code[4:]
	}
	return strings.Join(append(groups, code), "-")
}
