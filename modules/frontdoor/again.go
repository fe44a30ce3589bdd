package frontdoor

import (
	"errors"
	"net"
	"net/http"
)

// again sends a request once more, on a new connection, when a module went away
// before it said anything: a rolling update or a renewed certificate then shows to
// nobody. Only what may be sent twice is, and what has taken long is not.
type again struct{ *http.Transport }

// RoundTrip implements http.RoundTripper.
func (t again) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := t.Transport.RoundTrip(r)
	var timeout net.Error
	if err == nil || r.Context().Err() != nil || !repeatable(r) || (errors.As(err, &timeout) && timeout.Timeout()) {
		return answer, err
	}
	second := *r
	if r.GetBody != nil {
		if second.Body, err = r.GetBody(); err != nil {
			return nil, err
		}
	}
	// The others that are open to the same replica are as dead.
	t.CloseIdleConnections()
	return t.Transport.RoundTrip(&second)
}

// repeatable goes by the same rule as http.Transport, which by itself sends again
// only what failed on a connection that was used before.
func repeatable(r *http.Request) bool {
	empty := r.Body == nil || r.Body == http.NoBody
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return empty
	}
	return r.Header.Get("Idempotency-Key") != "" && (empty || r.GetBody != nil)
}
