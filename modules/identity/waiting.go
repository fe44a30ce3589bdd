package identity

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ejustice.dev/operator/modules/kit"
)

// changeView is a change as the list shows it.
type changeView struct {
	Change
	PersonName, ProposerName string
	Court                    map[string]string
	Proposed, UntilTime      time.Time
	// MayApprove and MayRefuse say what the reader may do.
	MayApprove, MayRefuse bool
}

// waiting lists the changes that wait for a second administrator and that the
// reader may see; of one person when that is not nil.
func (a *App) waiting(r *http.Request, v *visitor, person uuid.UUID) ([]changeView, error) {
	courts, tenant := v.person.Grants.courts()
	rows, _ := a.pool.Query(r.Context(), `SELECT c.id, c.kind, c.person_id, c.role, c.court, coalesce(c.until, '0001-01-01 00:00:00Z'),
		c.reason, c.proposed_by, c.proposed_at, person.name, p.name
		FROM change c JOIN person ON person.id = c.person_id JOIN person p ON p.id = c.proposed_by
		WHERE c.outcome = 'waiting' AND `+visible+` AND c.proposed_at > $3 AND ($4::uuid = '00000000-0000-0000-0000-000000000000' OR c.person_id = $4)
		ORDER BY c.proposed_at LIMIT 200`, tenant, courts, a.now().Add(-changeLife), person)
	views, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (changeView, error) {
		var c changeView
		err := row.Scan(&c.ID, &c.Kind, &c.Person, &c.Grant.Role, &c.Grant.Court, &c.Grant.Until, &c.Reason, &c.ProposedBy, &c.ProposedAt, &c.PersonName, &c.ProposerName)
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("list changes: %w", err)
	}
	location := a.settings.Tenant.Location()
	for i := range views {
		c := &views[i]
		p, err := findPerson(r.Context(), a.pool, "id", c.Person, a.now())
		if err != nil {
			return nil, err
		}
		c.Court, c.Proposed, c.UntilTime = a.courtNames(c.Grant.Court), c.ProposedAt.In(location), c.Grant.Until.In(location)
		c.MayRefuse = a.mayDecide(v.person, p, c.Change)
		c.MayApprove = c.MayRefuse && c.ProposedBy != v.person.ID
	}
	return views, nil
}

type changesView struct {
	Waiting []changeView
	Base    string
}

func (a *App) changesPage(w http.ResponseWriter, r *http.Request, v *visitor) error {
	waiting, err := a.waiting(r, v, uuid.Nil)
	if err != nil {
		return err
	}
	f := newForm(r, v)
	f.More = changesView{waiting, a.settings.prefix}
	return a.show(w, r, a.pages.Page(w, r), "changes", f)
}

// decideChange approves or refuses. The second half of a recovery's credential
// is shown once.
func (a *App) decideChange(w http.ResponseWriter, r *http.Request, v *visitor) error {
	id, err := uuid.Parse(r.PathValue("id"))
	decision := r.PathValue("decision")
	if err != nil || decision != "approve" && decision != "refuse" {
		return kit.NotFound()
	}
	waiting, err := a.waiting(r, v, uuid.Nil)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(waiting, func(c changeView) bool { return c.ID == id })
	if at < 0 {
		return kit.NotFound()
	}
	half, err := a.decide(r.Context(), v.person, id, decision == "approve")
	if err != nil {
		return err
	}
	if half == "" {
		return a.seeOther(w, r, "/changes")
	}
	p, err := findPerson(r.Context(), a.pool, "id", waiting[at].Person, a.now())
	if err != nil {
		return err
	}
	return a.showCredential(w, r, v, p, "second", half)
}
