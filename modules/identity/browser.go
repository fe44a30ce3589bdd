package identity

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strings"

	"ejustice.dev/operator/modules/kit"
)

// Two cookies belong to a session. The browser's is kept by __Host- from being
// set by a neighbouring domain, which could otherwise sign a person in as
// somebody else; but every module of the tenant sees it. The session's is sent to
// this module alone, so that no other module can act as the person here.
const (
	browserCookie = "__Host-ejustice-browser"
	sessionCookie = "__Secure-ejustice-session"
)

// visitor is who asks for a page.
type visitor struct {
	// browser is the value of the browser's cookie.
	browser string
	// session is nil for a stranger; it may not be done yet.
	session *Session
	person  Person
}

// signedIn says whether every step of the sign-in is done.
func (v *visitor) signedIn() bool { return v.session != nil && v.session.done() }

// visitor finds out who asks, and gives a new browser its cookie.
func (a *App) visitor(w http.ResponseWriter, r *http.Request) (*visitor, error) {
	v := &visitor{}
	if cookie, err := r.Cookie(browserCookie); err == nil && len(cookie.Value) == 43 {
		v.browser = cookie.Value
	} else {
		v.browser = newSecret()
		http.SetCookie(w, &http.Cookie{Name: browserCookie, Value: v.browser, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
		return v, nil
	}
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return v, nil
	}
	if v.session, err = a.sessionOf(r.Context(), cookie.Value, v.browser); err != nil || v.session == nil {
		return v, err
	}
	v.person, err = findPerson(r.Context(), a.pool, "id", v.session.PersonID, a.now())
	return v, err
}

func (a *App) setSession(w http.ResponseWriter, secret string) {
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: secret, Path: a.settings.prefix + "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

func (a *App) clearSession(w http.ResponseWriter) {
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Path: a.settings.prefix + "/", MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// csrf makes the token of a form. It is masked anew each time, so that a
// compressed page does not give it away letter by letter (the BREACH attack).
func (v *visitor) csrf() string {
	pad, token := randomBytes(sha256.Size), csrfSecret(v.browser)
	masked := make([]byte, sha256.Size)
	subtle.XORBytes(masked, pad, token)
	return base64.RawURLEncoding.EncodeToString(append(pad, masked...))
}

func (v *visitor) checkCSRF(token string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) != 2*sha256.Size {
		return false
	}
	subtle.XORBytes(raw[:sha256.Size], raw[:sha256.Size], raw[sha256.Size:])
	return subtle.ConstantTimeCompare(raw[:sha256.Size], csrfSecret(v.browser)) == 1
}

func csrfSecret(browser string) []byte { return digest("form\x00" + browser) }

// maxForm is the most bytes of a form.
const maxForm = 64 << 10

// pageHandler answers a page for a visitor.
type pageHandler func(w http.ResponseWriter, r *http.Request, v *visitor) error

// page makes a handler of a page. A form must carry its token.
func (a *App) page(handle pageHandler) kit.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		v, err := a.visitor(w, r)
		if err != nil {
			return err
		}
		if r.Method == http.MethodPost {
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
			if err := r.ParseForm(); err != nil {
				return badForm()
			}
			if a.origin.Check(r) != nil || !v.checkCSRF(r.PostForm.Get("csrf")) {
				return kit.NewProblem(http.StatusForbidden, "form", "The form cannot be accepted", "It comes from another site, or cookies are not allowed.")
			}
		}
		return handle(w, r, v)
	}
}

func badForm() error {
	return kit.NewProblem(http.StatusBadRequest, "form", "The form cannot be read", "Send it again.")
}

// personal makes a handler of a page that only who is signed in may see; others
// are sent to sign in.
func (a *App) personal(handle pageHandler) kit.Handler {
	return a.page(func(w http.ResponseWriter, r *http.Request, v *visitor) error {
		if !v.signedIn() {
			return a.seeOther(w, r, "/sign-in")
		}
		return handle(w, r, v)
	})
}

// seeOther sends the browser to another page of this module.
func (a *App) seeOther(w http.ResponseWriter, r *http.Request, path string) error {
	http.Redirect(w, r, a.settings.prefix+path, http.StatusSeeOther)
	return nil
}

// allowRedirect lets a form's answer lead on to a client on another host:
// browsers hold redirects after a form to the policy of its page.
func allowRedirect(w http.ResponseWriter, origin string) {
	policy := w.Header().Get("Content-Security-Policy")
	w.Header().Set("Content-Security-Policy", strings.Replace(policy, "form-action 'self'", "form-action 'self' "+origin, 1))
}
