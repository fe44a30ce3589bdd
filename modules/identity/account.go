package identity

import (
	"encoding/base64"
	"net/http"
	"time"

	"github.com/google/uuid"

	"ejustice.dev/operator/modules/kit"
)

// sessionView is a session as its person sees it.
type sessionView struct {
	ID            uuid.UUID
	Agent         string
	Started, Seen time.Time
	Current       bool
}

// grantView is a role as a page shows it.
type grantView struct {
	Grant
	CourtNames map[string]string
	UntilTime  time.Time
	ForName    string
}

// accountView is what a person sees of their own account.
type accountView struct {
	Person        Person
	Grants        []grantView
	Sessions      []sessionView
	Passkeys      []passkeyEntry
	Administrates bool
	Base          string
}

// passkeyEntry is a passkey as its person sees it.
type passkeyEntry struct {
	ID            string
	Created, Used time.Time
}

func (a *App) passkeyEntries(r *http.Request, v *visitor) ([]passkeyEntry, error) {
	passkeys, err := a.passkeys(r.Context(), v.person.ID)
	entries, location := make([]passkeyEntry, len(passkeys)), a.settings.Tenant.Location()
	for i, one := range passkeys {
		entries[i] = passkeyEntry{base64.RawURLEncoding.EncodeToString(one.ID), one.CreatedAt.In(location), one.UsedAt}
		if !one.UsedAt.IsZero() {
			entries[i].Used = one.UsedAt.In(location)
		}
	}
	return entries, err
}

// accountPage shows somebody their roles and where they are signed in.
func (a *App) accountPage(w http.ResponseWriter, r *http.Request, v *visitor) error {
	sessions, err := a.liveSessions(r.Context(), `s.person_id = $5 AND s.signed_in_at IS NOT NULL`, v.person.ID)
	if err != nil {
		return err
	}
	location := a.settings.Tenant.Location()
	view := accountView{Person: v.person, Administrates: v.mayAdminister(), Base: a.settings.prefix}
	for _, s := range sessions {
		view.Sessions = append(view.Sessions, sessionView{s.ID, s.Agent, s.StartedAt.In(location), s.SeenAt.In(location), s.ID == v.session.ID})
	}
	if view.Grants, err = a.grantViews(r, v.person.Grants); err != nil {
		return err
	}
	if view.Passkeys, err = a.passkeyEntries(r, v); err != nil {
		return err
	}
	f := newForm(r, v)
	f.More = view
	return a.show(w, r, a.pages.Page(w, r), "account", f)
}

// grantViews adds to roles the names of what they name.
func (a *App) grantViews(r *http.Request, grants Grants) ([]grantView, error) {
	views := make([]grantView, len(grants))
	for i, g := range grants {
		views[i] = grantView{Grant: g, CourtNames: a.courtNames(g.Court), UntilTime: g.Until.In(a.settings.Tenant.Location())}
		if g.For != uuid.Nil {
			absent, err := findPerson(r.Context(), a.pool, "id", g.For, a.now())
			if err != nil {
				return nil, err
			}
			views[i].ForName = absent.Name
		}
	}
	return views, nil
}

// courtNames are the names of a court; one that is no longer configured is shown
// by its code.
func (a *App) courtNames(code string) map[string]string {
	if court, found := a.settings.court(code); found {
		return court.Names
	}
	return map[string]string{"": code}
}

// endOwnSession signs somebody out elsewhere.
func (a *App) endOwnSession(w http.ResponseWriter, r *http.Request, v *visitor) error {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		return kit.NotFound()
	}
	if err := a.endSession(r.Context(), id, v.person.ID); err != nil {
		return err
	}
	return a.seeOther(w, r, "/")
}
