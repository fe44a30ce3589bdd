package rights

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The registry's officer who transfers a case, and the registrar who seals one,
// can write what they were ordered to, and then see what is left to them.
func TestTransferAndSealingPassThePolicies(t *testing.T) {
	owner, admin := register(t)
	execute(t, admin, `INSERT INTO case_file VALUES ($1, 'A', 'parties')`, theCase)
	execute(t, admin, `INSERT INTO case_relation VALUES ($1, $2, 'registry')`, theCase, me)
	registrar := Actor{Person: me, MFA: true, Grants: []Grant{{Role: Registrar, Court: "A"}}, Orders: []string{theCase}}
	ctx := context.Background()
	as(t, owner, &registrar, func(tx pgx.Tx) {
		if _, err := tx.Exec(ctx, `UPDATE case_file SET court_code = 'B', sent_from = 'A' WHERE id = $1`, theCase); err != nil {
			t.Errorf("transfer: %v", err)
		}
		if count(t, tx, "case_file") != 1 {
			t.Error("the officer does not find the case that they sent")
		}
	})
	seal := func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE case_file SET sealing = 'sealed' WHERE id = $1`, theCase)
		return err
	}
	as(t, owner, &registrar, func(tx pgx.Tx) {
		if !refused(seal(tx)) {
			t.Error("somebody whom the court does not name seals a case away from themselves")
		}
	})
	registrar.Reasons = []string{theCase}
	as(t, owner, &registrar, func(tx pgx.Tx) {
		if _, err := tx.Exec(ctx, `INSERT INTO case_relation VALUES ($1, $2, 'named')`, theCase, me); err != nil {
			t.Fatal(err)
		}
		if err := seal(tx); err != nil {
			t.Errorf("seal: %v", err)
		}
	})
	as(t, owner, &Actor{Person: me, Grants: []Grant{{Role: Party}}}, func(tx pgx.Tx) {
		if tag, err := tx.Exec(ctx, `DELETE FROM case_file`); err != nil || tag.RowsAffected() != 0 {
			t.Errorf("a case was deleted: %v", err)
		}
	})
}

// refused says whether a policy did not let a row be written.
func refused(err error) bool {
	var answer *pgconn.PgError
	return errors.As(err, &answer) && answer.Code == "42501"
}

// A row is inserted exactly where Decide allows one of the table's questions.
func TestInsertingAgreesWithDecide(t *testing.T) {
	seed := uint64(41)
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 4))
	owner, admin := register(t)
	records := randomRecords(random, 300)
	allowed := 0
	for i := range records {
		r := &records[i]
		r.Case, r.AppealCourt, r.Protected = uuid.NewString(), "", false
		for person, relations := range r.Relations {
			for _, relation := range relations.stored() {
				execute(t, admin, `INSERT INTO case_relation VALUES ($1, $2, $3)`, r.Case, person, relation)
			}
		}
		a := randomActor(random, records[i:i+1])
		want := Decide(a, CaseFile, Bare, r, noon).Allowed
		as(t, owner, a, func(tx pgx.Tx) {
			_, err := tx.Exec(context.Background(), `INSERT INTO case_file VALUES ($1, $2, $3, nullif($4, ''))`, r.Case, r.Court, r.Sealing.String(), r.FromCourt)
			if (err == nil) != want || err != nil && !refused(err) {
				t.Errorf("record %d of seed %d: %v, want %v for %+v", i, seed, err, want, fmt.Sprint(a.Grants))
			}
		})
		if want {
			allowed++
		}
	}
	if allowed < 20 {
		t.Errorf("only %d of %d could be filed", allowed, len(records))
	}
}
