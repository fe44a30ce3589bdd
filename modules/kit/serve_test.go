package kit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ejustice.dev/operator/modules/kit"
	"ejustice.dev/operator/modules/kit/pgtest"
	"ejustice.dev/operator/modules/kit/tlstest"
)

// moduleName and callerName are whose certificates the two sides have.
const (
	moduleName = "cases.justice-palestine.svc"
	callerName = "frontdoor.justice-palestine.svc"
)

// running is a module under test.
type running struct {
	url, health string
	client      *http.Client // of one who may call
	probes      *http.Client // of one without a certificate
	stop        context.CancelFunc
	done        chan error
	log         *lockedBuffer
}

type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

func run(t *testing.T, db kit.Database, prepare func(context.Context) error, drain time.Duration, add func(*kit.Router)) running {
	t.Helper()
	authority := tlstest.New(t)
	r := serve(t, authority.Folder(t, moduleName), drain, prepare, func(log *slog.Logger) *kit.Router {
		pool := openPool(t, db)
		router := kit.NewRouter(log, newPages(t), kit.Check{Name: "the database", Run: pool.Ping})
		router.WatchPool(pool)
		add(router)
		return router
	})
	r.client, r.probes = authority.Client(t, moduleName, callerName), authority.Client(t, moduleName)
	return r
}

// serve runs a module with the certificate in a folder.
func serve(t *testing.T, folder string, drain time.Duration, prepare func(context.Context) error, newRouter func(*slog.Logger) *kit.Router) running {
	t.Helper()
	buffer := &lockedBuffer{}
	log := kit.NewLogger(buffer, "test")
	certificate, err := kit.ReadTLS(folder, log)
	if err != nil {
		t.Fatal(err)
	}
	requests, health := tlstest.Listen(t), tlstest.Listen(t)
	ctx, stop := context.WithCancel(context.Background())
	r := running{url: "https://" + requests.Addr().String(), health: "https://" + health.Addr().String(),
		stop: stop, done: make(chan error, 1), log: buffer}
	server := kit.Server{Listener: requests, Health: health, Router: newRouter(log), TLS: certificate, Clients: []string{callerName},
		Prepare: prepare, Drain: drain, Log: log}
	go func() { r.done <- server.Run(ctx) }()
	t.Cleanup(func() { stop(); <-r.done })
	return r
}

// get asks the module, as one who may call.
func (r running) get(t *testing.T, path string) (int, string, http.Header) {
	t.Helper()
	return fetch(t, r.client, r.url+path)
}

// probe asks the health listener, without a certificate.
func (r running) probe(t *testing.T, path string) (int, string) {
	t.Helper()
	code, body, _ := fetch(t, r.probes, r.health+path)
	return code, body
}

func fetch(t *testing.T, client *http.Client, url string) (int, string, http.Header) {
	t.Helper()
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body), response.Header
}

func (r running) awaitReady(t *testing.T) {
	t.Helper()
	await(t, "readiness", func() bool { code, _ := r.probe(t, "/readyz"); return code == http.StatusOK })
}

func prepared(context.Context) error { return nil }

func hello(w http.ResponseWriter, _ *http.Request) error {
	return kit.WriteJSON(w, http.StatusOK, "hello")
}

func TestReadinessFollowsMigrations(t *testing.T) {
	var attempts atomic.Int32
	migrate := func(context.Context) error {
		if attempts.Add(1) == 1 {
			return errors.New("the database is not there yet")
		}
		return nil
	}
	proceed := make(chan struct{})
	r := run(t, pgtest.Database(t), func(ctx context.Context) error { <-proceed; return migrate(ctx) }, 0,
		func(router *kit.Router) { router.API("GET /api/hello", hello) })
	if code, body := r.probe(t, "/readyz"); code != 503 || !strings.Contains(body, "not prepared") {
		t.Errorf("readyz = %d %q", code, body)
	}
	if code, _ := r.probe(t, "/livez"); code != 200 {
		t.Errorf("livez = %d", code)
	}
	if code, body, header := r.get(t, "/api/hello"); code != 503 || !strings.Contains(body, "starting") || header.Get("Retry-After") == "" {
		t.Errorf("work before it is prepared: %d %s", code, body)
	}
	close(proceed)
	r.awaitReady(t)
	if code, _, _ := r.get(t, "/api/hello"); code != 200 || attempts.Load() != 2 {
		t.Errorf("when prepared: %d, attempts %d", code, attempts.Load())
	}
}

func TestReadinessNeedsTheDatabase(t *testing.T) {
	db := pgtest.Database(t)
	db.Host = t.TempDir() // nobody listens there
	r := run(t, db, prepared, 0, func(*kit.Router) {})
	await(t, "the database to be missed", func() bool {
		code, body := r.probe(t, "/readyz")
		return code == 503 && strings.Contains(body, "database does not answer")
	})
	if code, _ := r.probe(t, "/livez"); code != 200 {
		t.Error("a module must live while its database is away")
	}
}

// A rolling update: while the module drains it is unready but serves, a request
// under way finishes, and then it ends without an error.
func TestShutdownDropsNothing(t *testing.T) {
	entered, finish := make(chan struct{}), make(chan struct{})
	r := run(t, pgtest.Database(t), prepared, 300*time.Millisecond, func(router *kit.Router) {
		router.API("GET /api/hello", hello)
		router.API("GET /api/slow", func(w http.ResponseWriter, req *http.Request) error {
			close(entered)
			<-finish
			return hello(w, req)
		})
	})
	r.awaitReady(t)
	slow := make(chan error, 1)
	go func() {
		response, err := r.client.Get(r.url + "/api/slow")
		if err == nil {
			_, err = io.ReadAll(response.Body)
			response.Body.Close()
		}
		slow <- err
	}()
	<-entered
	r.stop()
	await(t, "unreadiness", func() bool { code, _ := r.probe(t, "/readyz"); return code == 503 })
	response, err := r.client.Get(r.url + "/api/hello")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 200 || !response.Close {
		t.Errorf("while draining: %d, the client told to leave: %v", response.StatusCode, response.Close)
	}
	await(t, "the listener to close", func() bool {
		connection, err := net.Dial("tcp", strings.TrimPrefix(r.url, "https://"))
		if err == nil {
			connection.Close()
		}
		return err != nil
	})
	close(finish)
	if err := <-slow; err != nil {
		t.Errorf("the request under way was dropped: %v", err)
	}
	err = <-r.done
	r.done <- err
	if err != nil {
		t.Errorf("run: %v", err)
	}
}

func TestErrorsBecomeAnswers(t *testing.T) {
	r := run(t, pgtest.Database(t), prepared, 0, func(router *kit.Router) {
		router.API("GET /api/secret", func(http.ResponseWriter, *http.Request) error { return errors.New("inner detail") })
		router.API("GET /api/crash", func(http.ResponseWriter, *http.Request) error { panic("inner detail") })
		router.API("GET /api/fields", func(http.ResponseWriter, *http.Request) error {
			return fmt.Errorf("wrapped: %w", kit.FieldErrors{{Field: "a", Message: "is required"}})
		})
		router.API("GET /api/late", func(http.ResponseWriter, *http.Request) error {
			return fmt.Errorf("query: %w", context.DeadlineExceeded)
		})
		router.API("POST /api/write", hello)
		router.Page("GET /secret", func(http.ResponseWriter, *http.Request) error { return errors.New("inner detail") })
	})
	r.awaitReady(t)
	for path, want := range map[string]int{
		"/api/secret": 500, "/api/crash": 500, "/api/fields": 400, "/api/late": 503, "/api/none": 404, "/api/write": 405,
		"/secret": 500, "/none": 404,
	} {
		code, body, header := r.get(t, path)
		if code != want || strings.Contains(body, "inner detail") {
			t.Errorf("%s: %d, want %d\n%s", path, code, want, body)
		}
		if header.Get("X-Request-Id") == "" || header.Get("Cache-Control") != "no-store" || !strings.Contains(header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: headers are missing: %v", path, header)
		}
		if !strings.HasPrefix(path, "/api/") {
			if !strings.Contains(body, `<html lang="ar-PS" dir="rtl">`) {
				t.Errorf("%s: not a page in the tenant's language:\n%s", path, body)
			}
			continue
		}
		var problem kit.Problem
		if err := json.Unmarshal([]byte(body), &problem); err != nil || header.Get("Content-Type") != "application/problem+json" ||
			problem.Status != want || problem.Type == "" || problem.Title == "" {
			t.Errorf("%s: not a problem: %v %s", path, err, body)
		}
	}
	if _, _, header := r.get(t, "/api/write"); header.Get("Allow") != "POST" {
		t.Errorf("Allow = %q", header.Get("Allow"))
	}
	request, _ := http.NewRequest(http.MethodPost, r.url+"/api/write", nil)
	request.Header.Set("Sec-Fetch-Site", "cross-site")
	response, err := r.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusForbidden {
		t.Errorf("a write from a foreign site: %d", response.StatusCode)
	}
}

// A fault in the middle of an answer must be seen by the client, and must not
// look like content.
func TestBrokenAnswersAreCut(t *testing.T) {
	r := run(t, pgtest.Database(t), prepared, 0, func(router *kit.Router) {
		begin := func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
		}
		router.API("GET /api/fails", func(w http.ResponseWriter, _ *http.Request) error {
			begin(w)
			return errors.New("the database went away")
		})
		router.API("GET /api/crashes", func(w http.ResponseWriter, _ *http.Request) error {
			begin(w)
			panic("crash")
		})
		router.API("GET /api/waits", func(_ http.ResponseWriter, r *http.Request) error {
			<-r.Context().Done()
			return r.Context().Err()
		})
	})
	r.awaitReady(t)
	for _, path := range []string{"/api/fails", "/api/crashes"} {
		response, err := r.client.Get(r.url + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if !errors.Is(err, io.ErrUnexpectedEOF) || string(body) != "half" {
			t.Errorf("%s: %q, error %v", path, body, err)
		}
	}
	ctx, leave := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer leave()
	request, _ := http.NewRequestWithContext(ctx, http.MethodGet, r.url+"/api/waits", nil)
	if response, err := r.client.Do(request); err == nil {
		response.Body.Close()
		t.Error("the client did not leave")
	}
	await(t, "the log", func() bool { return strings.Contains(r.log.String(), `"status":499`) })
	if n := strings.Count(r.log.String(), `"level":"ERROR"`); n != 2 {
		t.Errorf("%d errors in the log, want 2:\n%s", n, r.log.String())
	}
}

func TestLogAndMetricsHoldNoPaths(t *testing.T) {
	r := run(t, pgtest.Database(t), prepared, 0, func(router *kit.Router) {
		router.API("GET /api/cases/{id}", func(w http.ResponseWriter, r *http.Request) error { return hello(w, r) })
	})
	r.awaitReady(t)
	request, _ := http.NewRequest(http.MethodGet, r.url+"/api/cases/secret-id?q=secret-name", nil)
	request.Header.Set("X-Request-Id", "abc-123")
	response, err := r.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.Header.Get("X-Request-Id") != "abc-123" {
		t.Error("the caller's request id is lost")
	}
	r.get(t, "/secret-path")
	_, metrics := r.probe(t, "/metrics")
	await(t, "the log line", func() bool { return strings.Contains(r.log.String(), `"request_id":"abc-123"`) })
	for name, text := range map[string]string{"log": r.log.String(), "metrics": metrics} {
		if strings.Contains(text, "secret") {
			t.Errorf("the %s holds what was asked for:\n%s", name, text)
		}
		if !strings.Contains(text, "GET /api/cases/{id}") {
			t.Errorf("the %s lacks the route:\n%s", name, text)
		}
	}
	if !strings.Contains(metrics, "database_connections_max 8") {
		t.Error("the pool is not measured")
	}
}

func TestStyleIsKeptOnlyUnderItsOwnName(t *testing.T) {
	r := run(t, pgtest.Database(t), prepared, 0, func(*kit.Router) {})
	r.awaitReady(t)
	page := newPages(t).Page(nilWriter{}, mustRequest(t))
	for path, want := range map[string]string{
		page.Style():              "public, max-age=31536000, immutable",
		"/static/other/style.css": "no-cache",
	} {
		code, body, header := r.get(t, path)
		if code != 200 || header.Get("Cache-Control") != want || !strings.Contains(body, "body {") {
			t.Errorf("%s: %d %q", path, code, header.Get("Cache-Control"))
		}
	}
}

type nilWriter struct{}

func (nilWriter) Header() http.Header         { return http.Header{} }
func (nilWriter) Write(p []byte) (int, error) { return len(p), nil }
func (nilWriter) WriteHeader(int)             {}

func mustRequest(t *testing.T) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
