package trace_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"ejustice.dev/operator/modules/kit/pgtest"
	"ejustice.dev/operator/modules/trace"
	"ejustice.dev/operator/modules/trace/tracetest"
)

// The module can do nothing but what the functions do, even as the owner of the
// database. Each attempt is refused for want of the right, not for another fault.
func TestModuleCanOnlyAppend(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.fill(t, 2, "AAA")
	f.anchor(t)
	for _, statement := range []string{
		`UPDATE trace.entry SET reason = ''`,
		`DELETE FROM trace.entry`,
		`TRUNCATE trace.entry`,
		`INSERT INTO trace.entry SELECT * FROM trace.links('AAA', 0, 0, 1, 1)`,
		`SELECT * FROM trace.entry`,
		`UPDATE trace.head SET seq = 0`,
		`DELETE FROM trace.head`,
		`INSERT INTO trace.head VALUES ('X', 0, 0, decode(repeat('00', 32), 'hex'))`,
		`SELECT * FROM trace.head FOR UPDATE`,
		`UPDATE trace.anchor SET signature = ''`,
		`DELETE FROM trace.anchor`,
		`DELETE FROM trace.anchor_head`,
		`UPDATE trace.progress SET number = 0`,
		`SELECT trace.take_head('AAA')`,
		`SELECT trace.refuse()`,
		`DROP TABLE trace.entry`,
		`DROP SCHEMA trace CASCADE`,
		`ALTER SCHEMA trace RENAME TO old`,
		`ALTER TABLE trace.entry DISABLE TRIGGER ALL`,
		`ALTER FUNCTION trace.append(jsonb) OWNER TO CURRENT_USER`,
		`CREATE OR REPLACE FUNCTION trace.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'`,
		`CREATE TABLE trace.mine (n int)`,
		`SET ROLE ` + f.roles.Owner,
		`REASSIGN OWNED BY ` + f.roles.Owner + ` TO CURRENT_USER`,
		`DROP OWNED BY ` + f.roles.Owner,
		`GRANT ` + f.roles.Owner + ` TO CURRENT_USER`,
		`SET session_replication_role = replica`,
	} {
		_, err := f.pool.Exec(ctx, statement)
		var answer *pgconn.PgError
		if !errors.As(err, &answer) || answer.Code != "42501" {
			t.Errorf("%s: %v", statement, err)
		}
	}
	f.holds(t, 2)
}

// What the module says of place, time, id and hash does not count.
func TestModuleCannotChooseItsPlace(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.fill(t, 1, "AAA")
	_, err := f.pool.Exec(ctx, `SELECT trace.append('[{"court":"AAA","shard":7,"seq":9,"at":"2001-01-01","id":"00000000-0000-4000-8000-000000000000",
		"hash":"00","person":"p","action":"a","outcome":"allowed","objectKind":"k"}]')`)
	if err != nil {
		t.Fatal(err)
	}
	links, _, err := trace.Find(ctx, f.pool, trace.Filter{}, trace.Position{}, 1)
	if err != nil || links[0].Ref() != "AAA/0/2" || links[0].At.Year() < 2020 || strings.HasPrefix(links[0].Entry.ID, "00000000") {
		t.Errorf("%v %+v %v", err, links[0], links[0].Entry)
	}
	f.holds(t, 2)
}

// The functions mean what they mean whatever the caller's session looks like.
func TestModuleCannotShadow(t *testing.T) {
	t.Parallel()
	f := start(t)
	err := pgx.BeginFunc(ctx, f.pool, func(tx pgx.Tx) error {
		for _, statement := range []string{
			`CREATE SCHEMA mine`,
			`CREATE FUNCTION mine.sha256(bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT decode(repeat('11', 32), 'hex') $$`,
			`CREATE FUNCTION mine.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT '2001-01-01'::timestamptz $$`,
			`CREATE TEMP TABLE head (court text, shard smallint, seq bigint, hash bytea)`,
			`CREATE TEMP TABLE entry (n int)`,
			`SET search_path = mine, pg_temp, pg_catalog`,
			`SET datestyle = 'SQL, DMY'`,
			`SET timezone = 'Asia/Gaza'`,
			`SET bytea_output = escape`,
			`SET standard_conforming_strings = off`,
		} {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return trace.Append(ctx, tx, entry("AAA"))
	})
	if err != nil {
		t.Fatal(err)
	}
	f.fill(t, 1, "AAA")
	f.anchor(t)
	f.holds(t, 2)
}

// The module can have nonsense signed, but not store an anchor over what is not
// there, nor one that does not continue the newest.
func TestModuleCannotAnchorNonsense(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.fill(t, 2, "AAA")
	f.anchor(t)
	zero := strings.Repeat("00", 32)
	for name, anchor := range map[string]string{
		"not the next":       `{"number":3,"previous":"` + zero + `","root":"` + zero + `","chains":1,"at":"2026-01-01T00:00:00Z","keyId":"k","heads":[]}`,
		"not after the last": `{"number":2,"previous":"` + zero + `","root":"` + zero + `","chains":1,"at":"2026-01-01T00:00:00Z","keyId":"k","heads":[]}`,
	} {
		if _, err := f.pool.Exec(ctx, `SELECT trace.append_anchor($1, '\x00')`, anchor); err == nil {
			t.Errorf("%s: stored", name)
		}
	}
	_, err := f.pool.Exec(ctx, `SELECT trace.append_anchor(jsonb_build_object('number', 2, 'previous', encode(sha256('x'), 'hex'), 'root', $1::text, 'chains', 1,
		'at', now(), 'keyId', 'k', 'heads', jsonb_build_array(jsonb_build_object('court', 'AAA', 'shard', 0, 'seq', 9, 'hash', $1::text))), '\x00')`, zero)
	if err == nil {
		t.Error("an anchor over an entry that is not there was stored")
	}
	f.holds(t, 2)
}

// Even who owns the trace, and a superuser who does not take the guards away,
// cannot change what is written.
func TestGuardsRefuseTheOwner(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.fill(t, 2, "AAA")
	f.anchor(t)
	for _, role := range []string{"", f.roles.Owner} {
		for _, table := range []string{"entry", "anchor", "anchor_head", "head"} {
			for _, statement := range []string{
				"UPDATE trace." + table + " SET hash = hash", "DELETE FROM trace." + table, "TRUNCATE trace." + table,
				"SET LOCAL session_replication_role = replica; DELETE FROM trace." + table,
			} {
				if role != "" && strings.HasPrefix(statement, "SET LOCAL") {
					continue // only a superuser may
				}
				err := pgx.BeginFunc(ctx, f.admin, func(tx pgx.Tx) error {
					if role != "" {
						statement = "GRANT ALL ON trace." + table + " TO " + role + "; SET LOCAL ROLE " + role + "; " + statement
					}
					_, err := tx.Exec(ctx, statement)
					return err
				})
				var answer *pgconn.PgError
				if !errors.As(err, &answer) || !strings.Contains(answer.Message, "can only be appended to") {
					t.Errorf("%s: %v", statement, err)
				}
			}
		}
	}
	f.holds(t, 2)
}

func TestReady(t *testing.T) {
	t.Parallel()
	f := start(t)
	if err := trace.Ready(ctx, f.pool); err != nil {
		t.Errorf("as installed: %v", err)
	}
	if err := trace.Install(ctx, f.admin, f.roles); err != nil {
		t.Errorf("again: %v", err)
	}
	if err := trace.Ready(ctx, f.admin); err == nil {
		t.Error("a superuser may work as the module")
	}
	for statement, undo := range map[string]string{
		`ALTER TABLE trace.head DISABLE TRIGGER stays`:      `ALTER TABLE trace.head ENABLE ALWAYS TRIGGER stays`,
		`ALTER TABLE trace.entry ENABLE TRIGGER stays`:      `ALTER TABLE trace.entry ENABLE ALWAYS TRIGGER stays`,
		`GRANT ` + f.roles.Owner + ` TO ` + f.roles.Module:  `REVOKE ` + f.roles.Owner + ` FROM ` + f.roles.Module,
		`REVOKE ALL ON SCHEMA trace FROM ` + f.roles.Module: `GRANT USAGE ON SCHEMA trace TO ` + f.roles.Module,
	} {
		if _, err := f.admin.Exec(ctx, statement); err != nil {
			t.Fatal(err)
		}
		if err := trace.Ready(ctx, f.pool); err == nil {
			t.Errorf("after %s it was ready", statement)
		}
		if _, err := f.admin.Exec(ctx, undo); err != nil {
			t.Fatal(err)
		}
	}
	if err := trace.Ready(ctx, tracetest.Superuser(t, pgtest.Database(t))); err == nil || !strings.Contains(err.Error(), "not installed") {
		t.Errorf("without a trace: %v", err)
	}
}

func TestMigrationsNeedTwoRoles(t *testing.T) {
	t.Parallel()
	for _, roles := range []trace.Roles{{}, {Owner: "a"}, {Owner: "a", Module: "a"}} {
		if _, err := trace.Migrations(roles); err == nil {
			t.Errorf("%+v was accepted", roles)
		}
	}
}
