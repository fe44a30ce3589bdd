package frontdoor

import (
	"embed"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"

	"golang.org/x/sync/semaphore"

	"ejustice.dev/operator/modules/kit"
)

//go:embed locales
var files embed.FS

const (
	// modulePort is where every module listens for requests.
	modulePort = "8443"
	// strictTransport tells browsers to come only over TLS for a year. It leaves
	// subdomains alone: they may be somebody else's.
	strictTransport = "max-age=31536000"
)

// Door passes requests to modules.
type Door struct {
	settings *Settings
	pages    *kit.Pages
	modules  map[string]http.RoundTripper
	replays  *semaphore.Weighted
	errorLog *log.Logger
}

// New prepares the front door. inside is its certificate for the modules, dial
// how they are reached: (&net.Dialer{}).DialContext outside tests.
func New(settings *Settings, inside *kit.TLS, dial kit.Dial) (*Door, error) {
	pages, err := kit.NewPages(settings.Tenant, files)
	if err != nil {
		return nil, fmt.Errorf("prepare pages: %w", err)
	}
	d := &Door{settings: settings, pages: pages, modules: map[string]http.RoundTripper{}, replays: semaphore.NewWeighted(maxReplays)}
	for _, r := range settings.Routes {
		if d.modules[r.Module] == nil {
			d.modules[r.Module] = again{inside.Transport(dial)}
		}
	}
	return d, nil
}

// Router serves the front door.
func (d *Door) Router(log *slog.Logger) *kit.Router {
	d.errorLog = slog.NewLogLogger(log.Handler(), slog.LevelWarn)
	router := kit.NewRouter(log, d.pages)
	router.Forward(d.route, d.handle)
	return router
}

// route names a request by the module that answers it.
func (d *Door) route(r *http.Request) string {
	if module := d.settings.module(r.URL.Path); module != "" && d.ours(r.Host) {
		return "module " + module
	}
	return "none"
}

func (d *Door) handle(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Strict-Transport-Security", strictTransport)
	if !d.ours(r.Host) {
		return kit.NewProblem(http.StatusMisdirectedRequest, "misdirected", "Not the address of this service",
			"The service answers under another name.")
	}
	if kit.ServeStyle(w, r) {
		return nil
	}
	module := d.settings.module(r.URL.Path)
	if module == "" {
		return kit.NotFound()
	}
	if roundabout(r.URL.Path) {
		return kit.NewProblem(http.StatusBadRequest, "address", "The address is not correct", "A path may not contain . or .. as a part.")
	}
	release, err := d.keepBody(r)
	if err != nil {
		return err
	}
	defer release()
	return d.pass(w, r, module)
}

// ours says whether a Host header names the tenant's domain, on whatever port.
func (d *Door) ours(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.EqualFold(host, d.settings.Host)
}

// roundabout says whether a path means another one, which might be of another
// module.
func roundabout(path string) bool {
	return slices.ContainsFunc(strings.Split(path, "/"), func(part string) bool { return part == "." || part == ".." })
}

// pass sends a request to a module and its answer to the client.
func (d *Door) pass(w http.ResponseWriter, r *http.Request, module string) error {
	body := &clientBody{ReadCloser: r.Body}
	if r.Body != http.NoBody {
		r.Body = body
	}
	var failed error
	proxy := httputil.ReverseProxy{
		Transport: d.modules[module],
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme = "https"
			p.Out.URL.Host = net.JoinHostPort(module+"."+d.settings.Namespace+".svc", modulePort)
			setForwarded(p)
		},
		ModifyResponse: func(answer *http.Response) error {
			// What is ours to say, once.
			for _, name := range []string{"Strict-Transport-Security", "X-Request-Id"} {
				w.Header().Del(name)
			}
			answer.Header.Set("Strict-Transport-Security", strictTransport)
			answer.Header.Set("X-Request-Id", kit.RequestID(r.Context()))
			return nil
		},
		ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) { failed = err },
		ErrorLog:     d.errorLog,
	}
	proxy.ServeHTTP(w, r)
	switch {
	case failed == nil:
		return nil
	case body.failed.Load():
		return incomplete()
	default:
		return fmt.Errorf("module %s: %w: %w", module, failed,
			kit.TryLater("This part of the service does not answer. Send the request again with the same Idempotency-Key: nothing is stored twice."))
	}
}

// setForwarded tells the module who calls. ReverseProxy has taken away what the
// client itself said under the usual names; the others of the family go too, lest
// a module believe them one day.
func setForwarded(p *httputil.ProxyRequest) {
	for name := range p.Out.Header {
		if strings.HasPrefix(name, "X-Forwarded-") {
			p.Out.Header.Del(name)
		}
	}
	p.Out.Header.Del("Forwarded")
	p.Out.Header.Del("X-Real-Ip")
	// We have answered it ourselves.
	p.Out.Header.Del("Expect")
	p.SetXForwarded()
	p.Out.Header.Set("X-Request-Id", kit.RequestID(p.In.Context()))
}
