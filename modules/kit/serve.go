package kit

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Server runs a module until its context ends.
type Server struct {
	// Listener takes the requests, Health those of the probes and the monitoring.
	Listener, Health net.Listener
	Router           *Router
	// TLS is the module's certificate inside the tenant.
	TLS *TLS
	// Clients are the names of those who may call, <module>.<namespace>.svc.
	Clients []string
	// Public, when it is set, is shown instead to whoever comes, and no certificate
	// is demanded of them: for the one module that people's browsers reach.
	Public *TLS
	// Prepare, when there is a database, makes sure that it is as the module needs
	// it. It is tried again until it succeeds, so that a module may start before its
	// database.
	Prepare func(context.Context) error
	// Drain is how long the server goes on after readiness turned false, for
	// Services and ingresses to stop sending to it.
	Drain time.Duration
	Log   *slog.Logger
}

// finishTimeout is how long requests under way may take at the end. With Drain
// it must stay below the pod's termination grace period of 30 seconds.
const finishTimeout = 20 * time.Second

// Run serves until ctx ends, then turns unready, drains, finishes the requests
// under way and returns. A rolling update therefore drops no request. The health
// listener answers until the end.
func (s Server) Run(ctx context.Context) error {
	main, health := s.main(), s.health()
	ended := make(chan error, 2)
	go func() { ended <- main.ServeTLS(s.Listener, "", "") }()
	go func() { ended <- health.ServeTLS(s.Health, "", "") }()
	defer health.Close()
	s.Log.Info("listening", "address", s.Listener.Addr().String(), "health", s.Health.Addr().String())
	go s.start(ctx)

	select {
	case err := <-ended:
		return errors.Join(fmt.Errorf("serve: %w", err), main.Close())
	case <-ctx.Done():
	}
	s.Router.health.draining.Store(true)
	s.Log.Info("shutting down", "drain", s.Drain.String())
	select {
	case err := <-ended:
		return errors.Join(fmt.Errorf("serve: %w", err), main.Close())
	case <-time.After(s.Drain):
	}
	finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	if err := main.Shutdown(finish); err != nil {
		return errors.Join(fmt.Errorf("finish requests: %w", err), main.Close())
	}
	s.Log.Info("stopped")
	return nil
}

func (s Server) main() *http.Server {
	s.Router.metrics.watchCertificate("module", s.TLS)
	server := &http.Server{
		Handler:           s.TLS.closing(s.Router),
		TLSConfig:         s.TLS.inside(s.Clients),
		ReadHeaderTimeout: 10 * time.Second,
		// Long enough for a ten-megabyte document over a slow link.
		ReadTimeout:    15 * time.Minute,
		WriteTimeout:   15 * time.Minute,
		IdleTimeout:    2 * time.Minute,
		MaxHeaderBytes: 32 << 10,
		ErrorLog:       s.errorLog(s.Public != nil),
	}
	if s.Public != nil {
		s.Router.metrics.watchCertificate("public", s.Public)
		server.TLSConfig = s.Public.public()
	}
	return server
}

func (s Server) health() *http.Server {
	return &http.Server{
		Handler:        s.Router.probes(),
		TLSConfig:      s.TLS.health(),
		ReadTimeout:    10 * time.Second,
		WriteTimeout:   30 * time.Second,
		IdleTimeout:    2 * time.Minute,
		MaxHeaderBytes: 8 << 10,
		ErrorLog:       s.errorLog(true),
	}
}

func (s Server) errorLog(quiet bool) *log.Logger {
	return log.New(serverLog{s.Log, s.Router.metrics.refused, quiet}, "", 0)
}

// start lets requests in when the module is prepared.
func (s Server) start(ctx context.Context) {
	if s.Prepare != nil && untilDone(ctx, s.Log, "preparation", s.Prepare) != nil {
		return
	}
	s.Router.health.prepared.Store(true)
	s.Log.Info("ready")
}
