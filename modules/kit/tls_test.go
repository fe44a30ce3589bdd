package kit_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"ejustice.dev/operator/modules/kit"
	"ejustice.dev/operator/modules/kit/tlstest"
)

// serveHello runs a module without a database, with the certificate in folder.
func serveHello(t *testing.T, authority *tlstest.Authority, folder string) running {
	t.Helper()
	r := serve(t, folder, 0, nil, func(log *slog.Logger) *kit.Router {
		router := kit.NewRouter(log, newPages(t))
		router.API("GET /api/hello", hello)
		router.API("POST /api/hello", hello)
		return router
	})
	r.client, r.probes = authority.Client(t, moduleName, callerName), authority.Client(t, moduleName)
	r.awaitReady(t)
	return r
}

func TestOnlyAllowedCallersGetIn(t *testing.T) {
	authority, stranger := tlstest.New(t), tlstest.New(t)
	r := serveHello(t, authority, authority.Folder(t, moduleName))

	// A stranger's certificate, shown by one who trusts the module.
	foreign := authority.Client(t, moduleName)
	certificate, key := stranger.Issue(t, callerName)
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	config := foreign.Transport.(*http.Transport).TLSClientConfig
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	// One who may call, but speaks an older TLS.
	old := authority.Client(t, moduleName, callerName)
	old.Transport.(*http.Transport).TLSClientConfig.MaxVersion = tls.VersionTLS12

	for reason, client := range map[string]*http.Client{
		"no_certificate":    r.probes,
		"unknown_authority": foreign,
		"not_allowed":       authority.Client(t, moduleName, "reporting.justice-palestine.svc", "frontdoor.justice-saint-lucia.svc"),
		"other":             old,
	} {
		if response, err := client.Get(r.url + "/api/hello"); err == nil {
			response.Body.Close()
			t.Errorf("%s: was answered %d", reason, response.StatusCode)
		}
		await(t, reason+" to be counted", func() bool {
			_, metrics := r.probe(t, "/metrics")
			return strings.Contains(metrics, `ejustice_tls_refused_total{reason="`+reason+`"} 1`)
		})
	}
	if code, _, _ := r.get(t, "/api/hello"); code != http.StatusOK {
		t.Errorf("one who may call: %d", code)
	}
	for line := range strings.Lines(r.log.String()) {
		if strings.Contains(line, "connection refused") && strings.Contains(line, "127.0.0.1") {
			t.Errorf("the log holds a caller's address:\n%s", line)
		}
	}
	if !strings.Contains(r.log.String(), "reporting.justice-palestine.svc") {
		t.Errorf("the log does not say who was refused:\n%s", r.log.String())
	}
}

func TestHealthIsServedAloneAndApart(t *testing.T) {
	authority := tlstest.New(t)
	r := serveHello(t, authority, authority.Folder(t, moduleName))
	for path, want := range map[string]int{"/livez": 200, "/readyz": 200, "/metrics": 200, "/": 404, "/api/hello": 404, "/static/x/style.css": 404, "/livez/x": 404} {
		if code, _ := r.probe(t, path); code != want {
			t.Errorf("health %s: %d, want %d", path, code, want)
		}
	}
	for _, path := range []string{"/livez", "/readyz", "/metrics"} {
		if code, _, _ := r.get(t, path); code != http.StatusNotFound {
			t.Errorf("main %s: %d", path, code)
		}
	}
	if _, metrics := r.probe(t, "/metrics"); !strings.Contains(metrics, `ejustice_certificate_expiry_timestamp_seconds{certificate="module"} 1.`) {
		t.Errorf("no expiry:\n%s", metrics)
	}
	old := authority.Client(t, moduleName)
	old.Transport.(*http.Transport).TLSClientConfig.MaxVersion = tls.VersionTLS12
	if response, err := old.Get(r.health + "/livez"); err == nil {
		response.Body.Close()
		t.Error("the health listener speaks TLS 1.2")
	}
}

// Certificates and then the authority are replaced on both sides while eight
// clients send what must not be sent twice.
func TestRotationDropsNothing(t *testing.T) {
	authority := tlstest.New(t)
	server, client := authority.Folder(t, moduleName), authority.Folder(t, callerName)
	r := serveHello(t, authority, server)
	own, err := kit.ReadTLS(client, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var answered, failed, opened atomic.Int64
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		opened.Add(1)
		return (&net.Dialer{}).DialContext(ctx, network, strings.TrimPrefix(r.url, "https://"))
	}
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for i := range 8 {
		transport := own.Transport(dial)
		transport.DisableKeepAlives = i%2 == 1
		clients.Go(func() {
			defer transport.CloseIdleConnections()
			for {
				select {
				case <-stop:
					return
				default:
				}
				request, _ := http.NewRequest(http.MethodPost, "https://"+moduleName+":8443/api/hello", io.NopCloser(strings.NewReader("{}")))
				response, err := transport.RoundTrip(request)
				if err != nil {
					failed.Add(1)
					t.Error(err)
					return
				}
				_, err = io.Copy(io.Discard, response.Body)
				response.Body.Close()
				if err != nil || response.StatusCode != http.StatusOK {
					failed.Add(1)
					t.Errorf("%d %v", response.StatusCode, err)
					return
				}
				answered.Add(1)
			}
		})
	}
	load := func() {
		want := answered.Load() + 80
		await(t, "requests", func() bool { return answered.Load() >= want || failed.Load() > 0 })
	}
	load()
	for range 3 {
		for range 3 {
			authority.Renew(t, server, authority.PEM, moduleName)
			load()
			authority.Renew(t, client, authority.PEM, callerName)
			load()
		}
		// A new authority: first both trust it too, then both use it, then only it.
		next := tlstest.New(t)
		both := slices.Concat(authority.PEM, next.PEM)
		for _, step := range []struct {
			signer *tlstest.Authority
			trust  []byte
		}{{authority, both}, {next, both}, {next, next.PEM}} {
			step.signer.Renew(t, server, step.trust, moduleName)
			step.signer.Renew(t, client, step.trust, callerName)
			load()
		}
		authority = next
	}
	close(stop)
	clients.Wait()
	t.Logf("%d requests over %d connections, %d failed", answered.Load(), opened.Load(), failed.Load())
	if strings.Contains(r.log.String(), `"level":"ERROR"`) {
		t.Errorf("log:\n%s", r.log.String())
	}
}

// A connection that is busy all the time must not outlive the authority that
// opened it.
func TestConnectionsEndWithTheirAuthority(t *testing.T) {
	authority, next := tlstest.New(t), tlstest.New(t)
	folder := authority.Folder(t, moduleName)
	r := serveHello(t, authority, folder)
	if code, _, _ := r.get(t, "/api/hello"); code != http.StatusOK {
		t.Fatal("not served before")
	}
	next.Renew(t, folder, next.PEM, moduleName)
	// The next probe is a handshake. This one fails: the prober here checks who answers.
	r.probes.CloseIdleConnections()
	if response, err := r.probes.Get(r.health + "/livez"); err == nil {
		response.Body.Close()
		t.Error("the probe was answered with the former certificate")
	}
	response, err := r.client.Get(r.url + "/api/hello") // on the open connection
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	response.Body.Close()
	if !response.Close {
		t.Error("the connection goes on under an authority that is trusted no longer")
	}
	if response, err := r.client.Get(r.url + "/api/hello"); err == nil {
		response.Body.Close()
		t.Error("a new connection under the former authority was accepted")
	}
}

// What is half-written or does not fit together changes nothing and is logged
// once.
func TestUnusableFilesLeaveTheFormer(t *testing.T) {
	authority := tlstest.New(t)
	folder := authority.Folder(t, moduleName)
	r := serveHello(t, authority, folder)
	certificate, _ := authority.Issue(t, moduleName)
	_, key := authority.Issue(t, moduleName)
	for name, files := range map[string]map[string][]byte{
		"mismatched":   {"tls.crt": certificate, "tls.key": key, "ca.crt": authority.PEM},
		"half":         {"tls.crt": certificate[:len(certificate)/2], "tls.key": key, "ca.crt": authority.PEM},
		"no authority": {"tls.crt": certificate, "tls.key": key, "ca.crt": nil},
		"missing":      {"tls.crt": certificate},
	} {
		before := strings.Count(r.log.String(), "the former stays in use")
		tlstest.Swap(t, folder, files)
		for range 3 {
			r.client.CloseIdleConnections()
			if code, _, _ := r.get(t, "/api/hello"); code != http.StatusOK {
				t.Errorf("%s: %d", name, code)
			}
		}
		if logged := strings.Count(r.log.String(), "the former stays in use") - before; logged != 1 {
			t.Errorf("%s: logged %d times:\n%s", name, logged, r.log.String())
		}
	}
	if strings.Contains(r.log.String(), "PRIVATE") {
		t.Error("the log holds a key")
	}
}

func TestReadTLSNeedsEveryFile(t *testing.T) {
	authority := tlstest.New(t)
	certificate, key := authority.Issue(t, moduleName)
	files := map[string][]byte{"tls.crt": certificate, "tls.key": key, "ca.crt": authority.PEM}
	for name := range files {
		dir := t.TempDir()
		for other, content := range files {
			if other != name {
				if err := os.WriteFile(filepath.Join(dir, other), content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err := kit.ReadTLS(dir, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
		_, err := kit.ReadPublicTLS(dir, slog.New(slog.DiscardHandler))
		if (err == nil) != (name == "ca.crt") {
			t.Errorf("public without %s: %v", name, err)
		}
	}
}

// A caller is told apart from a server: whoever answers under another name, or
// under another authority, is not given the request.
func TestTransportChecksTheServer(t *testing.T) {
	authority, stranger := tlstest.New(t), tlstest.New(t)
	own, err := kit.ReadTLS(authority.Folder(t, callerName), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	// The server trusts the caller in each case.
	folderOf := func(signer *tlstest.Authority, name string) string {
		dir := t.TempDir()
		signer.Renew(t, dir, bytes.Join([][]byte{authority.PEM, signer.PEM}, nil), name)
		return dir
	}
	for name, test := range map[string]struct {
		signer *tlstest.Authority
		server string
		served bool
	}{
		"right":           {authority, moduleName, true},
		"other name":      {authority, "reporting.justice-palestine.svc", false},
		"other authority": {stranger, moduleName, false},
	} {
		folder := folderOf(test.signer, test.server)
		r := serve(t, folder, 0, nil, func(log *slog.Logger) *kit.Router {
			router := kit.NewRouter(log, newPages(t))
			router.API("GET /api/hello", hello)
			return router
		})
		transport := own.Transport(func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, strings.TrimPrefix(r.url, "https://"))
		})
		request, _ := http.NewRequest(http.MethodGet, "https://"+moduleName+":8443/api/hello", nil)
		response, err := transport.RoundTrip(request)
		if err == nil {
			response.Body.Close()
		}
		transport.CloseIdleConnections()
		if (err == nil) != test.served {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// A replica that has just gone is still dialled for a moment, and one that has just come is not
// known everywhere; nobody notices. That a module does not exist is said at once.
func TestTransportDialsAgain(t *testing.T) {
	authority := tlstest.New(t)
	r := serveHello(t, authority, authority.Folder(t, moduleName))
	own, err := kit.ReadTLS(authority.Folder(t, callerName), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	attempts := 0
	transport := own.Transport(func(ctx context.Context, network, _ string) (net.Conn, error) {
		if attempts++; attempts <= 3 {
			return nil, errors.New("connection refused")
		}
		return (&net.Dialer{}).DialContext(ctx, network, strings.TrimPrefix(r.url, "https://"))
	})
	defer transport.CloseIdleConnections()
	request, _ := http.NewRequest(http.MethodPost, "https://"+moduleName+":8443/api/hello", strings.NewReader("{}"))
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK || attempts != 4 {
		t.Errorf("%d after %d attempts", response.StatusCode, attempts)
	}

	attempts = 0
	nowhere := own.Transport(func(context.Context, string, string) (net.Conn, error) {
		attempts++
		return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
	})
	if _, err := nowhere.RoundTrip(request.Clone(t.Context())); err == nil || attempts != 1 {
		t.Errorf("%v after %d attempts", err, attempts)
	}
}
