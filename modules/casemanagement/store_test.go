package casemanagement

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"ejustice.dev/operator/modules/kit/pgtest"
)

var errDeliberate = errors.New("deliberate failure")

// gapless fails the test unless the sequence of a court and year is exactly 1
// to want, and the counter agrees.
func gapless(t *testing.T, s *service, kind, court string, year, want int) {
	t.Helper()
	var n, low, high, last int
	err := s.pool.QueryRow(context.Background(), fmt.Sprintf(`SELECT count(DISTINCT %[1]s_seq), coalesce(min(%[1]s_seq), 0), coalesce(max(%[1]s_seq), 0),
		coalesce((SELECT last FROM number_counter WHERE kind = $1 AND court_code = $2 AND year = $3), 0)
		FROM case_file WHERE court_code = $2 AND %[1]s_year = $3`, kind), kind, court, year).Scan(&n, &low, &high, &last)
	if err != nil {
		t.Fatal(err)
	}
	if n != want || low != 1 || high != want || last != want {
		t.Errorf("%s numbers of %s in %d: %d from %d to %d, counter %d; want 1 to %d", kind, court, year, n, low, high, last, want)
	}
}

// Thirty-two clients file at once; some give up at a random moment, some fail
// after they took a number. What is stored has no gap, and everything that was
// acknowledged is stored.
func TestNumbersAreGaplessUnderConcurrency(t *testing.T) {
	s := start(t)
	const clients, filings = 32, 8
	good, err := json.Marshal(filing())
	if err != nil {
		t.Fatal(err)
	}
	var checked Filing
	if err := json.Unmarshal(good, &checked); err != nil {
		t.Fatal(err)
	}
	checked.FiledOn = "2026-11-23"
	var mu sync.Mutex
	acknowledged := map[string]bool{}
	var failed, cancelled atomic.Int32
	var group errgroup.Group
	for client := range clients {
		random := rand.New(rand.NewPCG(uint64(client), 2026))
		group.Go(func() error {
			for i := range filings {
				switch random.IntN(4) {
				case 0: // fails after the number was taken
					_, err := once(context.Background(), s.pool, attempt{route: "test", key: fmt.Sprint(client, i), hash: []byte{1}}, s.now(), func(tx pgx.Tx) (answer, error) {
						if _, err := fileCase(context.Background(), tx, s.settings, s.keys.Own(), checked, s.now()); err != nil {
							return answer{}, err
						}
						return answer{}, errDeliberate
					})
					if !errors.Is(err, errDeliberate) {
						return fmt.Errorf("filing that fails: %w", err)
					}
					failed.Add(1)
				case 1: // the client goes away
					ctx, cancel := context.WithTimeout(context.Background(), time.Duration(random.IntN(20_000))*time.Microsecond)
					request, _ := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/api/v1/cases", strings.NewReader(string(good)))
					request.Header.Set("Content-Type", "application/json")
					response, err := s.http.Do(request)
					var c Case
					if err == nil {
						err = json.NewDecoder(response.Body).Decode(&c)
						response.Body.Close()
					}
					cancel()
					if err != nil {
						cancelled.Add(1)
						continue
					}
					mu.Lock()
					acknowledged[c.FilingNumber] = true
					mu.Unlock()
				default:
					response := s.call(t, http.MethodPost, "/api/v1/cases", good)
					var c Case
					if err := json.Unmarshal(response.body, &c); err != nil || response.status != http.StatusCreated {
						return fmt.Errorf("status %d: %s", response.status, response.body)
					}
					mu.Lock()
					twice := acknowledged[c.FilingNumber]
					acknowledged[c.FilingNumber] = true
					mu.Unlock()
					if twice {
						return fmt.Errorf("number %s was given twice", c.FilingNumber)
					}
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if failed.Load() == 0 || cancelled.Load() == 0 {
		t.Errorf("failed %d, cancelled %d: the test did not disturb", failed.Load(), cancelled.Load())
	}
	// A client that left does not stop its transaction at once.
	deadline := time.Now().Add(20 * time.Second)
	for s.pool.Stat().AcquiredConns() > 0 && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	stored := s.count(t, "SELECT count(*) FROM case_file")
	if stored < len(acknowledged) {
		t.Errorf("%d acknowledged, %d stored", len(acknowledged), stored)
	}
	for number := range acknowledged {
		if s.count(t, "SELECT count(*) FROM case_file WHERE filing_number = $1", number) != 1 {
			t.Errorf("%s was acknowledged and is not stored", number)
		}
	}
	gapless(t, s, kindFiling, "RAM-SOLH", 2026, stored)
	if orphans := s.count(t, "SELECT count(*) FROM document_content c LEFT JOIN document d USING (id) WHERE d.id IS NULL"); orphans != 0 {
		t.Errorf("%d contents without a document", orphans)
	}
	t.Logf("stored %d, acknowledged %d, failed %d, cancelled %d", stored, len(acknowledged), failed.Load(), cancelled.Load())
}

func TestSequencesArePerCourtAndYear(t *testing.T) {
	s := start(t)
	at := func(text string) {
		now, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		s.clock.Store(&now)
	}
	other := filing()
	other["courtCode"] = "RAM-BIDAYA"
	at("2026-12-31T21:59:59Z") // 23:59 in Hebron
	if c := s.file(t, filing()); c.FilingNumber != "F-RAM-SOLH-2026-000001" || c.FiledOn != "2026-12-31" {
		t.Errorf("%+v", c.Summary)
	}
	at("2026-12-31T22:00:00Z") // midnight in Hebron
	first := s.file(t, filing())
	if first.FilingNumber != "F-RAM-SOLH-2027-000001" || first.FiledOn != "2027-01-01" {
		t.Errorf("%+v", first.Summary)
	}
	if c := s.file(t, other); c.FilingNumber != "F-RAM-BIDAYA-2027-000001" {
		t.Error(c.FilingNumber)
	}
	if c := s.file(t, filing()); c.FilingNumber != "F-RAM-SOLH-2027-000002" {
		t.Error(c.FilingNumber)
	}
	if c := s.register(t, first.ID.String(), 201); c.RegistrationNumber != "1/2027" {
		t.Error(c.RegistrationNumber)
	}
}

func (s *service) register(t testing.TB, id string, want int, headers ...string) Summary {
	t.Helper()
	answer := s.call(t, http.MethodPost, "/api/v1/cases/"+id+"/registration", nil, headers...)
	if answer.status != want {
		t.Fatalf("status %d, want %d: %s", answer.status, want, answer.body)
	}
	var c Summary
	answer.decode(t, &c)
	return c
}

func TestRegistration(t *testing.T) {
	s := start(t)
	var ids []string
	for range 12 {
		ids = append(ids, s.file(t, filing()).ID.String())
	}
	// Every case is registered by four clients at once.
	var created atomic.Int32
	var group errgroup.Group
	for _, id := range slices.Repeat(ids, 4) {
		group.Go(func() error {
			answer := s.call(t, http.MethodPost, "/api/v1/cases/"+id+"/registration", nil)
			switch answer.status {
			case http.StatusCreated:
				created.Add(1)
			case http.StatusOK:
			default:
				return fmt.Errorf("status %d: %s", answer.status, answer.body)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if created.Load() != 12 {
		t.Errorf("%d registrations were new, want 12", created.Load())
	}
	gapless(t, s, kindRegistration, "RAM-SOLH", 2026, 12)

	id := s.file(t, filing()).ID.String()
	first := s.register(t, id, 201, "Idempotency-Key", "k")
	if first.Status != statusRegistered || first.RegistrationNumber != "13/2026" || !first.RegisteredAt.Equal(s.now()) {
		t.Errorf("%+v", first)
	}
	if again := s.register(t, id, 201, "Idempotency-Key", "k"); again != first {
		t.Errorf("the retry got another answer: %+v", again)
	}
	if again := s.register(t, id, 200); again != first {
		t.Errorf("registered again: %+v", again)
	}
	var whole Case
	s.call(t, http.MethodGet, "/api/v1/cases/"+id, nil).decode(t, &whole)
	if whole.Summary != first {
		t.Errorf("read %+v, registered %+v", whole.Summary, first)
	}
	if answer := s.call(t, http.MethodPost, "/api/v1/cases/"+ids[0]+"/registration", nil, "Idempotency-Key", "k"); answer.status != http.StatusConflict {
		t.Errorf("the key of another case: status %d", answer.status)
	}
	for _, wrong := range []string{"00000000-0000-0000-0000-000000000000", "x", "{" + id[:34] + "}"} {
		if answer := s.call(t, http.MethodPost, "/api/v1/cases/"+wrong+"/registration", nil, "Idempotency-Key", "n"); answer.status != http.StatusNotFound {
			t.Errorf("%s: status %d", wrong, answer.status)
		}
	}
}

func TestIdempotency(t *testing.T) {
	s := start(t)
	first := s.call(t, http.MethodPost, "/api/v1/cases", filing(), "Idempotency-Key", "one")
	if first.status != http.StatusCreated || first.header.Get("Idempotency-Replayed") != "" {
		t.Fatalf("status %d: %s", first.status, first.body)
	}
	again := s.call(t, http.MethodPost, "/api/v1/cases", filing(), "Idempotency-Key", "one")
	if again.status != first.status || string(again.body) != string(first.body) ||
		again.header.Get("Location") != first.header.Get("Location") || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the retry got another answer: %d %s", again.status, again.body)
	}
	other := filing()
	other["title"] = "another"
	if answer := s.call(t, http.MethodPost, "/api/v1/cases", other, "Idempotency-Key", "one"); answer.status != http.StatusConflict {
		t.Errorf("the same key with another body: status %d", answer.status)
	}
	if n := s.count(t, "SELECT count(*) FROM case_file"); n != 1 {
		t.Errorf("%d cases", n)
	}
	for range 2 {
		s.file(t, filing())
	}
	if n := s.count(t, "SELECT count(*) FROM case_file"); n != 3 {
		t.Errorf("%d cases; without a key two filings are two cases", n)
	}

	// Old answers go, because they hold names; then the key is free.
	if err := forgetAnswers(context.Background(), s.pool, s.now().Add(keepAnswers+time.Minute)); err != nil {
		t.Fatal(err)
	}
	if n := s.count(t, "SELECT count(*) FROM idempotency"); n != 0 {
		t.Errorf("%d answers stay", n)
	}
}

func TestIdempotencyUnderConcurrency(t *testing.T) {
	s := start(t)
	var mu sync.Mutex
	answers := map[string][]string{}
	var group errgroup.Group
	for client := range 40 {
		key := fmt.Sprintf("key-%d", client%5)
		group.Go(func() error {
			answer := s.call(t, http.MethodPost, "/api/v1/cases", filing(), "Idempotency-Key", key)
			if answer.status != http.StatusCreated {
				return fmt.Errorf("status %d: %s", answer.status, answer.body)
			}
			mu.Lock()
			defer mu.Unlock()
			answers[key] = append(answers[key], string(answer.body))
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	for key, got := range answers {
		if len(slices.Compact(got)) != 1 {
			t.Errorf("%s got different answers", key)
		}
	}
	gapless(t, s, kindFiling, "RAM-SOLH", 2026, 5)
}

// A failed first attempt leaves no trace: the retry does the work.
func TestIdempotencyAfterAFailure(t *testing.T) {
	s := start(t)
	a := attempt{route: "POST /api/v1/cases", key: "k", hash: []byte("h")}
	work := func(fail error) func(pgx.Tx) (answer, error) {
		return func(tx pgx.Tx) (answer, error) {
			if _, err := nextSequence(context.Background(), tx, kindFiling, "RAM-SOLH", 2026); err != nil {
				return answer{}, err
			}
			return answer{status: 201, body: []byte("done")}, fail
		}
	}
	if _, err := once(context.Background(), s.pool, a, s.now(), work(errDeliberate)); !errors.Is(err, errDeliberate) {
		t.Fatal(err)
	}
	nothingStored(t, s)
	for _, replayed := range []bool{false, true} {
		got, err := once(context.Background(), s.pool, a, s.now(), work(nil))
		if err != nil || got.replayed != replayed || string(got.body) != "done" {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	if n := s.count(t, "SELECT last FROM number_counter"); n != 1 {
		t.Errorf("counter %d, want 1", n)
	}
}

func TestTwoReplicasStartAtOnce(t *testing.T) {
	db := pgtest.Database(t)
	var group errgroup.Group
	for range 2 {
		owner := openPool(t, db, pgtest.Owner(db))
		group.Go(func() error { return migrate(owner, db) })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	one, two := startOn(t, db), startOn(t, db)
	one.file(t, filing())
	if c := two.file(t, filing()); c.FilingNumber != "F-RAM-SOLH-2026-000002" {
		t.Error(c.FilingNumber)
	}
}

func TestDocuments(t *testing.T) {
	s := start(t)
	content := "%PDF-1.7\n" + strings.Repeat("\x00\xff0123456789", 60_000) // several chunks
	body := filing()
	body["documents"] = []any{document("لائحة \"الدعوى\".pdf", "application/pdf", content), document("note.html", "text/html", "<script>alert(1)</script>")}
	c := s.file(t, body)
	sum := sha256.Sum256([]byte(content))
	if d := c.Documents[0]; d.SHA256 != hex.EncodeToString(sum[:]) || d.Size != int64(len(content)) {
		t.Errorf("%+v", d)
	}
	path := "/api/v1/cases/" + c.ID.String() + "/documents/"
	answer := s.call(t, http.MethodGet, path+c.Documents[0].ID.String(), nil)
	if answer.status != 200 || string(answer.body) != content {
		t.Errorf("status %d, %d bytes", answer.status, len(answer.body))
	}
	digest := base64.StdEncoding.EncodeToString(sum[:])
	for name, want := range map[string]string{
		"Content-Type": "application/pdf", "ETag": `"` + hex.EncodeToString(sum[:]) + `"`, "Digest": "sha-256=" + digest,
		"Repr-Digest": "sha-256=:" + digest + ":", "Content-Length": fmt.Sprint(len(content)), "X-Content-Type-Options": "nosniff",
	} {
		if got := answer.header.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if disposition, params, err := mime.ParseMediaType(answer.header.Get("Content-Disposition")); err != nil || disposition != "attachment" || params["filename"] != c.Documents[0].Name {
		t.Errorf("Content-Disposition = %s", answer.header.Get("Content-Disposition"))
	}
	if active := s.call(t, http.MethodGet, path+c.Documents[1].ID.String(), nil); !strings.HasPrefix(active.header.Get("Content-Disposition"), "attachment") ||
		!strings.Contains(active.header.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("an active document could run: %v", active.header)
	}
	if head := s.call(t, http.MethodHead, path+c.Documents[0].ID.String(), nil); head.status != 200 || head.header.Get("ETag") == "" {
		t.Errorf("HEAD: %d", head.status)
	}
	// A document is reached only through its own case.
	foreign := s.file(t, filing())
	if answer := s.call(t, http.MethodGet, "/api/v1/cases/"+foreign.ID.String()+"/documents/"+c.Documents[0].ID.String(), nil); answer.status != 404 || answer.header.Get("ETag") != "" {
		t.Errorf("a document of another case: status %d", answer.status)
	}
	// The database refuses to change what was filed.
	for _, statement := range []string{
		"UPDATE document_content SET content = 'x'", "DELETE FROM document_content", "TRUNCATE document_content CASCADE",
		"UPDATE document SET name = 'x'", "DELETE FROM document",
	} {
		if _, err := s.owner.Exec(context.Background(), statement); err == nil || !strings.Contains(err.Error(), "as they were filed") {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

// Whoever takes over the running module can neither undo what was filed nor the
// protection of it.
func TestTheRunningModuleOwnsNothing(t *testing.T) {
	s := start(t)
	s.file(t, filing())
	for _, statement := range []string{
		"DROP TRIGGER stays ON document", "ALTER TABLE document DISABLE TRIGGER ALL", "DROP FUNCTION refuse_change() CASCADE",
		"DELETE FROM document", "TRUNCATE document_content CASCADE", "UPDATE document SET name = 'x'", "DELETE FROM case_file", "DELETE FROM party",
		"UPDATE case_file SET filing_number = 'x'", "UPDATE number_counter SET court_code = 'X'", "DELETE FROM data_key",
		"UPDATE goose_db_version SET version_id = 0", "CREATE TABLE mine (n int)", "CREATE SCHEMA mine",
		"SET ROLE " + s.owner.Config().ConnConfig.Database, "ALTER TABLE case_file OWNER TO CURRENT_USER",
	} {
		var refused *pgconn.PgError
		if _, err := s.pool.Exec(context.Background(), statement); !errors.As(err, &refused) || refused.Code != "42501" {
			t.Errorf("%s: %v; want it refused for lack of rights", statement, err)
		}
	}
}

func TestCourts(t *testing.T) {
	s := start(t)
	var got struct{ Courts []Court }
	s.call(t, http.MethodGet, "/api/v1/courts", nil).decode(t, &got)
	if len(got.Courts) != 2 || got.Courts[0].Names["ar"] != "محكمة صلح رام الله" || got.Courts[0].AppealTo != "RAM-BIDAYA" {
		t.Errorf("%+v", got)
	}
}

// The database going away is told as 503, and the module mends by itself.
func TestDatabaseGoesAway(t *testing.T) {
	s := start(t)
	s.file(t, filing())
	admin, err := pgx.Connect(context.Background(), pgtest.Admin())
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(context.Background())
	if _, err := admin.Exec(context.Background(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`,
		s.owner.Config().ConnConfig.Database); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		answer := s.call(t, http.MethodPost, "/api/v1/cases", filing(), "Idempotency-Key", "again")
		if answer.status == http.StatusCreated {
			break
		}
		if answer.status != http.StatusServiceUnavailable || time.Now().After(deadline) {
			t.Fatalf("status %d: %s", answer.status, answer.body)
		}
	}
	gapless(t, s, kindFiling, "RAM-SOLH", 2026, 2)
}
