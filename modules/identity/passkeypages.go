package identity

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"ejustice.dev/operator/modules/kit"
)

//go:embed static/passkey.js
var passkeyScript []byte

// scriptVersion changes with the script, so that browsers may keep it for ever.
var scriptVersion = func() string {
	sum := sha256.Sum256(passkeyScript)
	return hex.EncodeToString(sum[:6])
}()

func (a *App) routePasskeys(router *kit.Router) {
	router.API(a.path("GET /script/{version}/passkey.js"), a.script)
	router.Page(a.path("GET /passkeys/new"), a.personal(a.newPasskeyPage))
	router.Page(a.path("POST /passkeys/new"), a.personal(a.makePasskey))
	router.Page(a.path("POST /passkeys/{id}/remove"), a.personal(a.removePasskey))
	router.Page(a.path("POST /sign-in/passkey"), a.step(stepCode, a.showPasskey))
	// Where the language of a form with faults is switched.
	router.Page(a.path("GET /sign-in/passkey"), a.step(stepCode, a.codePage))
}

func (a *App) script(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	if r.PathValue("version") == scriptVersion {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	_, err := w.Write(passkeyScript)
	return err
}

// passkeyView is what a page with the script shows.
type passkeyView struct {
	// Options are what the browser is asked, as JSON; empty when it is not.
	Options string
	Script  string
	Base    string
	// Making says that the browser is to make a passkey, not to show one.
	Making bool
	// Query keeps the relying party's request.
	Query string
}

// withPasskey lets a page ask the browser. Only such a page may run a script, and
// only ours.
func (a *App) withPasskey(w http.ResponseWriter, r *http.Request, options string, making bool) passkeyView {
	if options != "" {
		policy := w.Header().Get("Content-Security-Policy")
		w.Header().Set("Content-Security-Policy", strings.Replace(policy, "style-src 'self'", "style-src 'self'; script-src 'self'", 1))
	}
	return passkeyView{options, fmt.Sprintf("%s/script/%s/passkey.js", a.settings.prefix, scriptVersion), a.settings.prefix, making, query(r)}
}

// newPasskeyPage is for those who have a second factor: codes stay the way in
// when a passkey is lost.
func (a *App) newPasskeyPage(w http.ResponseWriter, r *http.Request, v *visitor) error {
	return a.showNewPasskey(w, r, v, newForm(r, v))
}

func (a *App) showNewPasskey(w http.ResponseWriter, r *http.Request, v *visitor, f *form) error {
	if !v.person.HasFactor || !v.session.strong() {
		return a.seeOther(w, r, "/")
	}
	if !a.fresh(v) {
		return a.seeOther(w, r, "/sign-in?again")
	}
	options, err := a.askForNewPasskey(r.Context(), v)
	if err != nil {
		return err
	}
	f.More = a.withPasskey(w, r, options, true)
	return a.show(w, r, a.pages.Page(w, r), "passkey", f)
}

func (a *App) makePasskey(w http.ResponseWriter, r *http.Request, v *visitor) error {
	if !v.person.HasFactor || !v.session.strong() || !a.fresh(v) {
		return notAllowed()
	}
	err := a.addPasskey(r.Context(), v, r.PostForm.Get("credential"))
	if errors.Is(err, errCeremony) {
		f := newForm(r, v)
		f.fail("passkey", a.pages.Page(w, r).T("passkey.failed"))
		return a.showNewPasskey(w, r, v, f)
	}
	if err != nil {
		return err
	}
	return a.seeOther(w, r, "/")
}

// showPasskey takes a passkey in place of a code. Attempts count alike.
func (a *App) showPasskey(w http.ResponseWriter, r *http.Request, v *visitor) error {
	page, f := a.pages.Page(w, r), newForm(r, v)
	who := v.person.ID.String()
	err := factorLimit.attempt(r.Context(), a.pool, who, a.now())
	var pause blocked
	if errors.As(err, &pause) {
		a.paused(w, page, f, "code", pause)
		return a.showCode(w, r, v, page, f)
	}
	if err != nil {
		return err
	}
	method, err := a.verifyPasskey(r.Context(), v, r.PostForm.Get("credential"))
	if errors.Is(err, errCeremony) {
		f.fail("code", page.T("passkey.failed"))
		return a.showCode(w, r, v, page, f)
	}
	if err != nil {
		return err
	}
	if err := factorLimit.forgive(r.Context(), a.pool, who); err != nil {
		return err
	}
	return a.stronger(w, r, v, method)
}

func (a *App) removePasskey(w http.ResponseWriter, r *http.Request, v *visitor) error {
	id, err := base64.RawURLEncoding.DecodeString(r.PathValue("id"))
	if err != nil {
		return kit.NotFound()
	}
	if _, err := a.pool.Exec(r.Context(), `DELETE FROM passkey WHERE id = $1 AND person_id = $2`, id, v.person.ID); err != nil {
		return fmt.Errorf("remove passkey: %w", err)
	}
	return a.seeOther(w, r, "/")
}
