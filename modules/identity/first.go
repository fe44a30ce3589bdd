package identity

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Safe keeps a secret of the module where only the ministry's operators read it.
// Vault does.
type Safe interface {
	// KeepOnce stores a secret under a name unless there is one, and returns the
	// one that is there.
	KeepOnce(ctx context.Context, name string, secret map[string]string) (map[string]string, error)
}

// firstSecret is the name of the first administrator's credential.
const firstSecret = "first-administrator"

// firstLock has one replica make the first administrator.
const firstLock = 0x66697273

// MakeFirst makes the first administrator of an empty database. The one-time
// credential is kept before the account: a module that dies in between finds it
// again. It is written to no log and shown on no page.
func (a *App) MakeFirst(ctx context.Context, safe Safe, log *slog.Logger) error {
	return pgx.BeginFunc(ctx, a.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(firstLock)); err != nil {
			return fmt.Errorf("make first administrator: %w", err)
		}
		var there bool
		if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM person)`).Scan(&there); err != nil {
			return fmt.Errorf("look for people: %w", err)
		}
		if there {
			return nil
		}
		first := a.settings.FirstAdministrator
		kept, err := safe.KeepOnce(ctx, firstSecret, map[string]string{"login": first.Login, "credential": newOneTime()})
		if err != nil {
			return fmt.Errorf("keep the first administrator's credential: %w", err)
		}
		if kept["login"] != first.Login || len(oneTimeForm(kept["credential"])) < recoveryLength {
			return errors.New("what is kept as the first administrator's credential is not one of this login; remove it")
		}
		p := Person{ID: uuid.New(), Login: first.Login, Name: first.Name}
		if err := a.addPerson(ctx, tx, p, kept["credential"]); err != nil {
			return err
		}
		log.Info("the first administrator has been made; the one-time credential is in Vault", "secret", firstSecret)
		return addGrant(ctx, tx, p.ID, Grant{ID: uuid.New(), Role: roleTenantAdministrator}, a.now())
	})
}
