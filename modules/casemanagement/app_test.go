package casemanagement

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"ejustice.dev/operator/modules/kit"
	"ejustice.dev/operator/modules/kit/charttest"
	"ejustice.dev/operator/modules/kit/pgtest"
	"ejustice.dev/operator/modules/kit/tlstest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

// testConfig is the configuration that the chart makes of testdata/values.json.
func testConfig(t testing.TB) map[string]any {
	t.Helper()
	values := charttest.Values(t)
	values["tenant"] = values["platform"].(map[string]any)["tenant"]
	delete(values, "platform")
	return values
}

func readConfig(t testing.TB, config map[string]any) (*Settings, error) {
	t.Helper()
	content, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return ReadSettings(file)
}

func testSettings(t testing.TB) *Settings {
	t.Helper()
	settings, err := readConfig(t, testConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

// service is a running module with a database of its own.
type service struct {
	*App
	owner *pgxpool.Pool // of the database, as whom nothing runs
	db    kit.Database
	url   string
	http  *http.Client
	clock *atomic.Pointer[time.Time]
	api   *contract
}

func openPool(t testing.TB, db kit.Database, credentials kit.Credentials) *pgxpool.Pool {
	t.Helper()
	pool, err := kit.OpenDatabase(context.Background(), db, credentials)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// migrate does what "casemanagement migrate" does.
func migrate(owner *pgxpool.Pool, db kit.Database) error {
	return Migrate(context.Background(), owner, pgtest.RuntimeRole(db))
}

// openWrapper wraps nothing, for tests of other things.
type openWrapper struct{}

func (openWrapper) NewKey(context.Context) ([]byte, string, error) {
	plain := make([]byte, 32)
	_, _ = rand.Read(plain)
	return plain, "vault:v1:" + base64.StdEncoding.EncodeToString(plain), nil
}

func (openWrapper) Unwrap(_ context.Context, wrapped []string) ([][]byte, error) {
	plain := make([][]byte, len(wrapped))
	for i, text := range wrapped {
		plain[i], _ = base64.StdEncoding.DecodeString(strings.TrimPrefix(text, "vault:v1:"))
	}
	return plain, nil
}

func (openWrapper) Rewrap(_ context.Context, wrapped []string) ([]string, error) { return wrapped, nil }

// start runs the module as cmd/casemanagement does.
func start(t testing.TB) *service {
	t.Helper()
	return startOn(t, pgtest.Database(t))
}

func startOn(t testing.TB, db kit.Database) *service {
	t.Helper()
	return startAs(t, db, pgtest.Runtime(db), openWrapper{})
}

func startAs(t testing.TB, db kit.Database, credentials kit.Credentials, wrapper kit.KeyWrapper) *service {
	t.Helper()
	clock := &atomic.Pointer[time.Time]{}
	now := time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)
	clock.Store(&now)
	owner := openPool(t, db, pgtest.Owner(db))
	if err := migrate(owner, db); err != nil {
		t.Fatal(err)
	}
	pool := openPool(t, db, credentials)
	keys := kit.NewKeyring(pool, wrapper, slog.New(slog.DiscardHandler))
	app, err := NewApp(testSettings(t), pool, keys, func() time.Time { return *clock.Load() })
	if err != nil {
		t.Fatal(err)
	}
	const name, caller = "casemanagement.justice-palestine.svc", "frontdoor.justice-palestine.svc"
	authority := tlstest.New(t)
	requests, health := tlstest.Listen(t), tlstest.Listen(t)
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	certificate, err := kit.ReadTLS(authority.Folder(t, name), log)
	if err != nil {
		t.Fatal(err)
	}
	router := app.Router(log)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- kit.Server{Listener: requests, Health: health, Router: router, TLS: certificate, Clients: []string{caller},
			Prepare: app.Prepare, Log: log}.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	s := &service{app, owner, db, "https://" + requests.Addr().String(), authority.Client(t, name, caller), clock, readContract(t, router.Routes())}
	deadline := time.Now().Add(30 * time.Second)
	for {
		response, err := s.http.Get("https://" + health.Addr().String() + "/readyz")
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return s
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("the module does not become ready")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// reply is an answer that was read whole.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r reply) decode(t testing.TB, into any) {
	t.Helper()
	if err := json.Unmarshal(r.body, into); err != nil {
		t.Fatalf("%v\n%s", err, r.body)
	}
}

// call sends a request and checks the answer against openapi.json.
func (s *service) call(t testing.TB, method, path string, body any, headers ...string) reply {
	t.Helper()
	var content []byte
	switch b := body.(type) {
	case nil:
	case []byte:
		content = b
	default:
		var err error
		if content, err = json.Marshal(b); err != nil {
			t.Fatal(err)
		}
	}
	request, err := http.NewRequest(method, s.url+path, bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := s.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer := reply{status: response.StatusCode, header: response.Header}
	if answer.body, err = io.ReadAll(response.Body); err != nil {
		t.Fatal(err)
	}
	s.api.check(t, method, request.URL.Path, answer)
	return answer
}

// filing is a good filing, for tests to spoil.
func filing() map[string]any {
	return map[string]any{
		"courtCode": "RAM-SOLH",
		"caseType":  "CIV",
		"title":     "مطالبة بأجرة مأجور",
		"parties": []any{
			map[string]any{"role": "claimant", "kind": "person", "name": "أحمد عبد الرحمن الخطيب", "latinName": "Ahmad Abd el-Rahman al-Khatib", "representedBy": "المحامية ليلى ناصر"},
			map[string]any{"role": "defendant", "kind": "organisation", "name": "شركة الزيتون للتجارة"},
		},
		"documents": []any{document("لائحة الدعوى.pdf", "application/pdf", "%PDF-1.7\nstatement of claim")},
	}
}

func document(name, mediaType, content string) map[string]any {
	return map[string]any{"name": name, "mediaType": mediaType, "contentBase64": base64.StdEncoding.EncodeToString([]byte(content))}
}

// file files a case and returns it.
func (s *service) file(t testing.TB, body map[string]any) Case {
	t.Helper()
	answer := s.call(t, http.MethodPost, "/api/v1/cases", body)
	if answer.status != http.StatusCreated {
		t.Fatalf("status %d: %s", answer.status, answer.body)
	}
	var c Case
	answer.decode(t, &c)
	return c
}

func (s *service) count(t testing.TB, query string, args ...any) int {
	t.Helper()
	var n int
	if err := s.pool.QueryRow(context.Background(), query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
