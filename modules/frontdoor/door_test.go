package frontdoor

import (
	"bytes"
	"context"
	"crypto/tls"
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
	"ejustice.dev/operator/modules/kit/tlstest"
)

const (
	host      = "courts.example.ps"
	namespace = "justice-palestine"
	ownName   = "frontdoor." + namespace + ".svc"
)

// tenant is a running front door and what stands around it.
type tenant struct {
	authority, issuer *tlstest.Authority // of the tenant inside, and of its public certificate
	publicFolder      string
	url, health       string
	client            *http.Client // a person's browser
	modules           sync.Map     // module's address by name, to where it listens
	log               *lockedBuffer
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

// open runs a front door as cmd/frontdoor does.
func open(t *testing.T) *tenant {
	t.Helper()
	p := &tenant{authority: tlstest.New(t), issuer: tlstest.New(t), log: &lockedBuffer{}}
	p.publicFolder = p.issuer.Folder(t, host)
	p.client = p.issuer.Client(t, host)
	log := kit.NewLogger(p.log, "frontdoor")
	inside, err := kit.ReadTLS(p.authority.Folder(t, ownName), log)
	if err != nil {
		t.Fatal(err)
	}
	public, err := kit.ReadPublicTLS(p.publicFolder, log)
	if err != nil {
		t.Fatal(err)
	}
	door, err := New(testSettings(t), inside, p.dial)
	if err != nil {
		t.Fatal(err)
	}
	requests, health := tlstest.Listen(t), tlstest.Listen(t)
	p.url, p.health = "https://"+requests.Addr().String(), "https://"+health.Addr().String()
	run(t, kit.Server{Listener: requests, Health: health, TLS: inside, Public: public, Router: door.Router(log), Log: log})
	prober := p.authority.Client(t, ownName)
	await(t, "readiness", func() bool {
		response, err := prober.Get(p.health + "/readyz")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	return p
}

func (p *tenant) dial(ctx context.Context, network, address string) (net.Conn, error) {
	target, found := p.modules.Load(address)
	if !found {
		return nil, errors.New("connection refused")
	}
	return (&net.Dialer{}).DialContext(ctx, network, target.(string))
}

// module starts a module that answers with handler, and returns what ends it.
func (p *tenant) module(t *testing.T, name string, handler http.HandlerFunc) (stop func()) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	certificate, err := kit.ReadTLS(p.authority.Folder(t, name+"."+namespace+".svc"), log)
	if err != nil {
		t.Fatal(err)
	}
	pages, err := kit.NewPages(testSettings(t).Tenant, files)
	if err != nil {
		t.Fatal(err)
	}
	router := kit.NewRouter(log, pages)
	router.Forward(func(*http.Request) string { return "all" }, func(w http.ResponseWriter, r *http.Request) error {
		handler(w, r)
		return nil
	})
	requests, health := tlstest.Listen(t), tlstest.Listen(t)
	stop = run(t, kit.Server{Listener: requests, Health: health, TLS: certificate, Clients: []string{ownName}, Router: router, Log: log})
	probe := p.authority.Client(t, name+"."+namespace+".svc")
	await(t, name, func() bool {
		response, err := probe.Get("https://" + health.Addr().String() + "/readyz")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	p.modules.Store(name+"."+namespace+".svc:8443", requests.Addr().String())
	return stop
}

func run(t *testing.T, server kit.Server) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func await(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// request is one of a browser that knows the tenant's name.
func (p *tenant) request(t testing.TB, method, path string, body io.Reader, headers ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, p.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func (p *tenant) do(t testing.TB, r *http.Request) (*http.Response, string) {
	t.Helper()
	response, err := p.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func (p *tenant) get(t testing.TB, path string, headers ...string) (*http.Response, string) {
	t.Helper()
	return p.do(t, p.request(t, http.MethodGet, path, nil, headers...))
}

func say(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

func TestRequestsReachTheirModule(t *testing.T) {
	p := open(t)
	p.module(t, "casemanagement", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "cases %s %s", r.Method, r.RequestURI)
	})
	p.module(t, "reporting", say("reporting"))
	for path, want := range map[string]string{
		"/":                         "cases GET /",
		"/cases/1?q=a%20b&lang=ar":  "cases GET /cases/1?q=a%20b&lang=ar",
		"/a%2Fb//c/":                "cases GET /a%2Fb//c/",
		"/static/other/style.css":   "cases GET /static/other/style.css",
		"/livez":                    "cases GET /livez",
		"/reporting/x":              "reporting",
		"/api/v1/reporting?a=b;c=d": "reporting",
	} {
		if response, body := p.get(t, path); response.StatusCode != http.StatusOK || body != want {
			t.Errorf("%s: %d %q, want %q", path, response.StatusCode, body, want)
		}
	}
	for _, path := range []string{"/reporting/../cases", "/reporting/%2e%2e/cases", "/./"} {
		if response, _ := p.get(t, path); response.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d", path, response.StatusCode)
		}
	}
	if log := p.log.String(); strings.Contains(log, "/cases/1") || !strings.Contains(log, `"route":"module casemanagement"`) {
		t.Errorf("the log does not name the module, or holds a path:\n%s", log)
	}
}

func TestModulesSeeOnlyWhatIsTrue(t *testing.T) {
	p := open(t)
	p.module(t, "casemanagement", func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Host", r.Host)
		w.Header().Set("X-Request-Id", "of-the-module")
		w.Header().Set("Strict-Transport-Security", "max-age=1")
		w.Header().Set("Content-Security-Policy", "default-src 'self'")
		w.Header().Add("Set-Cookie", "a=1")
		w.Header().Add("Set-Cookie", "b=2")
		_ = kit.WriteJSON(w, http.StatusOK, r.Header)
	})
	response, body := p.get(t, "/",
		"X-Forwarded-For", "1.2.3.4", "X-Forwarded-Host", "evil.example.org", "X-Forwarded-Proto", "http",
		"X-Forwarded-User", "judge", "X-Forwarded-Port", "1", "Forwarded", "for=1.2.3.4", "X-Real-Ip", "1.2.3.4",
		"Connection", "X-Hop", "X-Hop", "1", "X-Request-Id", "abc-123", "Authorization", "kept", "Accept-Encoding", "br")
	var seen http.Header
	if err := json.Unmarshal([]byte(body), &seen); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	for name, want := range map[string]string{
		"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": host, "X-Forwarded-Proto": "https", "Host": host,
		"X-Forwarded-User": "", "X-Forwarded-Port": "", "Forwarded": "", "X-Real-Ip": "", "X-Hop": "",
		"X-Request-Id": "abc-123", "Authorization": "kept", "Accept-Encoding": "br",
	} {
		if got := strings.Join(seen[name], "|"); got != want {
			t.Errorf("the module sees %s = %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{
		"X-Request-Id": "abc-123", "Strict-Transport-Security": "max-age=31536000",
		"Content-Security-Policy": "default-src 'self'", "Set-Cookie": "a=1|b=2", "X-Frame-Options": "",
	} {
		if got := strings.Join(response.Header[name], "|"); got != want {
			t.Errorf("the client sees %s = %q, want %q", name, got, want)
		}
	}
	_, body = p.get(t, "/", "X-Request-Id", "no good")
	if strings.Contains(body, "no good") || !strings.Contains(body, "X-Request-Id") {
		t.Errorf("a malformed request id was passed on: %s", body)
	}
}

func TestOnlyTheTenantsNameIsServed(t *testing.T) {
	p := open(t)
	p.module(t, "casemanagement", say("served"))
	for name, want := range map[string]int{
		host: 200, host + ":8443": 200, "COURTS.example.PS": 200,
		"127.0.0.1": 421, "evil.example.org": 421, "sub." + host: 421, host + ".": 421, host + ".evil.org": 421,
	} {
		for _, path := range []string{"/", "/api/v1/cases", "/static/x/style.css"} {
			r := p.request(t, http.MethodGet, path, nil)
			r.Host = name
			response, body := p.do(t, r)
			if response.StatusCode != want || (body == "served") != (want == 200) {
				t.Errorf("%s%s: %d %.100q, want %d", name, path, response.StatusCode, body, want)
			}
			if got := response.Header["Strict-Transport-Security"]; len(got) != 1 || got[0] != "max-age=31536000" {
				t.Errorf("%s%s: Strict-Transport-Security = %q", name, path, got)
			}
		}
	}
}

func TestUnreachableModule(t *testing.T) {
	p := open(t)
	for accept, want := range map[string][]string{
		"en": {`<html lang="en" dir="ltr">`, "not available just now", "Online services of the courts", "High Judicial Council"},
		"fr": {`<html lang="fr" dir="ltr">`, "momentanément indisponible", "Services en ligne des tribunaux"},
		"ar": {`<html lang="ar" dir="rtl">`, "الخدمة غير متاحة الآن", "الخدمات الإلكترونية للمحاكم"},
	} {
		response, body := p.get(t, "/cases/1", "Accept-Language", accept)
		if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") != "5" ||
			!strings.Contains(response.Header.Get("Content-Security-Policy"), "default-src 'none'") ||
			response.Header.Get("Cache-Control") != "no-store" || response.Header.Get("Strict-Transport-Security") == "" {
			t.Errorf("%s: %d %v", accept, response.StatusCode, response.Header)
		}
		for _, text := range want {
			if !strings.Contains(body, text) {
				t.Errorf("%s: the page lacks %q:\n%s", accept, text, body)
			}
		}
		_, sheet, found := strings.Cut(body, `<link rel="stylesheet" href="`)
		sheet, _, _ = strings.Cut(sheet, `"`)
		if response, style := p.get(t, sheet); !found || response.StatusCode != http.StatusOK || !strings.Contains(style, "body {") {
			t.Errorf("%s: the page's style sheet %q is not served", accept, sheet)
		}
	}
	response, body := p.do(t, p.request(t, http.MethodPost, "/api/v1/cases", strings.NewReader("{}")))
	var problem kit.Problem
	if err := json.Unmarshal([]byte(body), &problem); err != nil || response.StatusCode != 503 || problem.Status != 503 ||
		response.Header.Get("Content-Type") != "application/problem+json" || response.Header.Get("Retry-After") != "5" {
		t.Errorf("%v: %d %v %s", err, response.StatusCode, response.Header, body)
	}
	if strings.Contains(body, "refused") || !strings.Contains(p.log.String(), "module casemanagement: connection refused") {
		t.Errorf("the cause is for the log, not for the client:\n%s", body)
	}
}

// A module must not answer for another, whatever its authority.
func TestAnotherModuleInItsPlace(t *testing.T) {
	p := open(t)
	p.module(t, "reporting", say("reporting"))
	address, _ := p.modules.Load("reporting." + namespace + ".svc:8443")
	p.modules.Store("casemanagement."+namespace+".svc:8443", address)
	if response, _ := p.get(t, "/"); response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status %d", response.StatusCode)
	}
}

func TestWhatIsSentAgain(t *testing.T) {
	small, large := strings.Repeat("x", 1<<20), strings.Repeat("x", 1<<20+1)
	for name, test := range map[string]struct {
		method, key, body string
		calls, status     int
	}{
		"GET":                       {http.MethodGet, "", "", 2, 200},
		"HEAD":                      {http.MethodHead, "", "", 2, 200},
		"POST":                      {http.MethodPost, "", "x", 1, 503},
		"DELETE":                    {http.MethodDelete, "", "", 1, 503},
		"POST with a key":           {http.MethodPost, "k", small, 2, 200},
		"POST with a key, large":    {http.MethodPost, "k", large, 1, 503},
		"POST with a key, no body":  {http.MethodPost, "k", "", 2, 200},
		"POST with a key in chunks": {http.MethodPost, "k", "chunks", 1, 503},
	} {
		t.Run(name, func(t *testing.T) {
			p := open(t)
			var calls atomic.Int32
			p.module(t, "casemanagement", func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil || string(body) != test.body {
					t.Errorf("the module read %d bytes, error %v", len(body), err)
				}
				if calls.Add(1) == 1 {
					panic(http.ErrAbortHandler) // gone without a word
				}
			})
			var body io.Reader = strings.NewReader(test.body)
			if test.body == "chunks" {
				body = io.MultiReader(body) // hides the length
			}
			r := p.request(t, test.method, "/api/v1/cases", body)
			if test.key != "" {
				r.Header.Set("Idempotency-Key", test.key)
			}
			if response, _ := p.do(t, r); response.StatusCode != test.status || int(calls.Load()) != test.calls {
				t.Errorf("%d after %d calls, want %d after %d", response.StatusCode, calls.Load(), test.status, test.calls)
			}
		})
	}
}

// A body goes through as it comes: the module has its beginning before the client
// has sent its end, and an answer's beginning arrives before its end is made.
func TestBodiesStream(t *testing.T) {
	const piece, pieces = 1 << 20, 64
	for _, protocol := range []int{1, 2} {
		p := open(t)
		if protocol == 2 {
			p.client.Transport.(*http.Transport).ForceAttemptHTTP2 = true
		}
		begun, finish := make(chan struct{}), make(chan struct{})
		p.module(t, "casemanagement", func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.ReadFull(r.Body, make([]byte, piece)); err != nil {
				t.Error(err)
			}
			close(begun)
			rest, err := io.Copy(io.Discard, r.Body)
			if err != nil {
				t.Error(err)
			}
			fmt.Fprintf(w, "%d", piece+rest)
			_ = http.NewResponseController(w).Flush()
			<-finish
			_, _ = io.WriteString(w, " bytes")
		})
		reader, writer := io.Pipe()
		go func() {
			chunk := make([]byte, piece)
			for i := range pieces {
				if i == 1 {
					<-begun
				}
				if _, err := writer.Write(chunk); err != nil {
					t.Error(err)
					return
				}
			}
			writer.Close()
		}()
		response, err := p.client.Do(p.request(t, http.MethodPost, "/api/v1/cases", reader))
		if err != nil {
			t.Fatal(err)
		}
		if response.ProtoMajor != protocol {
			t.Errorf("HTTP/%d, want %d", response.ProtoMajor, protocol)
		}
		start := make([]byte, 8)
		if _, err := io.ReadFull(response.Body, start); err != nil || string(start) != fmt.Sprint(piece*pieces) {
			t.Errorf("%q %v", start, err)
		}
		close(finish)
		if end, err := io.ReadAll(response.Body); err != nil || string(end) != " bytes" {
			t.Errorf("%q %v", end, err)
		}
		response.Body.Close()
	}
}

// A client that waits for leave to send its body gets it.
func TestExpectContinue(t *testing.T) {
	p := open(t)
	p.module(t, "casemanagement", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %q", body, r.Header.Get("Expect"))
	})
	p.client.Transport.(*http.Transport).ExpectContinueTimeout = time.Hour
	response, body := p.do(t, p.request(t, http.MethodPost, "/", strings.NewReader("text"), "Expect", "100-continue"))
	if body != `text ""` || response.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%q %v", body, response.Header)
	}
}

// A body that breaks off or is nonsense is the client's fault, and the log does
// not say where the client is.
func TestBrokenRequests(t *testing.T) {
	for name, request := range map[string]string{
		"chunks":     "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nnonsense\r\n",
		"with a key": "Idempotency-Key: k\r\nContent-Length: 9\r\n\r\nhalf",
		"plain":      "Content-Length: 9\r\n\r\nhalf",
	} {
		p := open(t)
		p.module(t, "casemanagement", func(_ http.ResponseWriter, r *http.Request) {
			if body, err := io.ReadAll(r.Body); err == nil {
				t.Errorf("%s: the module takes %q for whole", name, body)
			}
		})
		config := p.client.Transport.(*http.Transport).TLSClientConfig.Clone()
		connection, err := tls.Dial("tcp", strings.TrimPrefix(p.url, "https://"), config)
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		if _, err := io.WriteString(connection, "POST /api/v1/cases HTTP/1.1\r\nHost: "+host+"\r\n"+request); err != nil {
			t.Fatal(err)
		}
		if err := connection.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(connection)
		if status, _, _ := strings.Cut(string(answer), "\r\n"); status != "" && status != "HTTP/1.1 400 Bad Request" {
			t.Errorf("%s: answered %s", name, answer)
		}
		await(t, "the log line", func() bool { return strings.Contains(p.log.String(), `"method":"POST"`) })
		if log := p.log.String(); strings.Contains(log, `"level":"ERROR"`) || strings.Contains(log, connection.LocalAddr().String()) {
			t.Errorf("%s: the log blames us or tells too much:\n%s", name, log)
		}
	}
}

// Half an answer must not look whole.
func TestBrokenAnswersAreCut(t *testing.T) {
	p := open(t)
	p.module(t, "casemanagement", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	response, err := p.client.Do(p.request(t, http.MethodGet, "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err == nil {
		t.Errorf("%q looks whole", body)
	}
}

func TestPublicTLS(t *testing.T) {
	p := open(t)
	p.module(t, "casemanagement", say("served"))
	for name, test := range map[string]struct {
		change func(*tls.Config)
		served bool
	}{
		"TLS 1.3": {func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }, true},
		"TLS 1.2": {func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, true},
		"TLS 1.1": {func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, false},
		"CBC": {func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA}
		}, false},
	} {
		client := p.issuer.Client(t, host)
		test.change(client.Transport.(*http.Transport).TLSClientConfig)
		response, err := client.Do(p.request(t, http.MethodGet, "/", nil))
		if err == nil {
			response.Body.Close()
		}
		if (err == nil) != test.served {
			t.Errorf("%s: %v", name, err)
		}
	}
	plain := p.request(t, http.MethodGet, "/", nil)
	plain.URL.Scheme = "http"
	if response, body := p.do(t, plain); response.StatusCode != http.StatusBadRequest || strings.Contains(body, "served") {
		t.Errorf("plain HTTP: %d %s", response.StatusCode, body)
	}
	if log := p.log.String(); strings.Contains(log, "connection refused") {
		t.Errorf("strangers fill the log:\n%s", log)
	}
}

// load sends requests from eight clients, half of them on a new connection each
// time, until the returned function is called.
func (p *tenant) load(t *testing.T) (more, stop func()) {
	t.Helper()
	var answered, failed atomic.Int64
	ended := make(chan struct{})
	var clients sync.WaitGroup
	for i := range 8 {
		client := p.issuer.Client(t, host)
		transport := client.Transport.(*http.Transport)
		transport.ForceAttemptHTTP2 = i < 4
		transport.DisableKeepAlives = i%2 == 1
		clients.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-ended:
					return
				default:
				}
				r := p.request(t, http.MethodGet, "/", nil)
				if n%2 == 1 {
					r = p.request(t, http.MethodPost, "/", strings.NewReader("filing"), "Idempotency-Key", "k")
					r.GetBody = nil // so that it is not the client who tries again
				}
				response, err := client.Do(r)
				if err == nil {
					_, err = io.Copy(io.Discard, response.Body)
					response.Body.Close()
				}
				if err != nil || response.StatusCode != http.StatusOK {
					failed.Add(1)
					t.Errorf("client %d: %v %v", i, response, err)
					return
				}
				answered.Add(1)
			}
		})
	}
	more = func() {
		want := answered.Load() + 80
		await(t, "requests", func() bool { return answered.Load() >= want || failed.Load() > 0 })
	}
	stop = sync.OnceFunc(func() {
		close(ended)
		clients.Wait()
		t.Logf("%d answered, %d failed", answered.Load(), failed.Load())
	})
	t.Cleanup(stop)
	return more, stop
}

func TestPublicCertificateRotationDropsNothing(t *testing.T) {
	p := open(t)
	p.module(t, "casemanagement", say("served"))
	serial := func() string {
		fresh := p.issuer.Client(t, host)
		response, err := fresh.Do(p.request(t, http.MethodGet, "/", nil))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.TLS.PeerCertificates[0].SerialNumber.String()
	}
	more, stop := p.load(t)
	for range 5 {
		more()
		before := serial()
		certificate, key := p.issuer.Issue(t, host)
		tlstest.Swap(t, p.publicFolder, map[string][]byte{"tls.crt": certificate, "tls.key": key})
		if serial() == before {
			t.Error("the renewed certificate is not in use")
		}
	}
	more()
	stop()
}

// A module's rolling update: the new replica takes over while the old one ends.
func TestRollingUpdateOfAModuleShowsToNobody(t *testing.T) {
	p := open(t)
	old := p.module(t, "casemanagement", say("version 0"))
	more, stop := p.load(t)
	for version := range 5 {
		more()
		next := p.module(t, "casemanagement", say(fmt.Sprintf("version %d", version+1)))
		old()
		old = next
	}
	more()
	stop()
}
