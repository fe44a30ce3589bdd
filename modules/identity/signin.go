package identity

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/zitadel/oidc/v3/pkg/oidc"

	"ejustice.dev/operator/modules/kit"
)

// routePages serves people who sign in and look after their own account.
func (a *App) routePages(router *kit.Router) {
	router.Page(a.path("GET /sign-in"), a.page(a.signInPage))
	router.Page(a.path("POST /sign-in"), a.page(a.signIn))
	router.Page(a.path("GET /sign-in/code"), a.step(stepCode, a.codePage))
	router.Page(a.path("POST /sign-in/code"), a.step(stepCode, a.enterCode))
	router.Page(a.path("GET /sign-in/password"), a.step(stepPassword, a.passwordPage))
	router.Page(a.path("POST /sign-in/password"), a.step(stepPassword, a.choosePassword))
	router.Page(a.path("GET /sign-in/second-factor"), a.step(stepFactor, a.factorPage))
	router.Page(a.path("POST /sign-in/second-factor"), a.step(stepFactor, a.setUpFactor))
	router.Page(a.path("GET /sign-in/next"), a.page(a.proceed))
	router.Page(a.path("GET /sign-out"), a.page(a.signOutPage))
	router.Page(a.path("POST /sign-out"), a.page(a.signOut))
	router.Page(a.path("GET /signed-out"), func(w http.ResponseWriter, r *http.Request) error {
		return a.message(w, r, http.StatusOK, "signedout")
	})
	router.Page(a.path("GET /{$}"), a.personal(a.accountPage))
	router.Page(a.path("POST /sessions/{id}/end"), a.personal(a.endOwnSession))
	router.Page(a.path("GET /password"), a.personal(a.changePage))
	router.Page(a.path("POST /password"), a.personal(a.changePassword))
}

// Steps of a sign-in after the password, as the ends of their addresses.
const (
	stepCode     = "code"
	stepPassword = "password"
	stepFactor   = "second-factor"
)

// nextStep is what a person has still to do, or empty.
func (v *visitor) nextStep() string {
	switch {
	case v.person.HasFactor && !v.session.strong():
		return stepCode
	case v.person.oneTime():
		return stepPassword
	case v.person.Grants.staff() && !v.person.HasFactor:
		return stepFactor
	}
	return ""
}

// query keeps the relying party's request from page to page.
func query(r *http.Request) string {
	if request := r.URL.Query().Get("request"); request != "" {
		return "?request=" + url.QueryEscape(request)
	}
	return ""
}

// begun finds the request that a sign-in is for; there is none when a person
// came by themselves. It lets the forms on the way lead to the client.
func (a *App) begun(w http.ResponseWriter, r *http.Request, v *visitor) (*authRequest, error) {
	id := r.URL.Query().Get("request")
	if id == "" {
		return nil, nil
	}
	request, err := a.requestOf(r.Context(), id, v.browser)
	if err != nil {
		return nil, err
	}
	if origin := originOf(request.redirect); origin != originOf(a.settings.Issuer) {
		allowRedirect(w, origin)
	}
	return request, nil
}

// expired says whether err means that a request waited too long or belongs to
// another browser.
func expired(err error) bool {
	var problem *kit.Problem
	return errors.As(err, &problem) && problem.Status == http.StatusNotFound
}

// signInPage asks who somebody is, unless that is known well enough.
func (a *App) signInPage(w http.ResponseWriter, r *http.Request, v *visitor) error {
	request, err := a.begun(w, r, v)
	if expired(err) {
		return a.message(w, r, http.StatusBadRequest, "expired")
	}
	if err != nil {
		return err
	}
	known := v.signedIn() && (request == nil || request.satisfied(v.session)) && !r.URL.Query().Has("again")
	switch {
	case known && request == nil:
		return a.seeOther(w, r, "/")
	case known:
		if err := a.answer(r.Context(), request, v.session); err != nil {
			return err
		}
		return a.seeOther(w, r, "/authorize/callback?id="+request.GetID())
	case request != nil && slices.Contains(request.prompt, oidc.PromptNone):
		return a.seeOther(w, r, "/authorize/callback?id="+request.GetID()) // which says that nobody is signed in
	case v.session != nil && !v.session.done():
		return a.proceed(w, r, v)
	}
	return a.show(w, r, a.pages.Page(w, r), "signin", newForm(r, v))
}

// signIn looks at a login name and a password.
func (a *App) signIn(w http.ResponseWriter, r *http.Request, v *visitor) error {
	if _, err := a.begun(w, r, v); expired(err) {
		return a.message(w, r, http.StatusBadRequest, "expired")
	} else if err != nil {
		return err
	}
	page, f := a.pages.Page(w, r), newForm(r, v)
	for _, field := range []string{"login", "password"} {
		if r.PostForm.Get(field) == "" {
			f.fail(field, page.T("signin."+field+".missing"))
		}
	}
	if len(f.Faults) > 0 {
		return a.show(w, r, page, "signin", f)
	}
	person, right, err := a.tryPassword(r)
	var pause blocked
	switch {
	case errors.As(err, &pause):
		a.paused(w, page, f, "login", pause)
		return a.show(w, r, page, "signin", f)
	case err != nil:
		return err
	case !right:
		// The same words whatever was wrong: they do not tell who has an account.
		f.fail("login", page.T("signin.wrong"))
		return a.show(w, r, page, "signin", f)
	}
	return a.welcome(w, r, v, person)
}

// tryPassword counts an attempt and then looks at it.
func (a *App) tryPassword(r *http.Request) (Person, bool, error) {
	ctx, address := r.Context(), addressOf(r)
	login, _ := cleanLogin(r.PostForm.Get("login"))
	if err := addressLimit.attempt(ctx, a.pool, address, a.now()); err != nil {
		return Person{}, false, err
	}
	if err := accountLimit.attempt(ctx, a.pool, login, a.now()); err != nil {
		return Person{}, false, err
	}
	person, right, err := a.verifyPassword(ctx, login, r.PostForm.Get("password"))
	if err != nil || !right {
		return Person{}, false, err
	}
	return person, true, errors.Join(accountLimit.forgive(ctx, a.pool, login), addressLimit.takeBack(ctx, a.pool, address, a.now()))
}

// paused tells somebody how long to wait.
func (a *App) paused(w http.ResponseWriter, page *kit.Page, f *form, field string, pause blocked) {
	left := pause.until.Sub(a.now()) + time.Second - 1
	f.fail(field, page.T("signin.paused", "time", page.DateTime(pause.until.Add(time.Minute-1).In(a.settings.Tenant.Location()))))
	f.status = http.StatusTooManyRequests
	w.Header().Set("Retry-After", strconv.Itoa(int(left/time.Second)))
}

// welcome begins a session. One that the browser had before ends.
func (a *App) welcome(w http.ResponseWriter, r *http.Request, v *visitor, person Person) error {
	if v.session != nil {
		if err := a.endSession(r.Context(), v.session.ID, uuid.Nil); err != nil {
			return err
		}
	}
	session, secret, err := a.startSession(r.Context(), person.ID, v.browser, agentOf(r.UserAgent()))
	if err != nil {
		return err
	}
	a.setSession(w, secret)
	v.session, v.person = session, person
	return a.proceed(w, r, v)
}

// proceed sends somebody to their next step, or on when there is none.
func (a *App) proceed(w http.ResponseWriter, r *http.Request, v *visitor) error {
	if v.session == nil {
		return a.seeOther(w, r, "/sign-in"+query(r))
	}
	if step := v.nextStep(); step != "" {
		return a.seeOther(w, r, "/sign-in/"+step+query(r))
	}
	if !v.session.done() {
		if err := a.finish(r.Context(), v.session); err != nil {
			return err
		}
	}
	if query(r) == "" {
		return a.seeOther(w, r, "/")
	}
	return a.seeOther(w, r, "/sign-in"+query(r))
}

// fresh says whether somebody has signed in just now. Who finds a browser that
// is signed in may not set up a factor of their own.
func (a *App) fresh(v *visitor) bool {
	return v.signedIn() && a.now().Sub(v.session.SignedInAt) < signInTime
}

// step makes a handler of a page that belongs to one step. Somebody who has just
// signed in may set up a second factor, too.
func (a *App) step(name string, handle pageHandler) kit.Handler {
	return a.page(func(w http.ResponseWriter, r *http.Request, v *visitor) error {
		volunteer := name == stepFactor && v.signedIn() && !v.person.HasFactor
		if volunteer && !a.fresh(v) {
			return a.seeOther(w, r, "/sign-in?again")
		}
		if !volunteer && (v.session == nil || v.nextStep() != name) {
			return a.proceed(w, r, v)
		}
		if _, err := a.begun(w, r, v); expired(err) {
			return a.message(w, r, http.StatusBadRequest, "expired")
		} else if err != nil {
			return err
		}
		return handle(w, r, v)
	})
}

func (a *App) signOutPage(w http.ResponseWriter, r *http.Request, v *visitor) error {
	if v.session == nil {
		return a.seeOther(w, r, "/signed-out")
	}
	return a.show(w, r, a.pages.Page(w, r), "signout", newForm(r, v))
}

func (a *App) signOut(w http.ResponseWriter, r *http.Request, v *visitor) error {
	if v.session != nil {
		if err := a.endSession(r.Context(), v.session.ID, v.session.PersonID); err != nil {
			return err
		}
	}
	a.clearSession(w)
	return a.seeOther(w, r, "/signed-out")
}
