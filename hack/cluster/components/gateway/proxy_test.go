package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// door is a tenant's front door that answers with its name.
func door(t *testing.T, name string) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %d", name, len(body))
	}))
	server.Config.ErrorLog = nil
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// start runs a proxy on loopback until the test ends or stop is called.
func start(t *testing.T, hosts table) (address string, stop func()) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{dial: (&net.Dialer{}).DialContext, patience: 10 * time.Second}
	p.use(hosts)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); p.serve(ctx, listener) }()
	stop = func() { cancel(); <-ended }
	t.Cleanup(stop)
	return listener.Addr().String(), stop
}

// clientOf reaches the name through the proxy and trusts only that front door's own certificate.
func clientOf(server *httptest.Server, proxy string) *http.Client {
	transport := server.Client().Transport.(*http.Transport).Clone()
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, proxy)
	}
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

func TestEachNameLeadsToItsOwnDoor(t *testing.T) {
	a, b := door(t, "a"), door(t, "b")
	address, stop := start(t, table{"a.example.com": a.Listener.Addr().String(), "b.example.com": b.Listener.Addr().String()})
	body := strings.Repeat("x", 1<<20)
	for _, tc := range []struct {
		name   string
		server *httptest.Server
		want   string
	}{{"a.example.com", a, "a 1048576"}, {"b.example.com", b, "b 1048576"}, {"B.EXAMPLE.com", b, "b 1048576"}} {
		client := clientOf(tc.server, address)
		response, err := client.Post("https://"+tc.name+"/", "text/plain", strings.NewReader(body))
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		got, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || string(got) != tc.want {
			t.Errorf("%s answers %q (%v), want %q", tc.name, got, err, tc.want)
		}
		client.CloseIdleConnections()
	}
	stop() // ends: no connection is left over
}

func TestWhoAsksForNobodyKnownGetsNoAnswer(t *testing.T) {
	a := door(t, "a")
	address, _ := start(t, table{"a.example.com": a.Listener.Addr().String(), "gone.example.com": "127.0.0.1:1"})
	for _, name := range []string{"c.example.com", "xa.example.com", "gone.example.com", ""} {
		t.Run("name "+name, func(t *testing.T) {
			requireSilence(t, address, greetingFor(t, name))
		})
	}
	for what, said := range map[string]string{
		"plain HTTP":      "GET / HTTP/1.1\r\nHost: a.example.com\r\n\r\n",
		"half a greeting": "\x16\x03\x01\x00\xff\x01",
		"not a greeting":  "\x16\x03\x01\x00\x02\x02\x00",
	} {
		t.Run(what, func(t *testing.T) {
			requireSilence(t, address, []byte(said))
		})
	}
}

// requireSilence wants the connection closed without a byte.
func requireSilence(t *testing.T, address string, said []byte) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(said); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	n, err := conn.Read(make([]byte, 1))
	if n != 0 || err == nil || os.IsTimeout(err) {
		t.Errorf("heard %d bytes, err = %v, want the connection closed", n, err)
	}
}

func TestOldVersionsAreTheDoorsToRefuse(t *testing.T) {
	a := door(t, "a")
	address, _ := start(t, table{"a.example.com": a.Listener.Addr().String()})
	conn, err := tls.Dial("tcp", address, &tls.Config{ServerName: "a.example.com", MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10, InsecureSkipVerify: true})
	if err == nil {
		conn.Close()
		t.Fatal("TLS 1.1 is spoken")
	}
	if !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("err = %v, want the front door's own alert", err)
	}
}

func TestAnAnswerAfterTheClientsEnd(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		all, _ := io.ReadAll(conn)
		fmt.Fprintf(conn, "heard %d", len(all))
	}()
	address, _ := start(t, table{"a.example.com": listener.Addr().String()})
	greeting := greetingFor(t, "a.example.com")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(append(greeting, "and more"...)); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if want := fmt.Sprintf("heard %d", len(greeting)+len("and more")); err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

// greetingFor is what a client says first.
func greetingFor(t testing.TB, name string) []byte {
	t.Helper()
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	go func() { _ = tls.Client(there, &tls.Config{ServerName: name, InsecureSkipVerify: true}).Handshake() }()
	got, greeting, err := readGreeting(here)
	if err != nil || got != name {
		t.Fatalf("name %q, err = %v, want %q", got, err, name)
	}
	return greeting
}

func FuzzReadGreeting(f *testing.F) {
	f.Add(greetingFor(f, "a.example.com"))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		here, there := net.Pipe()
		go func() { _, _ = there.Write(said); there.Close() }()
		_, greeting, err := readGreeting(here)
		here.Close()
		if err == nil && !strings.HasPrefix(string(said), string(greeting)) {
			t.Errorf("passes on %q, which is not what was said", greeting)
		}
	})
}
