package identity

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"ejustice.dev/operator/modules/kit"
)

// personView is an account as its administrators see it.
type personView struct {
	Person  Person
	Home    map[string]string
	Grants  []grantView
	Waiting []changeView
	Roles   []string
	Courts  []Court
	Tenant  bool
	// LooksAfter says whether the reader may do more than give and take roles.
	LooksAfter bool
	Base       string
}

func (a *App) personPage(w http.ResponseWriter, r *http.Request, v *visitor) error {
	p, err := a.subject(r, v)
	if err != nil {
		return err
	}
	return a.showPerson(w, r, v, p, a.pages.Page(w, r), newForm(r, v))
}

func (a *App) showPerson(w http.ResponseWriter, r *http.Request, v *visitor, p Person, page *kit.Page, f *form) error {
	view := personView{Person: p, Home: a.courtNames(p.HomeCourt), Base: a.settings.prefix,
		LooksAfter: p.ID != v.person.ID && v.person.Grants.lookAfter(p)}
	view.Courts, view.Tenant = a.courtChoices(v)
	for _, role := range roles {
		if slices.ContainsFunc(append(view.Courts, Court{}), func(c Court) bool { return v.person.Grants.mayGive(role, c.Code) }) {
			view.Roles = append(view.Roles, role)
		}
	}
	var err error
	if view.Grants, err = a.grantViews(r, p.Grants); err != nil {
		return err
	}
	if view.Waiting, err = a.waiting(r, v, p.ID); err != nil {
		return err
	}
	f.More = view
	return a.show(w, r, page, "person", f)
}

// giveRole takes the form for another role.
func (a *App) giveRole(w http.ResponseWriter, r *http.Request, v *visitor) error {
	p, err := a.subject(r, v)
	if err != nil {
		return err
	}
	page, f := a.pages.Page(w, r), newForm(r, v)
	grant, reason, err := a.readGrant(r, v, page, f)
	if err != nil {
		return err
	}
	if len(f.Faults) > 0 {
		return a.showPerson(w, r, v, p, page, f)
	}
	if _, _, err := a.propose(r.Context(), v.person, Change{Kind: kindGrant, Person: p.ID, Grant: grant, Reason: reason}); err != nil {
		return err
	}
	return a.seeOther(w, r, "/people/"+p.ID.String())
}

// readGrant reads and checks the form for a role. What is wrong goes to f.
func (a *App) readGrant(r *http.Request, v *visitor, page *kit.Page, f *form) (g Grant, reason string, err error) {
	g.Role, g.Court = r.PostForm.Get("role"), r.PostForm.Get("court")
	_, known := a.settings.court(g.Court)
	switch {
	case !slices.Contains(roles, g.Role):
		f.fail("role", page.T("person.role.missing"))
	case g.Court != "" && !known, g.Role == roleTenantAdministrator && g.Court != "", g.Role == roleCourtAdministrator && g.Court == "",
		!v.person.Grants.mayGive(g.Role, g.Court):
		f.fail("court", page.T("person.court.wrong"))
	}
	if text := strings.Map(asciiDigits, r.PostForm.Get("until")); text != "" {
		day, err := time.ParseInLocation(time.DateOnly, text, a.settings.Tenant.Location())
		// The role holds to the end of the day.
		g.Until = day.AddDate(0, 0, 1).UTC()
		if err != nil || !g.Until.After(a.now()) || g.Until.After(a.now().AddDate(10, 0, 0)) {
			f.fail("until", page.T("person.until.wrong"))
		}
	}
	if text := r.PostForm.Get("for"); text != "" {
		if err := a.readAbsent(r, page, f, &g, text); err != nil {
			return g, "", err
		}
	}
	return g, a.readReason(r, page, f), nil
}

// readAbsent finds the absent person of a delegation, who must hold the role, and
// for as long.
func (a *App) readAbsent(r *http.Request, page *kit.Page, f *form, g *Grant, text string) error {
	login, _ := cleanLogin(text)
	absent, err := findPerson(r.Context(), a.pool, "login", login, a.now())
	if err != nil && !expired(err) {
		return err
	}
	at := slices.IndexFunc(absent.Grants, func(held Grant) bool { return held.Role == g.Role && held.Court == g.Court && held.For == uuid.Nil })
	if at < 0 || absent.ID.String() == r.PathValue("id") {
		f.fail("for", page.T("person.for.wrong"))
		return nil
	}
	g.For = absent.ID
	switch held := absent.Grants[at]; {
	case f.Fault("until") != "":
	case g.Until.IsZero():
		f.fail("until", page.T("person.until.missing"))
	case !held.Until.IsZero() && g.Until.After(held.Until):
		f.fail("until", page.T("person.until.longer"))
	}
	return nil
}

func (a *App) readReason(r *http.Request, page *kit.Page, f *form) string {
	reason := cleanName(r.PostForm.Get("reason"))
	if reason == "" || len(reason) > 2000 {
		f.fail("reason", page.T("action.reason.missing"))
	}
	return reason
}

// actionView is a page for one thing that is done to an account.
type actionView struct {
	Person Person
	Action string
	// Role is the one that is taken, or nil.
	Role   *grantView
	Second bool
	Base   string
}

// readAction reads what an action page is about. What nobody may do does not
// exist.
func (a *App) readAction(r *http.Request, v *visitor) (Person, Change, actionView, error) {
	p, err := a.subject(r, v)
	if err != nil {
		return Person{}, Change{}, actionView{}, err
	}
	c := Change{Kind: r.PathValue("action"), Person: p.ID}
	view := actionView{Person: p, Action: c.Kind, Base: a.settings.prefix}
	switch c.Kind {
	case kindRecover, kindDisable, kindEnable:
	case kindEndGrant:
		id, _ := uuid.Parse(r.URL.Query().Get("grant")) // none is held by the zero id
		held, found := p.Grants.byID(id)
		if !found {
			return p, c, view, kit.NotFound()
		}
		c.Grant = held
		views, err := a.grantViews(r, Grants{held})
		if err != nil {
			return p, c, view, err
		}
		view.Role = &views[0]
	default:
		return p, c, view, kit.NotFound()
	}
	if !a.mayDecide(v.person, p, c) {
		return p, c, view, notAllowed()
	}
	view.Second = needsSecond(p, c)
	return p, c, view, nil
}

func (a *App) actionPage(w http.ResponseWriter, r *http.Request, v *visitor) error {
	_, _, view, err := a.readAction(r, v)
	if err != nil {
		return err
	}
	f := newForm(r, v)
	f.More = view
	return a.show(w, r, a.pages.Page(w, r), "action", f)
}

func (a *App) act(w http.ResponseWriter, r *http.Request, v *visitor) error {
	p, c, view, err := a.readAction(r, v)
	if err != nil {
		return err
	}
	page, f := a.pages.Page(w, r), newForm(r, v)
	f.More = view
	if c.Reason = a.readReason(r, page, f); len(f.Faults) > 0 {
		return a.show(w, r, page, "action", f)
	}
	if c.Kind == kindRecover && a.recoveryWaits(r, p.ID) {
		f.fail("reason", page.T("action.recover.waits"))
		return a.show(w, r, page, "action", f)
	}
	_, half, err := a.propose(r.Context(), v.person, c)
	if err != nil {
		return err
	}
	if c.Kind == kindRecover {
		return a.showCredential(w, r, v, p, "first", half)
	}
	return a.seeOther(w, r, "/people/"+p.ID.String())
}

// recoveryWaits says whether a recovery of the account waits already.
func (a *App) recoveryWaits(r *http.Request, person uuid.UUID) bool {
	var waits bool
	err := a.pool.QueryRow(r.Context(), `SELECT EXISTS (SELECT FROM change WHERE person_id = $1 AND kind = 'recover' AND outcome = 'waiting')`, person).Scan(&waits)
	return err == nil && waits
}
