package kit

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// health answers the kubelet's questions.
type health struct {
	ping func(context.Context) error
	// credentials says why there are none; nil when none are needed.
	credentials func() string
	migrated    atomic.Bool // the schema is up to date
	draining    atomic.Bool // still serves, but asks for no new work
}

// live says that the process answers. It does not ask the database: restarting
// a module does not mend a database.
func (h *health) live(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintln(w, "ok")
}

// ready says whether requests should be sent here, and if not, why.
func (h *health) ready(w http.ResponseWriter, r *http.Request) {
	if reason := h.unready(r.Context()); reason != "" {
		http.Error(w, reason, http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

func (h *health) unready(ctx context.Context) string {
	switch {
	case h.draining.Load():
		return "shutting down"
	case h.credentials != nil && h.credentials() != "":
		return h.credentials()
	case !h.migrated.Load():
		return "database migrations are not finished"
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if h.ping(ctx) != nil {
		return "the database does not answer"
	}
	return ""
}
