package kit

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
)

//go:embed locales templates
var files embed.FS

// Pages renders a module's pages inside the common frame.
type Pages struct {
	tenant    Tenant
	languages *Languages
	templates map[string]*template.Template
}

// NewPages reads a module's templates/*.html and locales/*.json. Each template
// defines "content" and is named by its file: "case" for case.html. What several
// of them share is defined in templates/partials/*.html.
func NewPages(tenant Tenant, module fs.FS) (*Pages, error) {
	var catalogues []fs.FS
	for _, source := range []fs.FS{files, module} {
		folder, err := fs.Sub(source, "locales")
		if err != nil {
			return nil, fmt.Errorf("find catalogues: %w", err)
		}
		catalogues = append(catalogues, folder)
	}
	languages, err := NewLanguages(tenant.Languages, catalogues...)
	if err != nil {
		return nil, err
	}
	frame, err := template.ParseFS(files, "templates/frame.html")
	if err != nil {
		return nil, fmt.Errorf("read page frame: %w", err)
	}
	partials, err := fs.Glob(module, "templates/partials/*.html")
	if err != nil {
		return nil, fmt.Errorf("list parts of pages: %w", err)
	}
	if len(partials) > 0 {
		if frame, err = frame.ParseFS(module, partials...); err != nil {
			return nil, fmt.Errorf("read parts of pages: %w", err)
		}
	}
	pages := &Pages{tenant: tenant, languages: languages, templates: map[string]*template.Template{}}
	if err := pages.add(frame, files, "templates/error.html"); err != nil {
		return nil, err
	}
	names, err := fs.Glob(module, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("list pages: %w", err)
	}
	for _, name := range names {
		if err := pages.add(frame, module, name); err != nil {
			return nil, err
		}
	}
	return pages, nil
}

func (p *Pages) add(frame *template.Template, source fs.FS, file string) error {
	clone, err := frame.Clone()
	if err != nil {
		return fmt.Errorf("copy page frame: %w", err)
	}
	page, err := clone.ParseFS(source, file)
	if err != nil {
		return fmt.Errorf("read page %s: %w", file, err)
	}
	p.templates[strings.TrimSuffix(path.Base(file), ".html")] = page
	return nil
}

// Page is what a template sees. Its methods write in the reader's language.
type Page struct {
	*Language
	Title string
	Data  any

	tenant    Tenant
	languages *Languages
	url       *url.URL
}

// Page begins an answer in the reader's language.
func (p *Pages) Page(w http.ResponseWriter, r *http.Request) *Page {
	return &Page{Language: p.languages.Choose(w, r), tenant: p.tenant, languages: p.languages, url: r.URL}
}

// T is Text, short for templates.
func (p *Page) T(key string, pairs ...any) string { return p.Text(key, pairs...) }

// Part is a page with one item of it, for a template that several share.
type Part struct {
	*Page
	Item any
}

// With gives an item to a shared template: {{template "row" (.With .)}}.
func (p *Page) With(item any) Part { return Part{p, item} }

// Organisation is the tenant's name in the reader's language.
func (p *Page) Organisation() string {
	return p.NameOf(p.tenant.DisplayNames)
}

// NameOf picks from names by language.
func (p *Page) NameOf(names map[string]string) string {
	return p.Pick(names, p.languages.Default().Tag)
}

// TimeZone is the zone in which the pages show times.
func (p *Page) TimeZone() string { return p.tenant.TimeZone }

// Style is the address of the style sheet.
func (p *Page) Style() string { return stylePath }

// Switch is one entry of the language switch.
type Switch struct {
	*Language
	Current bool
	URL     string
}

// Switches links to this same page in each language, when there are several.
func (p *Page) Switches() []Switch {
	var switches []Switch
	if len(p.languages.All()) == 1 {
		return nil
	}
	for _, l := range p.languages.All() {
		query := p.url.Query()
		query.Set("lang", l.Tag)
		switches = append(switches, Switch{l, l == p.Language, p.url.Path + "?" + query.Encode()})
	}
	return switches
}

// Render answers with the named page. The page is finished before the first
// byte is sent, so that a fault gives an error page and never half a page.
func (p *Pages) Render(w http.ResponseWriter, r *http.Request, status int, name string, page *Page) error {
	var html bytes.Buffer
	if err := p.templates[name].ExecuteTemplate(&html, "frame", page); err != nil {
		return fmt.Errorf("render page %s: %w", name, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", page.Tag)
	return writeCompressed(w, r, status, html.Bytes())
}

func (p *Pages) renderError(w http.ResponseWriter, r *http.Request, status int) error {
	page := p.Page(w, r)
	kind := strconv.Itoa(status)
	switch status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusMisdirectedRequest, http.StatusServiceUnavailable:
	case http.StatusMethodNotAllowed:
		kind = "404"
	default:
		kind = "500"
	}
	page.Title = page.T("error." + kind + ".title")
	page.Data = page.T("error." + kind + ".text")
	return p.Render(w, r, status, "error", page)
}

// writeCompressed sends a body with gzip to those who take it: most of our
// readers pay for each kilobyte.
func writeCompressed(w http.ResponseWriter, r *http.Request, status int, body []byte) error {
	h := w.Header()
	h.Add("Vary", "Accept-Encoding")
	if acceptsGzip(r) {
		var packed bytes.Buffer
		zip := gzip.NewWriter(&packed)
		if _, err := zip.Write(body); err != nil {
			return fmt.Errorf("compress: %w", err)
		}
		if err := zip.Close(); err != nil {
			return fmt.Errorf("compress: %w", err)
		}
		h.Set("Content-Encoding", "gzip")
		body = packed.Bytes()
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, err := w.Write(body)
	return err
}

func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		coding, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if coding == "gzip" {
			return strings.ReplaceAll(params, " ", "") != "q=0"
		}
	}
	return false
}
