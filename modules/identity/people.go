package identity

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ejustice.dev/operator/modules/kit"
)

// routeAdministration serves administrators.
func (a *App) routeAdministration(router *kit.Router) {
	router.Page(a.path("GET /people"), a.administrator(a.peoplePage))
	router.Page(a.path("GET /people/new"), a.administrator(a.newPersonPage))
	router.Page(a.path("POST /people/new"), a.administrator(a.createPerson))
	router.Page(a.path("GET /people/{id}"), a.administrator(a.personPage))
	router.Page(a.path("POST /people/{id}/grants"), a.administrator(a.giveRole))
	// Where the language of a form with faults is switched.
	router.Page(a.path("GET /people/{id}/grants"), a.administrator(a.personPage))
	router.Page(a.path("GET /people/{id}/{action}"), a.administrator(a.actionPage))
	router.Page(a.path("POST /people/{id}/{action}"), a.administrator(a.act))
	router.Page(a.path("GET /changes"), a.administrator(a.changesPage))
	router.Page(a.path("POST /changes/{id}/{decision}"), a.administrator(a.decideChange))
}

// administrator makes a handler of a page that only administrators may see. For
// others there is no such page.
func (a *App) administrator(handle pageHandler) kit.Handler {
	return a.personal(func(w http.ResponseWriter, r *http.Request, v *visitor) error {
		if !v.mayAdminister() {
			return kit.NotFound()
		}
		return handle(w, r, v)
	})
}

// courts are those that somebody administers; every one when tenant is true.
func (g Grants) courts() (courts []string, tenant bool) {
	courts = []string{}
	for _, one := range g {
		switch one.Role {
		case roleTenantAdministrator:
			tenant = true
		case roleCourtAdministrator:
			courts = append(courts, one.Court)
		}
	}
	return courts, tenant
}

// peopleShown is how many people one page lists.
const peopleShown = 50

// visible is the condition of the accounts that an administrator may see: $1
// says all, $2 the courts that somebody belongs or belonged to.
const visible = `($1 OR person.home_court = ANY($2) OR EXISTS (SELECT FROM role_grant g WHERE g.person_id = person.id AND g.court = ANY($2)))`

// people lists accounts by login name, from one on.
func (a *App) people(ctx context.Context, actor Person, words, after string) ([]Person, error) {
	courts, tenant := actor.Grants.courts()
	pattern := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(cleanName(words)) + "%"
	rows, _ := a.pool.Query(ctx, `SELECT `+personColumns+` FROM person WHERE `+visible+`
		AND (login ILIKE $3 OR name ILIKE $3) AND login > $4 ORDER BY login LIMIT $5`, tenant, courts, pattern, after, peopleShown+1)
	people, err := pgx.CollectRows(rows, scanPerson)
	if err != nil {
		return nil, fmt.Errorf("list people: %w", err)
	}
	for i := range people {
		if people[i].Grants, err = readGrants(ctx, a.pool, people[i].ID, a.now()); err != nil {
			return nil, err
		}
	}
	return people, nil
}

// subject finds the account that a page is about, if the administrator may see
// it.
func (a *App) subject(r *http.Request, v *visitor) (Person, error) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		return Person{}, kit.NotFound()
	}
	courts, tenant := v.person.Grants.courts()
	var found bool
	if err := a.pool.QueryRow(r.Context(), `SELECT EXISTS (SELECT FROM person WHERE `+visible+` AND id = $3)`, tenant, courts, id).Scan(&found); err != nil {
		return Person{}, fmt.Errorf("find person: %w", err)
	}
	if !found {
		return Person{}, kit.NotFound()
	}
	return findPerson(r.Context(), a.pool, "id", id, a.now())
}

type peopleView struct {
	People []Person
	Next   string
	Base   string
}

func (a *App) peoplePage(w http.ResponseWriter, r *http.Request, v *visitor) error {
	values := r.URL.Query()
	people, err := a.people(r.Context(), v.person, values.Get("q"), values.Get("after"))
	if err != nil {
		return err
	}
	view := peopleView{People: people, Base: a.settings.prefix}
	if len(people) > peopleShown {
		view.People = people[:peopleShown]
		values.Set("after", view.People[peopleShown-1].Login)
		values.Del("lang")
		view.Next = "?" + values.Encode()
	}
	f := newForm(r, v)
	f.Values.Set("q", values.Get("q"))
	f.More = view
	return a.show(w, r, a.pages.Page(w, r), "people", f)
}

// courtChoices are the courts that an administrator may choose, and whether the
// whole tenant is another choice.
func (a *App) courtChoices(v *visitor) (choices []Court, tenant bool) {
	own, tenant := v.person.Grants.courts()
	for _, c := range a.settings.Courts {
		if tenant || slices.Contains(own, c.Code) {
			choices = append(choices, c)
		}
	}
	return choices, tenant
}

type newPersonView struct {
	Courts []Court
	Tenant bool
	Base   string
}

func (a *App) newPersonPage(w http.ResponseWriter, r *http.Request, v *visitor) error {
	return a.showNewPerson(w, r, v, a.pages.Page(w, r), newForm(r, v))
}

func (a *App) showNewPerson(w http.ResponseWriter, r *http.Request, v *visitor, page *kit.Page, f *form) error {
	courts, tenant := a.courtChoices(v)
	f.More = newPersonView{courts, tenant, a.settings.prefix}
	return a.show(w, r, page, "newperson", f)
}

// createPerson makes an account without roles, and shows its one-time credential
// once.
func (a *App) createPerson(w http.ResponseWriter, r *http.Request, v *visitor) error {
	page, f := a.pages.Page(w, r), newForm(r, v)
	login, ok := cleanLogin(r.PostForm.Get("login"))
	if !ok {
		f.fail("login", page.T("newperson.login.wrong"))
	}
	name := cleanName(r.PostForm.Get("name"))
	if name == "" || len(name) > 400 {
		f.fail("name", page.T("newperson.name.wrong"))
	}
	court := r.PostForm.Get("court")
	courts, tenant := v.person.Grants.courts()
	if _, known := a.settings.court(court); !tenant && !slices.Contains(courts, court) || court != "" && !known {
		f.fail("court", page.T("person.court.wrong"))
	}
	if len(f.Faults) > 0 {
		return a.showNewPerson(w, r, v, page, f)
	}
	credential := newOneTime()
	p := Person{ID: uuid.New(), Login: login, Name: name, HomeCourt: court}
	err := pgx.BeginFunc(r.Context(), a.pool, func(tx pgx.Tx) error { return a.addPerson(r.Context(), tx, p, credential) })
	if errors.Is(err, errLoginTaken) {
		f.fail("login", page.T("newperson.login.taken"))
		return a.showNewPerson(w, r, v, page, f)
	}
	if err != nil {
		return err
	}
	return a.showCredential(w, r, v, p, "whole", credential)
}

// credentialView shows a one-time credential, or a half of one, once.
type credentialView struct {
	Person     Person
	Part, Code string
	Days       int
	Base       string
}

func (a *App) showCredential(w http.ResponseWriter, r *http.Request, v *visitor, p Person, part, code string) error {
	f := newForm(r, v)
	f.More = credentialView{p, part, code, int(oneTimeLife / (24 * time.Hour)), a.settings.prefix}
	return a.show(w, r, a.pages.Page(w, r), "credential", f)
}
