package kit

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// Schema is what a module's database looks like and what the running module,
// which owns none of it, may do there.
type Schema struct {
	migrations fs.FS
	newest     int64
	grants     string
}

// runtimeMark stands in grants.sql for the role of the running module.
const runtimeMark = "{runtime}"

// ReadSchema reads migrations/, a folder of numbered SQL files, and grants.sql.
func ReadSchema(module fs.FS) (Schema, error) {
	grants, err := fs.ReadFile(module, "grants.sql")
	if err != nil {
		return Schema{}, fmt.Errorf("read grants: %w", err)
	}
	schema := Schema{grants: string(grants)}
	if schema.migrations, err = fs.Sub(module, "migrations"); err != nil {
		return Schema{}, fmt.Errorf("find migrations: %w", err)
	}
	entries, err := fs.ReadDir(schema.migrations, ".")
	if err != nil {
		return Schema{}, fmt.Errorf("list migrations: %w", err)
	}
	for _, entry := range entries {
		version, err := goose.NumericComponent(entry.Name())
		if err != nil {
			return Schema{}, fmt.Errorf("migration %s: %w", entry.Name(), err)
		}
		schema.newest = max(schema.newest, version)
	}
	return schema, nil
}

// Check is an error unless the database has this schema or a newer one.
func (s Schema) Check(ctx context.Context, pool *pgxpool.Pool) error {
	var version int64
	err := pool.QueryRow(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&version)
	switch {
	case err != nil:
		return fmt.Errorf("look for the schema: %w", err)
	case version < s.newest:
		return fmt.Errorf("the schema has version %d and %d is needed", version, s.newest)
	}
	return nil
}

// Migrate brings the database to the newest schema and grants the running
// module, which works as the role runtime, what it needs. The pool connects as
// the owner. Any number of replicas may call it at once: a PostgreSQL advisory
// lock lets one work while the others wait, and PostgreSQL itself frees the
// lock when its holder dies.
//
// A database that is already newer (a module rolled back) is left alone:
// migrations only ever expand, so older code works on a newer schema.
func (s Schema) Migrate(ctx context.Context, pool *pgxpool.Pool, runtime string) error {
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
	provider, err := goose.NewProvider(goose.DialectPostgres, db, s.migrations, goose.WithSessionLocker(locker))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return s.grant(ctx, pool, runtime)
}

// grantLock keeps replicas from granting the same at the same moment, which
// PostgreSQL refuses. The number is arbitrary.
const grantLock = 7411968203715

func (s Schema) grant(ctx context.Context, pool *pgxpool.Pool, runtime string) error {
	grants := strings.ReplaceAll(s.grants+"\n;GRANT SELECT ON goose_db_version TO "+runtimeMark, runtimeMark, pgx.Identifier{runtime}.Sanitize())
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, grantLock); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, grants)
		return err
	})
	if err != nil {
		return fmt.Errorf("grant the running module what it needs: %w", err)
	}
	return nil
}

// RunMigration is the whole of a process that brings a module's schema up to
// date before the module starts. It tries again until migrate succeeds or ctx
// ends, so that it may start before the database or Vault. The pool connects as
// the owner; runtime is the role that the module works in.
func RunMigration(ctx context.Context, get func(string) string, log *slog.Logger, migrate func(ctx context.Context, pool *pgxpool.Pool, runtime string) error) error {
	store, runtime, err := ReadMigrationEnv(get)
	if err != nil {
		return err
	}
	vault := OpenVault(store.Vault, log)
	defer vault.Close()
	pool, err := OpenDatabase(ctx, store.Database, vault)
	if err != nil {
		return err
	}
	defer pool.Close()
	return untilDone(ctx, log, "migration", func(ctx context.Context) error { return migrate(ctx, pool, runtime) })
}

// untilDone repeats what fails, with growing pauses, until it succeeds or ctx
// ends.
func untilDone(ctx context.Context, log *slog.Logger, what string, do func(context.Context) error) error {
	for pause := time.Second; ; pause = min(2*pause, 15*time.Second) {
		err := do(ctx)
		if err == nil {
			log.Info(what + " done")
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		log.Error(what+" failed; trying again", "error", err, "pause", pause.String())
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}
