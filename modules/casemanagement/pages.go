package casemanagement

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// listData is what templates/list.html shows.
type listData struct {
	Query    Query
	Courts   []Court
	Types    []CaseType
	Statuses []string
	Cases    []caseView
	FirstURL string // empty on the first page
	NextURL  string // empty on the last page
}

// caseView adds what a page needs to a case: names instead of codes, and times
// in the tenant's zone.
type caseView struct {
	Summary
	Court, Type               map[string]string
	Filed, Received, Register time.Time
}

func (a *App) listPage(w http.ResponseWriter, r *http.Request) error {
	values := r.URL.Query()
	query, err := parseQuery(values, a.settings)
	if err != nil {
		return err
	}
	found, next, err := a.find(r, query)
	if err != nil {
		return err
	}
	data := listData{
		Query: query, Courts: a.settings.Courts, Types: a.settings.CaseTypes,
		Statuses: []string{statusFiled, statusRegistered},
	}
	for _, c := range found {
		data.Cases = append(data.Cases, a.view(c))
	}
	if query.After != (position{}) {
		data.FirstURL = listURL(values, "")
	}
	if cursor := next.String(); cursor != "" {
		data.NextURL = listURL(values, cursor)
	}
	page := a.pages.Page(w, r)
	page.Title, page.Data = page.T("list.title"), data
	return a.pages.Render(w, r, http.StatusOK, "list", page)
}

// listURL is the address of another page of the same search.
func listURL(values url.Values, cursor string) string {
	kept := url.Values{}
	for _, name := range []string{"court", "caseType", "status", "number", "q", "limit"} {
		if value := values.Get(name); value != "" {
			kept.Set(name, value)
		}
	}
	if cursor != "" {
		kept.Set("cursor", cursor)
	}
	return "/?" + kept.Encode()
}

func (a *App) casePage(w http.ResponseWriter, r *http.Request) error {
	c, err := a.caseOf(r)
	if err != nil {
		return err
	}
	page := a.pages.Page(w, r)
	page.Title = c.FilingNumber
	page.Data = struct {
		caseView
		Parties   []Party
		Documents []Document
	}{a.view(c.Summary), c.Parties, c.Documents}
	return a.pages.Render(w, r, http.StatusOK, "case", page)
}

// view prepares a case for a page. A court or type that is no longer
// configured is shown by its code.
func (a *App) view(c Summary) caseView {
	location := a.settings.Tenant.Location()
	view := caseView{
		Summary: c, Court: map[string]string{"": c.CourtCode}, Type: map[string]string{"": c.CaseType},
		Received: c.ReceivedAt.In(location), Register: c.RegisteredAt.In(location),
	}
	if court, found := a.settings.court(c.CourtCode); found {
		view.Court = court.Names
	}
	if caseType, found := a.settings.caseType(c.CaseType); found {
		view.Type = caseType.Names
	}
	// The database keeps a day, so that this cannot fail; a zero day would show.
	view.Filed, _ = time.Parse(time.DateOnly, c.FiledOn)
	return view
}

// MediaKey is the text that names a document's type, when it has a name of its
// own; else "".
func (d Document) MediaKey() string {
	switch {
	case d.MediaType == "application/pdf", d.MediaType == "image/png", d.MediaType == "image/jpeg":
		return ""
	case strings.HasPrefix(d.MediaType, "text/"):
		return "media.text"
	case strings.HasPrefix(d.MediaType, "image/"):
		return "media.image"
	}
	return "media.other"
}

// MediaName is the international name of a document's type, such as PDF.
func (d Document) MediaName() string {
	_, name, _ := strings.Cut(d.MediaType, "/")
	return strings.ToUpper(name)
}

// ShortSHA256 is enough of the digest to compare by eye.
func (d Document) ShortSHA256() string { return d.SHA256[:16] + "…" }
