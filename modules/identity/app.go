package identity

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"ejustice.dev/operator/modules/kit"
)

//go:embed migrations grants.sql locales templates
var files embed.FS

// App is the module's application.
type App struct {
	settings *Settings
	pool     *pgxpool.Pool
	keys     *kit.Keyring
	schema   kit.Schema
	pages    *kit.Pages
	hasher   *hasher
	origin   *http.CrossOriginProtection
	signers  signers
	provider *provider
	webauthn *webauthn.WebAuthn
	now      func() time.Time
}

// NewApp prepares the application. now is time.Now outside tests.
func NewApp(settings *Settings, pool *pgxpool.Pool, keys *kit.Keyring, now func() time.Time) (*App, error) {
	pages, err := kit.NewPages(settings.Tenant, files)
	if err != nil {
		return nil, fmt.Errorf("prepare pages: %w", err)
	}
	hasher, err := newHasher()
	if err != nil {
		return nil, fmt.Errorf("prepare hashes: %w", err)
	}
	schema, err := kit.ReadSchema(files)
	if err != nil {
		return nil, err
	}
	app := &App{
		settings: settings, pool: pool, keys: keys, schema: schema, pages: pages, hasher: hasher,
		origin: http.NewCrossOriginProtection(),
		// What PostgreSQL keeps.
		now: func() time.Time { return now().UTC().Truncate(time.Microsecond) },
	}
	if app.provider, err = newProvider(app); err != nil {
		return nil, err
	}
	if app.webauthn, err = newWebAuthn(settings); err != nil {
		return nil, err
	}
	return app, nil
}

// Router serves the application.
func (a *App) Router(log *slog.Logger) *kit.Router {
	router := kit.NewRouter(log, a.pages, kit.Check{Name: "the database", Run: a.pool.Ping})
	router.WatchPool(a.pool)
	a.routeOpenID(router)
	a.routePages(router)
	a.routePasskeys(router)
	a.routeAdministration(router)
	return router
}

// path puts a route below the issuer's path.
func (a *App) path(pattern string) string {
	method, path, _ := strings.Cut(pattern, " ")
	return method + " " + a.settings.prefix + path
}

// Migrate brings the database, which pool opens as its owner, to this version's
// schema; runtime is the role that the module works in.
func Migrate(ctx context.Context, pool *pgxpool.Pool, runtime string) error {
	schema, err := kit.ReadSchema(files)
	if err != nil {
		return err
	}
	return schema.Migrate(ctx, pool, runtime)
}

// Prepare makes sure that the database has this version's schema and gets the
// keys of its secrets.
func (a *App) Prepare(ctx context.Context) error {
	if err := a.schema.Check(ctx, a.pool); err != nil {
		return err
	}
	if err := a.keys.Prepare(ctx); err != nil {
		return err
	}
	return a.rotateSigning(ctx)
}

// Tidy rotates the signing keys and removes what is no longer needed, once an
// hour until ctx ends.
func (a *App) Tidy(ctx context.Context, log *slog.Logger) {
	select {
	case <-ctx.Done():
		return
	case <-a.keys.Ready():
	}
	ticker := time.NewTicker(time.Hour)
	defer ticker.Stop()
	for {
		if err := errors.Join(a.rotateSigning(ctx), a.forget(ctx)); err != nil && ctx.Err() == nil {
			log.Error("tidying failed", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// forget removes what has run out: nothing that says who did what in a court is
// kept here.
func (a *App) forget(ctx context.Context) error {
	now := a.now()
	old := now.Add(-a.settings.Sessions.whole() - time.Hour)
	batch := &pgx.Batch{}
	batch.Queue(`DELETE FROM access_token WHERE expires_at < $1`, now)
	batch.Queue(`DELETE FROM refresh_token r USING session s WHERE s.id = r.session_id AND s.started_at < $1`, old)
	batch.Queue(`DELETE FROM auth_request WHERE created_at < $1 OR created_at < $2 AND session_id IS NULL`, old.Add(-requestLife), now.Add(-requestLife))
	batch.Queue(`DELETE FROM session s WHERE started_at < $1 AND NOT EXISTS (SELECT FROM auth_request r WHERE r.session_id = s.id)
		AND NOT EXISTS (SELECT FROM access_token t WHERE t.session_id = s.id) AND NOT EXISTS (SELECT FROM refresh_token t WHERE t.session_id = s.id)`, old)
	batch.Queue(`DELETE FROM session_end WHERE ended_at < $1`, now.Add(-endsKept))
	batch.Queue(`DELETE FROM throttle WHERE last_at < $1 AND blocked_until < $1`, now.Add(-24*time.Hour))
	if err := a.pool.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("forget: %w", err)
	}
	return nil
}
