package kit_test

import (
	"context"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"ejustice.dev/operator/modules/kit"
	"ejustice.dev/operator/modules/kit/pgtest"
	"ejustice.dev/operator/modules/kit/vaulttest"
)

var migrations = fstest.MapFS{
	"grants.sql":               {Data: []byte("GRANT SELECT ON one TO {runtime};\n")},
	"migrations/00001_one.sql": {Data: []byte("-- +goose Up\nCREATE TABLE one (n int);\nSELECT pg_sleep(0.2);\nINSERT INTO one VALUES (1);\n")},
	"migrations/00002_two.sql": {Data: []byte("-- +goose Up\nINSERT INTO one VALUES (2);\n")},
}

// migrate brings the database to the schema in files.
func migrate(t *testing.T, db kit.Database, pool *pgxpool.Pool, files fs.FS) error {
	t.Helper()
	return readSchema(t, files).Migrate(context.Background(), pool, pgtest.RuntimeRole(db))
}

func readSchema(t *testing.T, files fs.FS) kit.Schema {
	t.Helper()
	schema, err := kit.ReadSchema(files)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestMigrateFromManyReplicasAtOnce(t *testing.T) {
	db := pgtest.Database(t)
	var replicas errgroup.Group
	for range 4 {
		pool := openPool(t, db)
		replicas.Go(func() error { return migrate(t, db, pool, migrations) })
	}
	if err := replicas.Wait(); err != nil {
		t.Fatal(err)
	}
	var rows, applied int
	pool := openPool(t, db)
	err := pool.QueryRow(context.Background(),
		`SELECT (SELECT count(*) FROM one), (SELECT count(*) FROM goose_db_version WHERE version_id > 0)`).Scan(&rows, &applied)
	if err != nil || rows != 2 || applied != 2 {
		t.Errorf("rows %d, migrations recorded %d, error %v; want each migration exactly once", rows, applied, err)
	}
}

func TestMigrateIsAllOrNothingAndGoesOn(t *testing.T) {
	db := pgtest.Database(t)
	pool := openPool(t, db)
	broken := fstest.MapFS{
		"grants.sql":               migrations["grants.sql"],
		"migrations/00001_one.sql": migrations["migrations/00001_one.sql"],
		"migrations/00002_two.sql": {Data: []byte("-- +goose Up\nINSERT INTO one VALUES (2);\nSELECT * FROM nothing;\n")},
	}
	if err := migrate(t, db, pool, broken); err == nil {
		t.Fatal("a broken migration must be an error")
	}
	if err := migrate(t, db, pool, migrations); err != nil {
		t.Fatal(err)
	}
	var rows int
	if err := pool.QueryRow(context.Background(), `SELECT count(*) FROM one`).Scan(&rows); err != nil || rows != 2 {
		t.Errorf("rows = %d, error %v; the broken migration left something", rows, err)
	}
}

func TestOlderCodeStartsOnNewerSchema(t *testing.T) {
	db := pgtest.Database(t)
	pool := openPool(t, db)
	if err := migrate(t, db, pool, migrations); err != nil {
		t.Fatal(err)
	}
	older := fstest.MapFS{"grants.sql": migrations["grants.sql"], "migrations/00001_one.sql": migrations["migrations/00001_one.sql"]}
	if err := migrate(t, db, pool, older); err != nil {
		t.Errorf("a module rolled back must start: %v", err)
	}
}

// The running module sees whether the schema is there, and may do what the
// grants say.
func TestSchemaAtWork(t *testing.T) {
	db := pgtest.Database(t)
	working, err := kit.OpenDatabase(context.Background(), db, pgtest.Runtime(db))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(working.Close)
	whole := readSchema(t, migrations)
	if err := whole.Check(context.Background(), working); err == nil {
		t.Error("an empty database has the schema")
	}
	older := fstest.MapFS{"grants.sql": migrations["grants.sql"], "migrations/00001_one.sql": migrations["migrations/00001_one.sql"]}
	if err := migrate(t, db, openPool(t, db), older); err != nil {
		t.Fatal(err)
	}
	if err := whole.Check(context.Background(), working); err == nil || !strings.Contains(err.Error(), "version 1 and 2 is needed") {
		t.Errorf("an older schema: %v", err)
	}
	if err := readSchema(t, older).Check(context.Background(), working); err != nil {
		t.Errorf("its own schema: %v", err)
	}
	if err := migrate(t, db, openPool(t, db), migrations); err != nil {
		t.Fatal(err)
	}
	for _, schema := range []kit.Schema{whole, readSchema(t, older)} {
		if err := schema.Check(context.Background(), working); err != nil {
			t.Errorf("a schema that is new enough: %v", err)
		}
	}
	if _, err := working.Exec(context.Background(), "SELECT * FROM one"); err != nil {
		t.Errorf("what is granted: %v", err)
	}
	if _, err := working.Exec(context.Background(), "INSERT INTO one VALUES (3)"); err == nil {
		t.Error("the running module may do what nobody granted")
	}
}

// A migration waits for Vault and the database, and ends when it is done.
func TestRunMigration(t *testing.T) {
	server, db := vaulttest.Start(t), pgtest.Database(t)
	settings := server.Migration(t, db)
	env := map[string]string{
		"DATABASE_HOST": db.Host, "DATABASE_NAME": db.Name, "DATABASE_SSLMODE": db.SSLMode, "DATABASE_RUNTIME_ROLE": pgtest.RuntimeRole(db),
		"VAULT_ADDR": settings.Address, "VAULT_CACERT": settings.CACert, "VAULT_LOGIN_PATH": settings.LoginPath, "VAULT_ROLE": settings.Role,
		"VAULT_JWT_FILE": settings.JWTFile, "VAULT_MOUNT": settings.Mount, "VAULT_NAME": settings.Name,
	}
	buffer := &lockedBuffer{}
	log := kit.NewLogger(buffer, "test")
	run := func(ctx context.Context) error {
		return kit.RunMigration(ctx, func(name string) string { return env[name] }, log, readSchema(t, migrations).Migrate)
	}
	server.Seal(t)
	done := make(chan error, 1)
	go func() { done <- run(t.Context()) }()
	await(t, "a failure", func() bool { return strings.Contains(buffer.String(), "migration failed") })
	server.Unseal(t)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	await(t, "the owner's user to go", func() bool { return len(server.Leases(t, settings.Name)) == 0 })
	var owner string
	if err := openPool(t, db).QueryRow(t.Context(), "SELECT tableowner FROM pg_tables WHERE tablename = 'one'").Scan(&owner); err != nil || owner != db.Name {
		t.Errorf("the table belongs to %q (%v)", owner, err)
	}
	env["DATABASE_RUNTIME_ROLE"] = ""
	if err := run(t.Context()); err == nil || !strings.Contains(err.Error(), "DATABASE_RUNTIME_ROLE") {
		t.Errorf("without a role to grant to: %v", err)
	}
}
