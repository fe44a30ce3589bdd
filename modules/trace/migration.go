package trace

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrations embed.FS

// VersionTable is where goose notes which of the Migrations have run: they are
// run by somebody else than the module's own.
const VersionTable = "trace_db_version"

// Roles of the database that the trace needs. Whoever provides the database
// makes both before:
//
//	CREATE ROLE <owner> NOLOGIN;   -- owns the trace; nobody is a member
//	CREATE ROLE <module> …;        -- what the module works as, as it is today
//
// and does not make the module's role a member of the owner, nor a superuser, nor
// the owner of the schema trace. The module's role may own the database: that
// gives no right to what belongs to others in it.
//
// The Migrations create tables that belong to the owner, so the module cannot run
// them. Whoever provides the database runs Install as a superuser, or as a role
// that is a member of the owner for that time only and may create schemas; for
// example a job with a user that Vault makes IN ROLE <owner> for five minutes,
// after CREATE SCHEMA trace AUTHORIZATION <owner>. The module asks with Ready
// whether that was done and does not start before.
type Roles struct{ Owner, Module string }

// Migrations are the trace's schema as goose reads it: numbered SQL files.
func Migrations(roles Roles) (fs.FS, error) {
	if roles.Owner == "" || roles.Module == "" || roles.Owner == roles.Module {
		return nil, errors.New("the trace needs two roles: its owner's and the module's")
	}
	names := strings.NewReplacer(
		"{{owner}}", pgx.Identifier{roles.Owner}.Sanitize(),
		"{{module}}", pgx.Identifier{roles.Module}.Sanitize(),
	)
	files, err := migrations.ReadDir("migrations")
	if err != nil {
		return nil, fmt.Errorf("read the trace's migrations: %w", err)
	}
	named := fstest.MapFS{}
	for _, file := range files {
		text, err := migrations.ReadFile("migrations/" + file.Name())
		if err != nil {
			return nil, fmt.Errorf("read the trace's migrations: %w", err)
		}
		named[file.Name()] = &fstest.MapFile{Data: []byte(names.Replace(string(text)))}
	}
	return named, nil
}

// Install brings the trace in the database to this version's schema. See Roles
// for who may. It may be repeated, and be called by several at once.
func Install(ctx context.Context, pool *pgxpool.Pool, roles Roles) error {
	files, err := Migrations(roles)
	if err != nil {
		return err
	}
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 600))
	if err != nil {
		return fmt.Errorf("prepare migration lock: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithSessionLocker(locker), goose.WithTableName(VersionTable), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read the trace's migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("install the trace: %w", err)
	}
	return nil
}

// Ready says what keeps the trace from being trusted, or nil. A module that
// records in it must not start before: a trace that anybody can change is none.
func Ready(ctx context.Context, db DB) error {
	var installed, may, member bool
	var triggers int
	err := db.QueryRow(ctx, `SELECT count(*) > 0,
			coalesce(bool_or(has_schema_privilege(current_user, n.oid, 'USAGE')), false),
			coalesce(bool_or(pg_has_role(session_user, c.relowner, 'MEMBER') OR pg_has_role(current_user, c.relowner, 'MEMBER')), false),
			(SELECT count(*) FROM pg_trigger t JOIN pg_class k ON k.oid = t.tgrelid JOIN pg_namespace s ON s.oid = k.relnamespace
				WHERE s.nspname = 'trace' AND t.tgname IN ('stays', 'only_forward') AND t.tgenabled = 'A')
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = 'trace' AND c.relname = 'entry'`).Scan(&installed, &may, &member, &triggers)
	switch {
	case err != nil:
		return fmt.Errorf("ask for the trace: %w", err)
	case !installed:
		return errors.New("the trace is not installed in the database; whoever provides the database runs trace.Install")
	case !may:
		return errors.New("the trace was installed for another role than the module's")
	case member:
		return errors.New("the module's role could change the trace: take it out of the role that owns the trace")
	case triggers != guards:
		return errors.New("triggers that guard the trace are switched off or gone: somebody has worked on it as superuser")
	}
	return nil
}

// guards is how many triggers the schema has.
const guards = 5
