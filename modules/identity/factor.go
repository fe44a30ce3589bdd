package identity

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"image/png"
	"net/http"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"

	"ejustice.dev/operator/modules/kit"
)

func (a *App) codePage(w http.ResponseWriter, r *http.Request, v *visitor) error {
	return a.showCode(w, r, v, a.pages.Page(w, r), newForm(r, v))
}

// showCode asks for a code, and offers a passkey to those who have one.
func (a *App) showCode(w http.ResponseWriter, r *http.Request, v *visitor, page *kit.Page, f *form) error {
	options, err := a.askForPasskey(r.Context(), v)
	if err != nil {
		return err
	}
	f.More = a.withPasskey(w, r, options, false)
	return a.show(w, r, page, "code", f)
}

// enterCode looks at the second factor: a code of an app, or a recovery code.
func (a *App) enterCode(w http.ResponseWriter, r *http.Request, v *visitor) error {
	page, f := a.pages.Page(w, r), newForm(r, v)
	code := cleanCode(r.PostForm.Get("code"))
	if code == "" {
		f.fail("code", page.T("code.missing"))
		return a.showCode(w, r, v, page, f)
	}
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
	use := a.verifyTOTP
	if len(code) == recoveryLength {
		use = a.useRecoveryCode
	}
	right, err := use(r.Context(), v.person.ID, code)
	if err != nil {
		return err
	}
	if !right {
		f.fail("code", page.T("code.wrong"))
		return a.showCode(w, r, v, page, f)
	}
	if err := factorLimit.forgive(r.Context(), a.pool, who); err != nil {
		return err
	}
	return a.stronger(w, r, v, amrCode)
}

// stronger goes on after the second factor was shown by a method.
func (a *App) stronger(w http.ResponseWriter, r *http.Request, v *visitor, method string) error {
	secret, err := a.strengthen(r.Context(), v.session, method, amrMultiple)
	if err != nil {
		return err
	}
	a.setSession(w, secret)
	return a.proceed(w, r, v)
}

// enrolView is what the page shows to set up a second factor.
type enrolView struct {
	// Picture is a QR code for an authenticator app.
	Picture template.URL
	// Secret is the same to type.
	Secret string
}

func (a *App) factorPage(w http.ResponseWriter, r *http.Request, v *visitor) error {
	return a.showEnrolment(w, r, v, newForm(r, v))
}

func (a *App) showEnrolment(w http.ResponseWriter, r *http.Request, v *visitor, f *form) error {
	secret, err := a.enrolment(r.Context(), v.session)
	if err == nil && secret == "" {
		secret = newTOTPSecret()
		err = a.keepEnrolment(r.Context(), v.session, secret)
	}
	if err != nil {
		return err
	}
	page := a.pages.Page(w, r)
	picture, err := pictureOf(totpAddress(secret, a.webauthn.Config.RPID, v.person.Login))
	if err != nil {
		return err
	}
	f.More = enrolView{Picture: picture, Secret: grouped(secret)}
	return a.show(w, r, page, "factor", f)
}

// pictureOf draws a QR code as an address that holds the picture itself: no
// other server sees the secret, and no cache keeps it.
func pictureOf(text string) (template.URL, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return "", fmt.Errorf("draw QR code: %w", err)
	}
	// Four modules of white all around, as readers need.
	size := 4 * (code.Bounds().Dx() + 8)
	scaled, err := barcode.Scale(code, size, size)
	if err != nil {
		return "", fmt.Errorf("draw QR code: %w", err)
	}
	var out bytes.Buffer
	if err := png.Encode(&out, scaled); err != nil {
		return "", fmt.Errorf("draw QR code: %w", err)
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(out.Bytes())), nil
}

// setUpFactor takes a first code as proof that the app has the secret, and shows
// the recovery codes, once.
func (a *App) setUpFactor(w http.ResponseWriter, r *http.Request, v *visitor) error {
	f := newForm(r, v)
	secret, err := a.enrolment(r.Context(), v.session)
	if err != nil {
		return err
	}
	step, right := totpStep(secret, cleanCode(r.PostForm.Get("code")), a.now())
	if secret == "" || !right {
		f.fail("code", a.pages.Page(w, r).T("factor.wrong"))
		return a.showEnrolment(w, r, v, f)
	}
	codes, err := a.setTOTP(r.Context(), v.person.ID, secret, step)
	if err != nil {
		return err
	}
	cookie, err := a.strengthen(r.Context(), v.session, amrCode, amrMultiple)
	if err != nil {
		return err
	}
	a.setSession(w, cookie)
	f.More = struct {
		Codes []string
		Next  string
	}{codes, a.settings.prefix + "/sign-in/next" + query(r)}
	return a.show(w, r, a.pages.Page(w, r), "recovery", f)
}
