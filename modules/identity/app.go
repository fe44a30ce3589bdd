package identity

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"ejustice.dev/operator/modules/kit"
)

//go:embed migrations locales templates
var files embed.FS

// App is the module's application.
type App struct {
	settings *Settings
	pool     *pgxpool.Pool
	keys     *kit.Keyring
	pages    *kit.Pages
	hasher   *hasher
	origin   *http.CrossOriginProtection
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
	return &App{
		settings: settings, pool: pool, keys: keys, pages: pages, hasher: hasher,
		origin: http.NewCrossOriginProtection(),
		// What PostgreSQL keeps.
		now: func() time.Time { return now().UTC().Truncate(time.Microsecond) },
	}, nil
}

// Migrate brings the database to this version's schema and gets the keys of its
// secrets.
func (a *App) Migrate(ctx context.Context) error {
	migrations, err := fs.Sub(files, "migrations")
	if err != nil {
		return fmt.Errorf("find migrations: %w", err)
	}
	if err := kit.Migrate(ctx, a.pool, migrations); err != nil {
		return err
	}
	return a.keys.Prepare(ctx)
}
