package kit

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Handler answers a request or returns an error, which becomes a problem (for
// an API) or an error page.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Router is a module's HTTP front. It routes with http.ServeMux patterns and
// adds to every route: request id, security headers, access log, metrics,
// errors as answers, and 503 until the module is ready to work.
type Router struct {
	mux     *http.ServeMux
	routes  []string
	log     *slog.Logger
	pages   *Pages
	metrics *metrics
	health  *health
	origin  *http.CrossOriginProtection
	forward http.HandlerFunc // takes every request when it is set
}

// NewRouter makes a router that already serves the style sheet and answers
// unknown addresses. The module is ready when it is prepared and every check
// succeeds.
func NewRouter(log *slog.Logger, pages *Pages, checks ...Check) *Router {
	router := &Router{
		mux:     http.NewServeMux(),
		log:     log,
		pages:   pages,
		metrics: newMetrics(),
		health:  &health{checks: checks},
		origin:  http.NewCrossOriginProtection(),
	}
	router.handle("GET /static/{version}/style.css", func(w http.ResponseWriter, r *http.Request) {
		serveStyle(w, r, r.PathValue("version"))
	})
	router.mux.HandleFunc("/", router.observed("unknown", router.answer(router.unknown, router.pageError)))
	router.mux.HandleFunc("/api/", router.observed("unknown", router.answer(router.unknown, router.apiError)))
	return router
}

// API registers a route whose errors are answered as RFC 9457 problems. A
// browser may not write through it from a foreign site.
func (router *Router) API(pattern string, handler Handler) {
	router.handle(pattern, router.whenReady(router.answer(func(w http.ResponseWriter, r *http.Request) error {
		if router.origin.Check(r) != nil {
			return NewProblem(http.StatusForbidden, "cross-origin", "Not allowed from another site",
				"Requests that change something must come from this site.")
		}
		return handler(w, r)
	}, router.apiError), router.apiError))
}

// Page registers a route whose errors are answered as pages in the reader's
// language.
func (router *Router) Page(pattern string, handler Handler) {
	router.handle(pattern, router.whenReady(router.answer(handler, router.pageError), router.pageError))
}

// Forward gives every request to handler, with the address as the client wrote
// it, instead of to routes: for a module that stands before others. Whatever it
// passes on keeps the headers it came with. Errors are answered as problems below
// /api/ and as pages elsewhere. route says how a request is called in the log and
// the metrics: one of few names, never a path.
func (router *Router) Forward(route func(*http.Request) string, handler Handler) {
	fail := func(w http.ResponseWriter, r *http.Request, err error) {
		if strings.HasPrefix(r.URL.Path, "/api/") {
			router.apiError(w, r, err)
			return
		}
		router.pageError(w, r, err)
	}
	router.forward = router.observedBy(route, router.whenReady(router.answer(handler, fail), fail))
}

// probes serves what the kubelet and the monitoring ask, on a listener of its
// own: nobody else reaches it, and nothing else is there.
func (router *Router) probes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", router.health.live)
	mux.HandleFunc("GET /readyz", router.health.ready)
	mux.Handle("GET /metrics", router.metrics.handler())
	return mux
}

// Routes lists every registered pattern.
func (router *Router) Routes() []string { return slices.Clone(router.routes) }

func (router *Router) handle(pattern string, handler http.HandlerFunc) {
	router.routes = append(router.routes, pattern)
	router.mux.HandleFunc(pattern, router.observed(pattern, handler))
}

func (router *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r = withRequestID(w, r)
	if router.health.draining.Load() {
		// Ask the client to come back on a new connection, to another replica.
		w.Header().Set("Connection", "close")
	}
	if router.forward != nil {
		router.forward(w, r)
		return
	}
	setSecurityHeaders(w.Header())
	router.mux.ServeHTTP(w, r)
}

// observed logs and measures a route.
func (router *Router) observed(route string, next http.HandlerFunc) http.HandlerFunc {
	return router.observedBy(func(*http.Request) string { return route }, next)
}

func (router *Router) observedBy(name func(*http.Request) string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		start, route := time.Now(), name(r)
		recorder := &statusRecorder{ResponseWriter: w}
		defer func() {
			crash := recover()
			if crash != nil && crash != http.ErrAbortHandler {
				router.log.Error("request crashed", "route", route, "request_id", RequestID(r.Context()),
					"panic", fmt.Sprintf("%T", crash), "stack", string(debug.Stack()))
				if recorder.status == 0 {
					router.apiError(recorder, r, fmt.Errorf("crash in %s", route))
				} else {
					crash = http.ErrAbortHandler
				}
			}
			took := time.Since(start)
			router.metrics.observe(route, recorder.code(), took)
			router.log.Info("request", "route", route, "method", r.Method, "status", recorder.code(),
				"duration_ms", took.Milliseconds(), "bytes", recorder.bytes, "request_id", RequestID(r.Context()))
			if crash == http.ErrAbortHandler {
				panic(crash)
			}
		}()
		next(recorder, r)
	}
}

type failure func(w http.ResponseWriter, r *http.Request, err error)

// answer turns a handler's error into an answer. When the answer has already
// begun, the connection is cut instead, so that half a document never looks
// whole; when the client has gone, nobody reads an answer.
func (router *Router) answer(handler Handler, fail failure) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := handler(w, r)
		recorder := w.(*statusRecorder) // made by observed
		switch {
		case err == nil:
		case r.Context().Err() != nil:
			recorder.status = statusClientGone
			panic(http.ErrAbortHandler)
		case recorder.status != 0:
			router.log.Error("answer cut", "error", err, "request_id", RequestID(r.Context()))
			panic(http.ErrAbortHandler)
		default:
			fail(w, r, err)
		}
	}
}

// statusClientGone is what the log and the metrics say when the client left
// before its answer, so that it does not count as a fault of ours.
const statusClientGone = 499

// whenReady refuses work before the module is prepared: a pod may be reached
// directly although no Service sends to it.
func (router *Router) whenReady(next http.HandlerFunc, fail failure) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !router.health.prepared.Load() {
			fail(w, r, TryLater("The service is starting."))
			return
		}
		next(w, r)
	}
}

func (router *Router) apiError(w http.ResponseWriter, r *http.Request, err error) {
	router.prepareError(w, r, err).write(w)
}

func (router *Router) pageError(w http.ResponseWriter, r *http.Request, err error) {
	problem := router.prepareError(w, r, err)
	if err := router.pages.renderError(w, r, problem.Status); err != nil {
		router.log.Error("error page failed", "error", err, "request_id", RequestID(r.Context()))
		problem.write(w)
	}
}

func (router *Router) prepareError(w http.ResponseWriter, r *http.Request, err error) *Problem {
	problem := asProblem(err)
	if problem.Status >= http.StatusInternalServerError {
		router.log.Error("request failed", "error", err, "request_id", RequestID(r.Context()))
	}
	for _, name := range []string{"Content-Encoding", "Content-Disposition", "ETag", "Location"} {
		w.Header().Del(name)
	}
	setSecurityHeaders(w.Header())
	if problem.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(problem.RetryAfter))
	}
	return problem
}

// unknown answers what no route matches: 405 when the address exists for
// another method, else 404.
func (router *Router) unknown(w http.ResponseWriter, r *http.Request) error {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := router.mux.Handler(other); pattern != "/" && pattern != "/api/" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		return NotFound()
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	return NewProblem(http.StatusMethodNotAllowed, "method-not-allowed", "Method not allowed",
		"This address answers to "+strings.Join(allowed, ", ")+".")
}

// setSecurityHeaders allows our own style sheet and forms, and nothing else: no
// script, no frame, no foreign origin.
func setSecurityHeaders(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src data:; "+
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Robots-Tag", "noindex, nofollow")
	// Court data stays out of every cache unless a handler knows better.
	h.Set("Cache-Control", "no-store")
}

// statusRecorder remembers what was answered, for the log and the metrics.
type statusRecorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (s *statusRecorder) WriteHeader(status int) {
	if s.status == 0 && status >= http.StatusOK { // below is said before the answer
		s.status = status
	}
	s.ResponseWriter.WriteHeader(status)
}

func (s *statusRecorder) Write(p []byte) (int, error) {
	if s.status == 0 {
		s.status = http.StatusOK
	}
	n, err := s.ResponseWriter.Write(p)
	s.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (s *statusRecorder) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s *statusRecorder) code() int {
	if s.status == 0 {
		return http.StatusOK
	}
	return s.status
}
