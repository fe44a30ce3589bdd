package identity

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Roles. Those of the courts' and the ministry's own people are staff roles:
// they need a second factor to sign in and a second administrator to be given or
// taken.
const (
	roleTenantAdministrator = "tenant-administrator"
	roleCourtAdministrator  = "court-administrator"
	roleLawyer              = "lawyer"
	roleParty               = "party"
)

// roles in the order in which pages list them.
var roles = []string{
	"registrar", "clerk", "judge", "prosecutor", roleLawyer, roleParty, "auditor", roleCourtAdministrator, roleTenantAdministrator,
}

func isStaffRole(role string) bool { return role != roleLawyer && role != roleParty }

// Grant is a role that a person holds.
type Grant struct {
	ID   uuid.UUID `json:"-"`
	Role string    `json:"role"`
	// Court is the code of the one court it is for; empty for the whole tenant.
	Court string `json:"court,omitempty"`
	// Until is when it ends by itself, in UTC.
	Until time.Time `json:"until,omitzero"`
	// For is the absent person in whose place it is held.
	For uuid.UUID `json:"for,omitzero"`
}

// Grants are the roles that a person holds now.
type Grants []Grant

// staff says whether one of them is a staff role.
func (g Grants) staff() bool {
	return slices.ContainsFunc(g, func(one Grant) bool { return isStaffRole(one.Role) })
}

func (g Grants) has(role, court string) bool {
	return slices.ContainsFunc(g, func(one Grant) bool { return one.Role == role && one.Court == court })
}

// administers says whether their holder is an administrator of any kind.
func (g Grants) administers() bool {
	return slices.ContainsFunc(g, func(one Grant) bool {
		return one.Role == roleTenantAdministrator || one.Role == roleCourtAdministrator
	})
}

// mayGive says whether their holder may give or take a role: a tenant
// administrator every one, a court administrator those of the own court that do
// not administer others.
func (g Grants) mayGive(role, court string) bool {
	if g.has(roleTenantAdministrator, "") {
		return true
	}
	return court != "" && role != roleTenantAdministrator && role != roleCourtAdministrator && g.has(roleCourtAdministrator, court)
}

// withStrength leaves out the staff roles when the sign-in was by a password
// alone: whatever else failed, those need two factors.
func (g Grants) withStrength(amr []string) Grants {
	kept := Grants{}
	for _, one := range g {
		if !isStaffRole(one.Role) || slices.Contains(amr, amrMultiple) {
			kept = append(kept, one)
		}
	}
	return kept
}

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// readGrants reads the roles that a person holds at a moment.
func readGrants(ctx context.Context, db querier, person uuid.UUID, now time.Time) (Grants, error) {
	rows, _ := db.Query(ctx, `SELECT id, role, court, coalesce(until, '0001-01-01 00:00:00Z'), coalesce(acting_for, '00000000-0000-0000-0000-000000000000')
		FROM role_grant WHERE person_id = $1 AND ended_at IS NULL AND (until IS NULL OR until > $2) ORDER BY role, court, granted_at, id`, person, now)
	grants, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Grant, error) {
		var g Grant
		err := row.Scan(&g.ID, &g.Role, &g.Court, &g.Until, &g.For)
		g.Until = g.Until.UTC()
		return g, err
	})
	if err != nil {
		return nil, fmt.Errorf("read grants: %w", err)
	}
	return grants, nil
}

// addGrant stores a checked role.
func addGrant(ctx context.Context, tx pgx.Tx, person uuid.UUID, g Grant, now time.Time) error {
	var until *time.Time
	if !g.Until.IsZero() {
		until = &g.Until
	}
	var actingFor *uuid.UUID
	if g.For != uuid.Nil {
		actingFor = &g.For
	}
	_, err := tx.Exec(ctx, `INSERT INTO role_grant (id, person_id, role, court, until, acting_for, granted_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		g.ID, person, g.Role, g.Court, until, actingFor, now)
	if err != nil {
		return fmt.Errorf("store grant: %w", err)
	}
	return nil
}
