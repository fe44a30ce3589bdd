package kit_test

import (
	"context"
	"testing"
	"testing/fstest"

	"golang.org/x/sync/errgroup"

	"ejustice.dev/operator/modules/kit"
	"ejustice.dev/operator/modules/kit/pgtest"
)

var migrations = fstest.MapFS{
	"00001_one.sql": {Data: []byte("-- +goose Up\nCREATE TABLE one (n int);\nSELECT pg_sleep(0.2);\nINSERT INTO one VALUES (1);\n")},
	"00002_two.sql": {Data: []byte("-- +goose Up\nINSERT INTO one VALUES (2);\n")},
}

func TestMigrateFromManyReplicasAtOnce(t *testing.T) {
	db := pgtest.Database(t)
	var replicas errgroup.Group
	for range 4 {
		pool := openPool(t, db)
		replicas.Go(func() error { return kit.Migrate(context.Background(), pool, migrations) })
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
	pool := openPool(t, pgtest.Database(t))
	broken := fstest.MapFS{
		"00001_one.sql": migrations["00001_one.sql"],
		"00002_two.sql": {Data: []byte("-- +goose Up\nINSERT INTO one VALUES (2);\nSELECT * FROM nothing;\n")},
	}
	if err := kit.Migrate(context.Background(), pool, broken); err == nil {
		t.Fatal("a broken migration must be an error")
	}
	if err := kit.Migrate(context.Background(), pool, migrations); err != nil {
		t.Fatal(err)
	}
	var rows int
	if err := pool.QueryRow(context.Background(), `SELECT count(*) FROM one`).Scan(&rows); err != nil || rows != 2 {
		t.Errorf("rows = %d, error %v; the broken migration left something", rows, err)
	}
}

func TestOlderCodeStartsOnNewerSchema(t *testing.T) {
	pool := openPool(t, pgtest.Database(t))
	if err := kit.Migrate(context.Background(), pool, migrations); err != nil {
		t.Fatal(err)
	}
	older := fstest.MapFS{"00001_one.sql": migrations["00001_one.sql"]}
	if err := kit.Migrate(context.Background(), pool, older); err != nil {
		t.Errorf("a module rolled back must start: %v", err)
	}
}
