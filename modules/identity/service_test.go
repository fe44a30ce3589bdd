package identity

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"ejustice.dev/operator/modules/kit"
	"ejustice.dev/operator/modules/kit/tlstest"
)

const (
	ownName   = "identity.justice-palestine.svc"
	doorName  = "frontdoor.justice-palestine.svc"
	caseName  = "casemanagement.justice-palestine.svc"
	otherName = "reporting.justice-palestine.svc"
)

// service is a running module with a database of its own.
type service struct {
	*testApp
	authority *tlstest.Authority
	address   string
	log       *logBuffer
	nonce     string // that a relying party expects
}

// start runs the module as cmd/identity does.
func start(t testing.TB) *service {
	t.Helper()
	a := newTestApp(t)
	s := &service{testApp: a, authority: tlstest.New(t), log: &logBuffer{}}
	requests, health := tlstest.Listen(t), tlstest.Listen(t)
	s.address = requests.Addr().String()
	log := slog.New(slog.NewJSONHandler(io.MultiWriter(s.log, errorsOnly{os.Stderr}), nil))
	certificate, err := kit.ReadTLS(s.authority.Folder(t, ownName), log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- kit.Server{Listener: requests, Health: health, Router: a.Router(log), TLS: certificate,
			Clients: []string{doorName, caseName, otherName}, Prepare: a.Prepare, Log: log}.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	probe := s.authority.Client(t, ownName)
	await(t, "readiness", func() bool {
		response, err := probe.Get("https://" + health.Addr().String() + "/readyz")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	return s
}

func await(t testing.TB, what string, happened func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !happened(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: waited too long", what)
		}
	}
}

// client calls the module, whatever the host of an address, with a certificate
// for name.
func (s *service) client(t testing.TB, name string) *http.Client {
	t.Helper()
	certificate, key := s.authority.Issue(t, name)
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.authority.PEM)
	transport := &http.Transport{DialTLSContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		dialer := tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: ownName, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}}
		return dialer.DialContext(ctx, network, s.address)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// browser is a person's browser behind the front door. It keeps cookies and
// follows redirects until they lead away from the module.
type browser struct {
	t       testing.TB
	s       *service
	http    *http.Client
	address string // what the front door says of it
	last    page
}

// page is an answer that was read whole.
type page struct {
	status int
	url    *url.URL
	header http.Header
	body   string
}

func (s *service) browser(t testing.TB) *browser {
	t.Helper()
	client := s.client(t, doorName)
	client.Jar, _ = cookiejar.New(nil)
	client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if !strings.HasPrefix(r.URL.String(), s.settings.Issuer+"/") {
			return http.ErrUseLastResponse
		}
		return nil
	}
	return &browser{t: t, s: s, http: client, address: "192.0.2.1"}
}

func (b *browser) do(r *http.Request) page {
	b.t.Helper()
	r.Header.Set("X-Forwarded-For", b.address)
	r.Header.Set("Accept-Language", "en")
	response, err := b.http.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	b.last = page{response.StatusCode, response.Request.URL, response.Header, string(body)}
	return b.last
}

// get opens a page by its path below the issuer, or by its whole address.
func (b *browser) get(path string) page {
	b.t.Helper()
	if strings.HasPrefix(path, "/") {
		path = b.s.settings.Issuer + path
	}
	r, err := http.NewRequest(http.MethodGet, path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.do(r)
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// send fills in the form of the page that is open. An empty path is the page's
// own address.
func (b *browser) send(path string, fields ...string) page {
	b.t.Helper()
	values := url.Values{}
	if token := csrfField.FindStringSubmatch(b.last.body); token != nil {
		values.Set("csrf", token[1])
	}
	for i := 0; i+1 < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	target := b.last.url.String()
	if path != "" {
		target = b.s.settings.Issuer + path
	}
	r, err := http.NewRequest(http.MethodPost, target, strings.NewReader(values.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(r)
}

// signIn goes through the password and, when there is a secret, the code.
func (b *browser) signIn(login, secret string) page {
	b.t.Helper()
	b.get("/sign-in")
	got := b.send("", "login", login, "password", goodPassword)
	if secret != "" {
		// A code counts once; the next one is as good.
		b.s.clock.pass(31 * time.Second)
		got = b.send("", "code", codeOf(b.t, secret, b.s.now()))
	}
	if got.status != http.StatusOK || !strings.Contains(got.body, `id="sessions"`) {
		b.t.Fatalf("signing in ended at %s: %d\n%s", got.url, got.status, got.body)
	}
	return got
}

// mustShow fails unless the page that is open has a status and every text.
func (b *browser) mustShow(status int, texts ...string) {
	b.t.Helper()
	if b.last.status != status {
		b.t.Fatalf("%s: status %d, want %d\n%s", b.last.url, b.last.status, status, b.last.body)
	}
	for _, text := range texts {
		if !strings.Contains(b.last.body, text) {
			b.t.Fatalf("%s lacks %q\n%s", b.last.url, text, b.last.body)
		}
	}
}
