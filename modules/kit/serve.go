package kit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Server runs a module until its context ends.
type Server struct {
	Listener net.Listener
	Router   *Router
	// Migrate brings the schema up to date. It is tried again until it succeeds,
	// so that a module may start before its database.
	Migrate func(context.Context) error
	// Drain is how long the server goes on after readiness turned false, for
	// Services and ingresses to stop sending to it.
	Drain time.Duration
	Log   *slog.Logger
}

// finishTimeout is how long requests under way may take at the end. With Drain
// it must stay below the pod's termination grace period of 30 seconds.
const finishTimeout = 20 * time.Second

// Run serves until ctx ends, then turns unready, drains, finishes the requests
// under way and returns. A rolling update therefore drops no request.
func (s Server) Run(ctx context.Context) error {
	server := &http.Server{
		Handler:           s.Router,
		ReadHeaderTimeout: 10 * time.Second,
		// Long enough for a ten-megabyte document over a slow link.
		ReadTimeout:    15 * time.Minute,
		WriteTimeout:   15 * time.Minute,
		IdleTimeout:    2 * time.Minute,
		MaxHeaderBytes: 32 << 10,
		ErrorLog:       slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(s.Listener) }()
	s.Log.Info("listening", "address", s.Listener.Addr().String())
	go s.start(ctx)

	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	s.Router.health.draining.Store(true)
	s.Log.Info("shutting down", "drain", s.Drain.String())
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-time.After(s.Drain):
	}
	finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	if err := server.Shutdown(finish); err != nil {
		return errors.Join(fmt.Errorf("finish requests: %w", err), server.Close())
	}
	s.Log.Info("stopped")
	return nil
}

// start migrates, with growing pauses between attempts, and then lets requests
// in.
func (s Server) start(ctx context.Context) {
	for pause := time.Second; ; pause = min(2*pause, 15*time.Second) {
		err := s.Migrate(ctx)
		if err == nil {
			s.Router.health.migrated.Store(true)
			s.Log.Info("ready")
			return
		}
		if ctx.Err() != nil {
			return
		}
		s.Log.Error("migration failed; trying again", "error", err, "pause", pause.String())
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}
