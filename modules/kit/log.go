package kit

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
)

// NewLogger writes one JSON object a line. Nothing personal goes into it:
// requests are logged by route pattern, never by path or query, and errors
// name fields, never their values.
func NewLogger(w io.Writer, module string) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, nil)).With("module", module)
}

type requestIDKey struct{}

var cleanRequestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// withRequestID gives every request an id that the answer and the log share. A
// well-formed id from the caller is kept, so that one id follows a request
// through several services.
func withRequestID(w http.ResponseWriter, r *http.Request) *http.Request {
	id := r.Header.Get("X-Request-Id")
	if !cleanRequestID.MatchString(id) {
		id = rand.Text()
	}
	w.Header().Set("X-Request-Id", id)
	return r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id))
}

// ClientAddress is whence a request came, in the words of the caller, who is one
// of those that the module lets in: the last address that it was forwarded for. It
// is not valid when there is none.
func ClientAddress(r *http.Request) netip.Addr {
	said := r.Header.Get("X-Forwarded-For")
	if i := strings.LastIndexByte(said, ','); i >= 0 {
		said = said[i+1:]
	}
	address, err := netip.ParseAddr(strings.TrimSpace(said))
	if err != nil {
		return netip.Addr{}
	}
	return address.Unmap()
}

// RequestID is the id of the request that ctx belongs to.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}
