package kit_test

import (
	"context"
	"os"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"ejustice.dev/operator/modules/kit"
	"ejustice.dev/operator/modules/kit/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

var tenant = kit.Tenant{
	Name: "palestine", Country: "PS", Languages: []string{"ar-PS", "en", "fr"}, TimeZone: "Asia/Hebron",
	DisplayNames: map[string]string{"ar": "مجلس القضاء الأعلى", "en": "High Judicial Council"},
}

// module is the smallest module: the texts that the frame needs, and one page.
var module = fstest.MapFS{
	"locales/en.json":      {Data: []byte(`{"service": "Cases"}`)},
	"locales/fr.json":      {Data: []byte(`{"service": "Affaires"}`)},
	"locales/ar.json":      {Data: []byte(`{"service": "الدعاوى"}`)},
	"templates/hello.html": {Data: []byte(`{{define "content"}}<h1>{{.Title}}</h1>{{if eq .Data "crash"}}{{.Nothing}}{{end}}{{end}}`)},
}

func openPool(t testing.TB, db kit.Database) *pgxpool.Pool {
	t.Helper()
	pool, err := kit.OpenDatabase(context.Background(), db, pgtest.Owner(db))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func newPages(t testing.TB) *kit.Pages {
	t.Helper()
	pages, err := kit.NewPages(tenant, module)
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

// await tries until the condition holds.
func await(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}
