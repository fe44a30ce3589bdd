package kit

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// Check asks whether something that the module needs works. Name is how people
// are told about it, for example "the database".
type Check struct {
	Name string
	Run  func(context.Context) error
}

// health answers the kubelet's questions.
type health struct {
	checks []Check
	// credentials says why there are none; nil when none are needed.
	credentials func() string
	prepared    atomic.Bool // the database is as the module needs it
	draining    atomic.Bool // still serves, but asks for no new work
}

// live says that the process answers. It asks nothing else: restarting a module
// does not mend a database.
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
	case !h.prepared.Load():
		return "the database is not prepared yet"
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for _, check := range h.checks {
		if check.Run(ctx) != nil {
			return check.Name + " does not answer"
		}
	}
	return ""
}
