// Command identity serves the identity module: accounts and OpenID Connect.
//
// It is configured by the environment (see kit.Env) and by a JSON file (see
// identity.Settings).
package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
	_ "time/tzdata" // the image has no time zone files

	"ejustice.dev/operator/modules/identity"
	"ejustice.dev/operator/modules/kit"

	_ "golang.org/x/crypto/x509roots/fallback" // nor certificate authorities, for an external database
)

// drain is long enough for every node to stop sending to a pod that ends.
const drain = 5 * time.Second

func main() {
	log := kit.NewLogger(os.Stdout, "identity")
	// The OpenID Connect library writes here what clients do wrong.
	slog.SetDefault(log)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	work := run
	if len(os.Args) == 2 && os.Args[1] == "migrate" {
		work = migrate
	}
	if err := work(ctx, log); err != nil {
		log.Error("identity stopped", "error", err)
		os.Exit(1)
	}
}

func migrate(ctx context.Context, log *slog.Logger) error {
	return kit.RunMigration(ctx, os.Getenv, log, identity.Migrate)
}

func run(ctx context.Context, log *slog.Logger) error {
	env, err := kit.ReadEnv(os.Getenv)
	if err != nil {
		return err
	}
	settings, err := identity.ReadSettings(env.ConfigFile)
	if err != nil {
		return err
	}
	vault := kit.OpenVault(env.Vault, log)
	defer vault.Close() // last: what was asked of it ends with it
	pool, err := kit.OpenDatabase(ctx, env.Database, vault)
	if err != nil {
		return err
	}
	defer pool.Close()
	keys := kit.NewKeyring(pool, vault, log)
	app, err := identity.NewApp(settings, pool, keys, time.Now)
	if err != nil {
		return err
	}
	certificate, err := kit.ReadTLS(env.TLSDir, log)
	if err != nil {
		return err
	}
	requests, health, err := env.Listen()
	if err != nil {
		return err
	}
	router := app.Router(log)
	router.UseVault(vault)
	go keys.Keep(ctx)
	go app.Tidy(ctx, log)
	return kit.Server{
		Listener: requests,
		Health:   health,
		TLS:      certificate,
		Clients:  env.TLSClients,
		Router:   router,
		Prepare: func(ctx context.Context) error {
			if err := app.Prepare(ctx); err != nil {
				return err
			}
			return app.MakeFirst(ctx, vault, log)
		},
		Drain: drain,
		Log:   log,
	}.Run(ctx)
}
