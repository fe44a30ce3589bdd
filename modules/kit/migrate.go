package kit

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// Migrate brings the database to the newest schema in migrations, a folder of
// numbered SQL files. Any number of replicas may call it at once: a PostgreSQL
// advisory lock lets one work while the others wait, and PostgreSQL itself
// frees the lock when its holder dies.
//
// A database that is already newer (a module rolled back) is left alone:
// migrations only ever expand, so older code works on a newer schema.
func Migrate(ctx context.Context, pool *pgxpool.Pool, migrations fs.FS) error {
	config := pool.Config()
	connection := config.ConnConfig
	// A migration may rightly take longer than a request.
	delete(connection.RuntimeParams, "statement_timeout")
	db := stdlib.OpenDB(*connection, stdlib.OptionBeforeConnect(config.BeforeConnect))
	defer db.Close()

	// Ask for the lock once a second for ten minutes.
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 600))
	if err != nil {
		return fmt.Errorf("prepare migration lock: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, migrations, goose.WithSessionLocker(locker))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}
