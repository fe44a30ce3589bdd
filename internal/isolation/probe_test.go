package isolation

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
)

// A peer that answers on its health port, and on the forbidden one when open is true.
func peer(t *testing.T, ready, open bool) (health, forbidden string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !ready || r.URL.Path != "/readyz/"+CheckName {
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, forbidden, _ = net.SplitHostPort(listener.Addr().String())
	if open {
		t.Cleanup(func() { listener.Close() })
	} else {
		listener.Close()
	}
	return address.Port(), forbidden
}

func TestLook(t *testing.T) {
	tests := []struct {
		name        string
		ready, open bool
		peers       []string
		err         error
		want        string
	}{
		{"forbidden is shut", true, false, []string{"127.0.0.1"}, nil, "Enforced"},
		{"forbidden is open", true, true, []string{"127.0.0.1"}, nil, "NotEnforced"},
		{"a peer that does not listen proves nothing", false, false, []string{"127.0.0.1"}, nil, ""},
		{"no peers", true, false, nil, nil, ""},
		{"peers unknown", true, false, nil, errors.New("no"), ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			health, forbidden := peer(t, tc.ready, tc.open)
			p := &Probe{HealthPort: health, ForbiddenPort: forbidden, Peers: func(context.Context) ([]string, error) { return tc.peers, tc.err }}
			got := ""
			if answer := p.look(t.Context()); answer != nil {
				got = answer.Reason
			}
			if got != tc.want {
				t.Errorf("look = %q, want %q", got, tc.want)
			}
		})
	}
}

func TestChangedOnlyWhenItIs(t *testing.T) {
	changes := 0
	health, forbidden := peer(t, true, false)
	p := &Probe{HealthPort: health, ForbiddenPort: forbidden, Changed: func() { changes++ },
		Peers: func(context.Context) ([]string, error) { return []string{"127.0.0.1"}, nil }}
	for range 3 {
		p.remember(*p.look(t.Context()))
	}
	if changes != 1 || p.Answer() == nil || p.Answer().Reason != "Enforced" {
		t.Errorf("%d changes, answer %v", changes, p.Answer())
	}
}

func TestListenerTellsWhetherItListens(t *testing.T) {
	_, port := peer(t, true, false) // a free port
	l := Listener{Port: port}
	request := httptest.NewRequest(http.MethodGet, "/readyz", nil)
	if l.Check(request) == nil {
		t.Error("it says that it listens, and does not")
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- l.Start(ctx) }()
	for l.Check(request) != nil {
		select {
		case err := <-done:
			t.Fatal(err)
		default:
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
