// Command frontdoor serves the module frontdoor: the one way for people into a
// tenant.
//
// It is configured by the environment (see kit.Serving) and by a JSON file (see
// frontdoor.Settings).
package main

import (
	"context"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"
	_ "time/tzdata" // the image has no time zone files

	"ejustice.dev/operator/modules/frontdoor"
	"ejustice.dev/operator/modules/kit"
)

const (
	// drain is long enough for every node to stop sending to a pod that ends.
	drain = 5 * time.Second
	// publicCertificate is where the chart mounts the certificate for people.
	publicCertificate = "/etc/ejustice-public"
)

func main() {
	log := kit.NewLogger(os.Stdout, "frontdoor")
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, log); err != nil {
		log.Error("frontdoor stopped", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, log *slog.Logger) error {
	env, err := kit.ReadServing(os.Getenv)
	if err != nil {
		return err
	}
	settings, err := frontdoor.ReadSettings(env.ConfigFile)
	if err != nil {
		return err
	}
	inside, err := kit.ReadTLS(env.TLSDir, log)
	if err != nil {
		return err
	}
	public, err := kit.ReadPublicTLS(publicCertificate, log)
	if err != nil {
		return err
	}
	door, err := frontdoor.New(settings, inside, (&net.Dialer{}).DialContext)
	if err != nil {
		return err
	}
	requests, health, err := env.Listen()
	if err != nil {
		return err
	}
	return kit.Server{
		Listener: requests,
		Health:   health,
		TLS:      inside,
		Public:   public,
		Router:   door.Router(log),
		Drain:    drain,
		Log:      log,
	}.Run(ctx)
}
