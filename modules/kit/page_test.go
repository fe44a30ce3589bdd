package kit_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"ejustice.dev/operator/modules/kit"
)

func newLanguages(t *testing.T, tags ...string) *kit.Languages {
	t.Helper()
	languages, err := kit.NewLanguages(tags, fstest.MapFS{
		"en.json": {Data: []byte(`{"dir":"ltr","language":"English","hello":"Hello {name}"}`)},
		"fr.json": {Data: []byte(`{"dir":"ltr","language":"Français","hello":"Bonjour {name}"}`)},
		"ar.json": {Data: []byte(`{"dir":"rtl","language":"العربية","hello":"مرحبا {name}"}`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return languages
}

func TestChooseLanguage(t *testing.T) {
	for _, test := range []struct {
		tenant                      []string
		query, cookie, accept, want string
	}{
		{tenant: []string{"ar-PS", "en"}, want: "ar-PS"},
		{tenant: []string{"ar-PS", "en"}, accept: "en-GB,en;q=0.9", want: "en"},
		{tenant: []string{"ar-PS", "en"}, accept: "ja", want: "ar-PS"},
		{tenant: []string{"ar-PS", "en"}, accept: ";;;broken", want: "ar-PS"},
		{tenant: []string{"ar-PS", "en"}, accept: "ar-PS", cookie: "en", want: "en"},
		{tenant: []string{"ar-PS", "en"}, accept: "en", cookie: "en", query: "ar", want: "ar-PS"},
		{tenant: []string{"ar-PS", "en"}, query: "fr", cookie: "en", want: "en"}, // not a language of this tenant
		{tenant: []string{"fr-CI"}, accept: "en", want: "fr-CI"},
		{tenant: []string{"fr-CI"}, accept: "fr-FR", want: "fr-CI"},
		{tenant: []string{"sw"}, want: "en"}, // no catalogue
		{tenant: []string{"sw", "fr"}, want: "fr"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/?lang="+test.query, nil)
		r.Header.Set("Accept-Language", test.accept)
		if test.cookie != "" {
			r.AddCookie(&http.Cookie{Name: "lang", Value: test.cookie})
		}
		w := httptest.NewRecorder()
		got := newLanguages(t, test.tenant...).Choose(w, r)
		if got.Tag != test.want {
			t.Errorf("%+v: got %s", test, got.Tag)
		}
		if test.query == "ar" && !strings.Contains(w.Header().Get("Set-Cookie"), "lang=ar-PS") {
			t.Errorf("the choice is not remembered: %q", w.Header().Get("Set-Cookie"))
		}
		if !strings.Contains(w.Header().Get("Vary"), "Accept-Language") {
			t.Error("Vary is missing")
		}
	}
}

func TestLanguageWrites(t *testing.T) {
	languages := newLanguages(t, "fr", "ar-PS")
	fr, ar := languages.All()[0], languages.All()[1]
	if got := fr.Text("hello", "name", "A"); got != "Bonjour A" {
		t.Error(got)
	}
	names := map[string]string{"fr": "Cour", "ar-JO": "محكمة"}
	if got := ar.Pick(names, "fr"); got != "Cour" {
		t.Errorf("without an own name the tenant's default is better: %s", got)
	}
	if got := ar.Pick(names, "en"); got != "محكمة" {
		t.Error(got)
	}
	if got := fr.Pick(map[string]string{"pt": "Tribunal"}, "en"); got != "Tribunal" {
		t.Error(got)
	}
}

func TestCataloguesMustAgree(t *testing.T) {
	for name, files := range map[string]fstest.MapFS{
		"lacks": {"en.json": {Data: []byte(`{"a":"1","b":"2"}`)}, "fr.json": {Data: []byte(`{"a":"1"}`)}},
		"more":  {"en.json": {Data: []byte(`{"a":"1"}`)}, "fr.json": {Data: []byte(`{"a":"1","b":"2"}`)}},
		"json":  {"en.json": {Data: []byte(`{`)}},
	} {
		if _, err := kit.NewLanguages([]string{"en"}, files); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestPageDatesAndSizes(t *testing.T) {
	page := newPages(t).Page(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/?lang=en", nil))
	at := time.Date(2026, 11, 23, 14, 5, 0, 0, time.UTC)
	for got, want := range map[string]string{
		page.DateTime(at): "23 November 2026, 14:05",
		page.Size(999):    "999 bytes", page.Size(1499): "1 KB", page.Size(1_250_000): "1.3 MB",
		page.Organisation(): "High Judicial Council",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	page = newPages(t).Page(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	if got := page.Date(at); got != "23 تشرين الثاني/نوفمبر 2026" {
		t.Error(got)
	}
}

func TestRenderCompressed(t *testing.T) {
	pages := newPages(t)
	for _, test := range []struct {
		accept string
		packed bool
	}{{"", false}, {"br, gzip", true}, {"gzip;q=0", false}, {"gzip; q=0.5", true}, {"x-gzip-not", false}} {
		r := httptest.NewRequest(http.MethodGet, "/?lang=en", nil)
		r.Header.Set("Accept-Encoding", test.accept)
		w := httptest.NewRecorder()
		page := pages.Page(w, r)
		page.Title, page.Data = "<Hello>", ""
		if err := pages.Render(w, r, http.StatusOK, "hello", page); err != nil {
			t.Fatal(err)
		}
		var body io.Reader = w.Body
		if packed := w.Header().Get("Content-Encoding") == "gzip"; packed != test.packed {
			t.Errorf("%q: compressed = %v", test.accept, packed)
		} else if packed {
			unpacked, err := gzip.NewReader(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			body = unpacked
		}
		html, err := io.ReadAll(body)
		if err != nil || !strings.Contains(string(html), "<h1>&lt;Hello&gt;</h1>") {
			t.Errorf("%q: %v\n%s", test.accept, err, html)
		}
	}
}

// What several pages share is written once, and gets one item of a list.
func TestPartsOfPages(t *testing.T) {
	words := fstest.MapFile{Data: []byte(`{"title":"Title"}`)}
	module := fstest.MapFS{
		"locales/en.json":             {Data: words.Data},
		"locales/fr.json":             {Data: words.Data},
		"locales/ar.json":             {Data: words.Data},
		"templates/partials/row.html": {Data: []byte(`{{define "row"}}<i>{{.T "title"}} {{.Item}}</i>{{end}}`)},
		"templates/one.html":          {Data: []byte(`{{define "content"}}{{$page := .}}{{range .Data}}{{template "row" ($page.With .)}}{{end}}{{end}}`)},
	}
	pages, err := kit.NewPages(kit.Tenant{Languages: []string{"en"}}, module)
	if err != nil {
		t.Fatal(err)
	}
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
	page := pages.Page(w, r)
	page.Data = []string{"a", "<b>"}
	if err := pages.Render(w, r, http.StatusOK, "one", page); err != nil {
		t.Fatal(err)
	}
	if body := w.Body.String(); !strings.Contains(body, "<i>Title a</i><i>Title &lt;b&gt;</i>") {
		t.Errorf("body = %s", body)
	}
	module["templates/partials/row.html"] = &fstest.MapFile{Data: []byte(`{{define "row"}}{{`)}
	if _, err := kit.NewPages(kit.Tenant{Languages: []string{"en"}}, module); err == nil {
		t.Error("a broken part is taken")
	}
}
