package identity

import (
	"errors"
	"net/http"

	"github.com/jackc/pgx/v5"

	"ejustice.dev/operator/modules/kit"
)

func (a *App) passwordPage(w http.ResponseWriter, r *http.Request, v *visitor) error {
	return a.show(w, r, a.pages.Page(w, r), "password", newForm(r, v))
}

// choosePassword takes the password that replaces a one-time credential.
func (a *App) choosePassword(w http.ResponseWriter, r *http.Request, v *visitor) error {
	page, f := a.pages.Page(w, r), newForm(r, v)
	password, err := a.newPassword(r, v, page, f)
	if err != nil {
		return err
	}
	if len(f.Faults) > 0 {
		return a.show(w, r, page, "password", f)
	}
	if err := a.setPassword(r.Context(), v.person.ID, password); err != nil {
		return err
	}
	return a.seeOther(w, r, "/sign-in/next"+query(r))
}

// newPassword reads and checks a new password. What is wrong goes to f.
func (a *App) newPassword(r *http.Request, v *visitor, page *kit.Page, f *form) (string, error) {
	password := cleanPassword(r.PostForm.Get("password"))
	if wrong := passwordFault(password, v.person.Login); wrong != "" {
		f.fail("password", page.T("password."+wrong, "min", minPassword, "max", maxPassword))
		return "", nil
	}
	if password != cleanPassword(r.PostForm.Get("again")) {
		f.fail("again", page.T("password.different"))
		return "", nil
	}
	former := password
	if v.person.oneTime() {
		former = oneTimeForm(password)
	}
	same, err := a.hasher.verify(r.Context(), v.person.passwordHash, former)
	if same {
		f.fail("password", page.T("password.guessable"))
	}
	return password, err
}

func (a *App) changePage(w http.ResponseWriter, r *http.Request, v *visitor) error {
	return a.show(w, r, a.pages.Page(w, r), "change", newForm(r, v))
}

// changePassword takes another password from somebody who is signed in and knows
// the present one. It ends their other sessions.
func (a *App) changePassword(w http.ResponseWriter, r *http.Request, v *visitor) error {
	page, f := a.pages.Page(w, r), newForm(r, v)
	right, err := a.currentPassword(r, v)
	var pause blocked
	switch {
	case errors.As(err, &pause):
		a.paused(w, page, f, "current", pause)
		return a.show(w, r, page, "change", f)
	case err != nil:
		return err
	case !right:
		f.fail("current", page.T("change.current.wrong"))
		return a.show(w, r, page, "change", f)
	}
	password, err := a.newPassword(r, v, page, f)
	if err != nil {
		return err
	}
	if len(f.Faults) > 0 {
		return a.show(w, r, page, "change", f)
	}
	if err := a.setPassword(r.Context(), v.person.ID, password); err != nil {
		return err
	}
	err = pgx.BeginFunc(r.Context(), a.pool, func(tx pgx.Tx) error {
		_, err := endSessions(r.Context(), tx, a.now(), `person_id = $2 AND id <> $3`, v.person.ID, v.session.ID)
		return err
	})
	if err != nil {
		return err
	}
	return a.seeOther(w, r, "/")
}

// currentPassword says whether somebody knows their present password. Attempts
// count as those to sign in do.
func (a *App) currentPassword(r *http.Request, v *visitor) (bool, error) {
	if err := accountLimit.attempt(r.Context(), a.pool, v.person.Login, a.now()); err != nil {
		return false, err
	}
	right, err := a.hasher.verify(r.Context(), v.person.passwordHash, r.PostForm.Get("current"))
	if err != nil || !right {
		return false, err
	}
	return true, accountLimit.forgive(r.Context(), a.pool, v.person.Login)
}
