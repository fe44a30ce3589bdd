package rights

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// setting is the transaction-local setting that the row policies read.
const setting = "ejustice.actor"

// settingActor is the actor as the policies read it: only what counts now, so
// that a policy need know nothing of time, second factors and roles apart.
type settingActor struct {
	Person string `json:"person,omitempty"`
	// People are the actor and whoever the actor stands in for.
	People []string `json:"people"`
	// Grants are written as grantText does; For has those of each absent person.
	Grants  []string            `json:"grants"`
	For     map[string][]string `json:"for,omitempty"`
	Roles   []string            `json:"roles"` // of both
	Reasons []string            `json:"reasons,omitempty"`
	Orders  []string            `json:"orders,omitempty"`
}

// grantText is a role and a court, or a role for the whole tenant.
func grantText(role Role, court string) string { return role.String() + "@" + court }

// Setting is the actor as the row policies read it, at the time now. An id
// that is no UUID in lower case is an error.
func Setting(actor *Actor, now time.Time) (string, error) {
	s := settingActor{Person: actor.Person, People: actor.People(now), Reasons: actor.Reasons, Orders: actor.Orders}
	for _, id := range slices.Concat(s.People, s.Reasons, s.Orders) {
		if written := id; !canonical(&id) || id != written {
			return "", errors.New("the actor: an id is no UUID in lower case")
		}
	}
	for _, g := range standard.effective(actor, now) {
		s.Roles = append(s.Roles, g.Role.String())
		if g.For == "" {
			s.Grants = append(s.Grants, grantText(g.Role, g.Court))
			continue
		}
		if s.For == nil {
			s.For = map[string][]string{}
		}
		s.For[g.For] = append(s.For[g.For], grantText(g.Role, g.Court))
	}
	text, err := json.Marshal(s)
	return string(text), err
}

// Enter has the row policies see the actor until the transaction ends. Without
// it every protected table is empty.
func Enter(ctx context.Context, tx pgx.Tx, actor *Actor, now time.Time) error {
	text, err := Setting(actor, now)
	if err != nil {
		return err
	}
	// The planner takes the policies for dearer than they are; compiling them
	// costs more than it saves.
	if _, err := tx.Exec(ctx, "SELECT set_config($1, $2, true), set_config('jit', 'off', true)", setting, text); err != nil {
		return fmt.Errorf("tell the database who asks: %w", err)
	}
	return nil
}
