package rights

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// setting is the transaction-local setting that the row policies read.
const setting = "ejustice.actor"

// settingActor is the actor as the policies read it: only what counts now, so
// that a policy need know nothing of time, second factors and roles apart.
type settingActor struct {
	Person  string         `json:"person,omitempty"`
	Grants  []settingGrant `json:"grants"`
	Reasons []string       `json:"reasons,omitempty"`
	Orders  []string       `json:"orders,omitempty"`
}

type settingGrant struct {
	Role  string `json:"role"`
	Court string `json:"court"`
	For   string `json:"for,omitempty"`
}

// Setting is the actor as the row policies read it, at the time now. An id
// that is no UUID is an error.
func Setting(actor *Actor, now time.Time) (string, error) {
	s := settingActor{Person: actor.Person, Reasons: actor.Reasons, Orders: actor.Orders, Grants: []settingGrant{}}
	ids := append([]string{}, actor.Reasons...)
	ids = append(ids, actor.Orders...)
	ids = append(ids, actor.People(now)...)
	for _, id := range ids {
		if _, err := uuid.Parse(id); err != nil {
			return "", fmt.Errorf("actor: an id is no UUID")
		}
	}
	for _, g := range standard.effective(actor, now) {
		s.Grants = append(s.Grants, settingGrant{g.Role.String(), g.Court, g.For})
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
	if _, err := tx.Exec(ctx, "SELECT set_config($1, $2, true)", setting, text); err != nil {
		return fmt.Errorf("tell the database who asks: %w", err)
	}
	return nil
}
