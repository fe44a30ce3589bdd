package casemanagement

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/semaphore"

	"ejustice.dev/operator/modules/kit"
	"ejustice.dev/operator/modules/trace"
)

//go:embed migrations grants.sql locales templates openapi.json
var files embed.FS

// App is the module's application.
type App struct {
	settings *Settings
	pool     *pgxpool.Pool
	keys     *kit.Keyring
	schema   kit.Schema
	trace    traceState
	pages    *kit.Pages
	now      func() time.Time
	// bodies bounds the memory that filings under way may use together.
	bodies  *semaphore.Weighted
	maxBody int64
}

// NewApp prepares the application. now is time.Now outside tests.
func NewApp(settings *Settings, pool *pgxpool.Pool, keys *kit.Keyring, now func() time.Time) (*App, error) {
	pages, err := kit.NewPages(settings.Tenant, files)
	if err != nil {
		return nil, fmt.Errorf("prepare pages: %w", err)
	}
	schema, err := kit.ReadSchema(files)
	if err != nil {
		return nil, err
	}
	location := settings.Tenant.Location()
	// Room for two of the largest documents in base64, and for the rest.
	maxBody := 2*settings.Limits.DocumentBytes*4/3 + 1<<20
	return &App{
		settings: settings,
		pool:     pool,
		keys:     keys,
		schema:   schema,
		pages:    pages,
		now:      func() time.Time { return now().In(location) },
		bodies:   semaphore.NewWeighted(maxBody),
		maxBody:  maxBody,
	}, nil
}

// Router serves the application.
func (a *App) Router(log *slog.Logger) *kit.Router {
	router := kit.NewRouter(log, a.pages, kit.Check{Name: "the database", Run: a.pool.Ping})
	router.WatchPool(a.pool)
	a.trace.watch(router)
	router.API("GET /openapi.json", a.openAPI)
	router.API("GET /api/v1/courts", a.listCourts)
	router.API("GET /api/v1/cases", a.listCases)
	router.API("POST /api/v1/cases", a.createCase)
	router.API("GET /api/v1/cases/{id}", a.getCase)
	router.API("POST /api/v1/cases/{id}/registration", a.createRegistration)
	router.API("GET /api/v1/cases/{id}/documents/{document}", a.getDocument)
	router.Page("GET /{$}", a.listPage)
	router.Page("GET /cases/{id}", a.casePage)
	return router
}

// Prepare makes sure that the database has this version's schema and a trace that
// the module cannot change, and gets the keys of its documents.
func (a *App) Prepare(ctx context.Context) error {
	if err := a.schema.Check(ctx, a.pool); err != nil {
		return err
	}
	if err := trace.Ready(ctx, a.pool); err != nil {
		return err
	}
	return a.keys.Prepare(ctx)
}

// Tidy encrypts what is not yet and removes what is no longer needed, once at
// the start and then once an hour until ctx ends.
func (a *App) Tidy(ctx context.Context, log *slog.Logger) {
	select {
	case <-ctx.Done():
		return
	case <-a.keys.Ready():
	}
	ticker := time.NewTicker(time.Hour)
	defer ticker.Stop()
	for {
		err := errors.Join(a.sealOld(ctx), forgetAnswers(ctx, a.pool, a.now()))
		if err != nil && ctx.Err() == nil {
			log.Error("tidying failed", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
