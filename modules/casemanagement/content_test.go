package casemanagement

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"ejustice.dev/operator/modules/kit"
	"ejustice.dev/operator/modules/kit/pgtest"
	"ejustice.dev/operator/modules/kit/vaulttest"
)

// startWithVault runs the module with a Vault of its own.
func startWithVault(t *testing.T) (*service, *vaulttest.Server) {
	t.Helper()
	server, db := vaulttest.Start(t), pgtest.Database(t)
	vault := kit.OpenVault(server.Module(t, db, vaulttest.Usual), slog.New(slog.DiscardHandler))
	t.Cleanup(vault.Close)
	return startAs(t, db, vault, vault), server
}

func (s *service) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if _, err := s.owner.Exec(context.Background(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

func (c Case) document(i int) string {
	return casePath(c.ID) + "/documents/" + c.Documents[i].ID.String()
}

const secretText = "%PDF-1.7\nthe witness lives in Nablus"

func filingOf(contents ...string) map[string]any {
	body := filing()
	var documents []any
	for i, content := range contents {
		documents = append(documents, document(fmt.Sprintf("%d.pdf", i), "application/pdf", content))
	}
	body["documents"] = documents
	return body
}

// Whoever gets at the database, its backups or its disks reads no document.
func TestDocumentsAreStoredEncrypted(t *testing.T) {
	s, _ := startWithVault(t)
	c := s.file(t, filingOf(secretText))
	if answer := s.call(t, http.MethodGet, c.document(0), nil); string(answer.body) != secretText {
		t.Errorf("status %d: %q", answer.status, answer.body)
	}
	s.call(t, http.MethodPost, "/api/v1/cases", filingOf(secretText), "Idempotency-Key", "k")
	rows, err := s.pool.Query(context.Background(), `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'`)
	if err != nil {
		t.Fatal(err)
	}
	tables := map[string]bool{}
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			t.Fatal(err)
		}
		tables[table] = true
	}
	if !tables["document_content"] || !tables["idempotency"] {
		t.Fatalf("tables = %v", tables)
	}
	secret := []byte("the witness lives in Nablus")
	for table := range tables {
		var dump string
		if err := s.pool.QueryRow(context.Background(), `SELECT coalesce(string_agg(r::text, ' '), '') FROM `+table+` r`).Scan(&dump); err != nil {
			t.Fatal(err)
		}
		for _, form := range []string{string(secret), fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret)} {
			if strings.Contains(dump, form) {
				t.Errorf("%s holds the document in the clear", table)
			}
		}
	}
}

// Vault is sealed or does not answer while cases are filed and read: no request
// fails.
func TestFilingAndReadingGoOnWhileVaultIsAway(t *testing.T) {
	for name, outage := range map[string]struct {
		begin, end func(*testing.T, *vaulttest.Server)
	}{
		"sealed": {func(t *testing.T, s *vaulttest.Server) { s.Seal(t) }, func(t *testing.T, s *vaulttest.Server) { s.Unseal(t) }},
		"paused": {func(t *testing.T, s *vaulttest.Server) { s.Pause(t) }, func(t *testing.T, s *vaulttest.Server) { s.Resume(t) }},
	} {
		t.Run(name, func(t *testing.T) {
			s, server := startWithVault(t)
			old := s.file(t, filingOf(secretText))
			var filed atomic.Int32
			var group sync.WaitGroup
			ctx, stop := context.WithCancel(context.Background())
			for range 4 {
				group.Go(func() {
					for ctx.Err() == nil {
						c := s.file(t, filingOf(secretText))
						for _, path := range []string{c.document(0), old.document(0)} {
							if answer := s.call(t, http.MethodGet, path, nil); string(answer.body) != secretText {
								t.Errorf("status %d: %q", answer.status, answer.body)
							}
						}
						filed.Add(1)
					}
				})
			}
			more := func() {
				n := filed.Load()
				for deadline := time.Now().Add(30 * time.Second); filed.Load() < n+40; time.Sleep(time.Millisecond) {
					if time.Now().After(deadline) {
						t.Error("filing stands still")
						return
					}
				}
			}
			more()
			outage.begin(t, server)
			s.pool.Reset() // new connections too
			more()
			outage.end(t, server)
			more()
			stop()
			group.Wait()
			gapless(t, s, kindFiling, "RAM-SOLH", 2026, int(filed.Load())+1)
		})
	}
}

// A document that was changed in the database is never shown as a whole one.
func TestDamagedDocumentsAreCut(t *testing.T) {
	s := start(t)
	long := "%PDF-1.7\n" + strings.Repeat("0123456789", 60_000)
	c, more := s.file(t, filingOf(secretText, long, long)), s.file(t, filingOf(long, long, long))
	for _, table := range []string{"document", "document_content"} { // as somebody with all rights might
		s.exec(t, `ALTER TABLE `+table+` DISABLE TRIGGER USER`)
	}
	documents := append(c.Documents, more.Documents...)
	paths := []string{c.document(0), c.document(1), c.document(2), more.document(0), more.document(1), more.document(2)}
	id := func(i int) uuid.UUID { return documents[i].ID }
	const flip = `UPDATE document_content SET content = set_byte(content, $2, get_byte(content, $2) # 1) WHERE id = $1`
	s.exec(t, flip, id(0), 50)
	s.exec(t, flip, id(1), 500_000)
	s.exec(t, `UPDATE document_content SET content = substring(content FOR 400000) WHERE id = $1`, id(2))
	s.exec(t, `UPDATE document_content SET content = (SELECT content FROM document_content WHERE id = $2) WHERE id = $1`, id(3), id(5))
	s.exec(t, `UPDATE document SET sha256 = sha256('another') WHERE id = $1`, id(4))
	for i := range 5 {
		response, err := s.http.Get(s.url + paths[i])
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode == http.StatusOK && err == nil {
			t.Errorf("document %d looks whole", i)
		}
		if response.StatusCode == http.StatusOK && !strings.HasPrefix(long, string(body)) {
			t.Errorf("document %d: something else was shown", i)
		}
	}
	if answer := s.call(t, http.MethodGet, paths[5], nil); string(answer.body) != long {
		t.Errorf("the undamaged one: status %d", answer.status)
	}
}

// fileOld files a document as it was done before documents were encrypted.
func (s *service) fileOld(t testing.TB, content string) Case {
	t.Helper()
	c := s.file(t, filingOf(content))
	s.exec(t, `ALTER TABLE document_content DISABLE TRIGGER USER`)
	s.exec(t, `UPDATE document_content SET content = $2, key_id = NULL WHERE id = $1`, c.Documents[0].ID, []byte(content))
	s.exec(t, `ALTER TABLE document_content ENABLE TRIGGER USER`)
	return c
}

// Documents from before are encrypted where they are, by two replicas at once,
// and can be read before, meanwhile and after.
func TestOldDocumentsAreEncrypted(t *testing.T) {
	db := pgtest.Database(t)
	one, two := startOn(t, db), startOn(t, db)
	var old []Case
	long := "%PDF-1.7\n" + strings.Repeat("0123456789", 60_000)
	for i := range 20 {
		old = append(old, one.fileOld(t, fmt.Sprintf("%s%d", long, i)))
	}
	read := func(s *service, i int) {
		if answer := s.call(t, http.MethodGet, old[i].document(0), nil); string(answer.body) != fmt.Sprintf("%s%d", long, i) {
			t.Errorf("document %d: status %d", i, answer.status)
		}
	}
	read(one, 0)
	var group sync.WaitGroup
	for _, s := range []*service{one, two} {
		group.Go(func() {
			if err := s.sealOld(context.Background()); err != nil {
				t.Error(err)
			}
		})
		group.Go(func() {
			for i := range old {
				read(s, i)
			}
		})
	}
	group.Wait()
	if n := one.count(t, `SELECT count(*) FROM document_content WHERE key_id IS NULL OR position('0123456789' IN content) > 0`); n != 0 {
		t.Errorf("%d documents are in the clear", n)
	}
	for i := range old {
		read(two, i)
	}
}

// A document that is encrypted while somebody reads it goes on where it was.
func TestReadingGoesOnWhenADocumentIsEncrypted(t *testing.T) {
	s := start(t)
	content := "%PDF-1.7\n" + strings.Repeat("0123456789", 80_000)
	c := s.fileOld(t, content)
	var got bytes.Buffer
	w := writerFunc(func(p []byte) (int, error) {
		if got.Len() == 0 {
			if err := s.sealOld(context.Background()); err != nil {
				t.Error(err)
			}
		}
		return got.Write(p)
	})
	document, _, err := readDocument(context.Background(), s.pool, c.ID, c.Documents[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := sendContent(context.Background(), s.pool, s.keys, document, w); err != nil {
		t.Fatal(err)
	}
	if sha256.Sum256(got.Bytes()) != sha256.Sum256([]byte(content)) {
		t.Errorf("%d bytes came, not those of the document", got.Len())
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// The database allows nothing but what encrypting and wrapping anew need.
func TestKeysStay(t *testing.T) {
	s := start(t)
	s.file(t, filing())
	s.exec(t, `UPDATE data_key SET wrapped = wrapped, key_version = key_version + 1`)
	for _, statement := range []string{
		"DELETE FROM data_key", "TRUNCATE data_key CASCADE", "UPDATE data_key SET id = gen_random_uuid()",
		"UPDATE data_key SET created_at = now()", "UPDATE data_key SET key_version = 1",
		"UPDATE document_content SET key_id = NULL", "UPDATE document_content SET content = 'x', key_id = key_id",
	} {
		if _, err := s.owner.Exec(context.Background(), statement); err == nil || !strings.Contains(err.Error(), "as they were filed") {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

// A document whose key is out of reach is not there just now, and not lost.
func TestDocumentWhoseKeyIsOutOfReach(t *testing.T) {
	db := pgtest.Database(t)
	c := startOn(t, db).file(t, filing())
	s := startAs(t, db, pgtest.Runtime(db), &forgetful{})
	answer := s.call(t, http.MethodGet, c.document(0), nil)
	if answer.status != http.StatusServiceUnavailable || answer.header.Get("Retry-After") == "" || !strings.Contains(string(answer.body), "The document is safe") {
		t.Errorf("status %d: %s", answer.status, answer.body)
	}
}

// forgetful knows no key at the start, and later does not answer.
type forgetful struct {
	openWrapper
	asked atomic.Bool
}

func (f *forgetful) Unwrap(_ context.Context, wrapped []string) ([][]byte, error) {
	if !f.asked.Swap(true) {
		return make([][]byte, len(wrapped)), nil
	}
	return nil, &kit.VaultError{}
}
