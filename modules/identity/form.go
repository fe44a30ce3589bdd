package identity

import (
	"net/http"
	"net/url"

	"ejustice.dev/operator/modules/kit"
)

// fault is one thing that is wrong with a form, in the reader's language.
type fault struct{ Field, Text string }

// form is what a page with a form shows.
type form struct {
	CSRF string
	// Values are what was sent, without secrets.
	Values url.Values
	Faults []fault
	// More is what the page shows beside its form.
	More any

	status int
}

func newForm(r *http.Request, v *visitor) *form {
	f := &form{CSRF: v.csrf(), Values: url.Values{}, status: http.StatusOK}
	for name, values := range r.PostForm {
		if name != "password" && name != "again" && name != "current" && name != "code" && name != "credential" {
			f.Values[name] = values
		}
	}
	return f
}

// fail notes a fault, and with it that the answer is a form with faults.
func (f *form) fail(field, text string) {
	f.Faults, f.status = append(f.Faults, fault{field, text}), http.StatusUnprocessableEntity
}

// Value is what was sent in a field.
func (f *form) Value(field string) string { return f.Values.Get(field) }

// Fault is what is wrong with a field, or empty.
func (f *form) Fault(field string) string {
	for _, one := range f.Faults {
		if one.Field == field {
			return one.Text
		}
	}
	return ""
}

// show answers with a page and its form.
func (a *App) show(w http.ResponseWriter, r *http.Request, page *kit.Page, name string, f *form) error {
	page.Title, page.Data = page.T(name+".title"), f
	if len(f.Faults) > 0 {
		page.Title = page.T("form.error") + " " + page.Title
	}
	return a.pages.Render(w, r, f.status, name, page)
}

// message answers with a page that only says something.
func (a *App) message(w http.ResponseWriter, r *http.Request, status int, name string) error {
	page := a.pages.Page(w, r)
	page.Title, page.Data = page.T(name+".title"), page.T(name+".text")
	return a.pages.Render(w, r, status, "message", page)
}
