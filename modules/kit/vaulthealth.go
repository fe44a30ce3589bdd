package kit

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// UseVault has readiness wait for the module's credentials, and measures how
// long they last.
func (router *Router) UseVault(v *Vault) {
	router.health.credentials = v.unready
	remaining := func(name, help string, of func(*session) lifetime) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			s := v.current()
			if s == nil {
				return 0
			}
			return time.Until(of(s).ends).Seconds()
		})
	}
	router.metrics.registry.MustRegister(v.failures,
		remaining("vault_token_remaining_seconds", "Time until the token ends if it is not renewed.",
			func(s *session) lifetime { return s.token }),
		remaining("vault_database_lease_remaining_seconds", "Time until the database user ends if its lease is not renewed.",
			func(s *session) lifetime { return s.lease }),
	)
}

// unready says why there is nobody to connect to the database as, or "".
func (v *Vault) unready() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.usable():
		return ""
	case v.fault != nil:
		return v.fault.Error()
	}
	return signingIn
}
