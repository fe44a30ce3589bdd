package isolation

import (
	"context"
	"fmt"
	"net"
	"net/http"
)

// Listener accepts connections on the port that nobody may reach, and says nothing.
type Listener struct{ Port string }

// Start listens until the context ends.
func (l Listener) Start(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", ":"+l.Port)
	if err != nil {
		return fmt.Errorf("listening on the probe's port: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { listener.Close() })
	defer stop()
	for {
		connection, err := listener.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accepting on the probe's port: %w", err)
		}
		connection.Close()
	}
}

// NeedLeaderElection is false: the replicas that do not lead are those that are asked.
func (l Listener) NeedLeaderElection() bool { return false }

// Check fails unless this replica listens; see CheckName.
func (l Listener) Check(request *http.Request) error {
	if !reached(request.Context(), net.JoinHostPort("localhost", l.Port)) {
		return fmt.Errorf("port %s is not open yet", l.Port)
	}
	return nil
}
