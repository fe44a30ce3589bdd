package kit

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// health answers the kubelet's questions. Its zero state is "starting".
type health struct {
	ping  func(context.Context) error
	state atomic.Int32
}

// A module goes through these states in this order only.
const (
	starting int32 = iota
	serving        // the schema is migrated
	stopping       // still serves, but asks for no new work
)

func (h *health) migrated() bool { return h.state.Load() >= serving }
func (h *health) draining() bool { return h.state.Load() == stopping }

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
	switch h.state.Load() {
	case starting:
		return "database migrations are not finished"
	case stopping:
		return "shutting down"
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if h.ping(ctx) != nil {
		return "the database does not answer"
	}
	return ""
}
