package casemanagement

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ejustice.dev/operator/modules/kit"
)

// Statuses of a case.
const (
	statusFiled      = "FILED"
	statusRegistered = "REGISTERED"
)

// Summary is a case as a list shows it.
type Summary struct {
	ID                 uuid.UUID `json:"id"`
	CourtCode          string    `json:"courtCode"`
	CaseType           string    `json:"caseType"`
	Title              string    `json:"title"`
	Status             string    `json:"status"`
	FilingNumber       string    `json:"filingNumber"`
	RegistrationNumber string    `json:"registrationNumber,omitempty"`
	// FiledOn is a day, for example 2026-11-23.
	FiledOn string `json:"filedOn"`
	// ReceivedAt and RegisteredAt are in UTC.
	ReceivedAt   time.Time `json:"receivedAt"`
	RegisteredAt time.Time `json:"registeredAt,omitzero"`
}

// Case is a whole case file.
type Case struct {
	Summary
	Parties   []Party    `json:"parties"`
	Documents []Document `json:"documents"`
}

// Document describes a stored document.
type Document struct {
	ID        uuid.UUID `json:"id"`
	Name      string    `json:"name"`
	MediaType string    `json:"mediaType"`
	// Size in bytes.
	Size int64 `json:"size"`
	// SHA256 of the content in hexadecimal.
	SHA256 string `json:"sha256"`
}

// summaryColumns are scanned by scanSummary, in this order.
const summaryColumns = `id, court_code, case_type, title, status, filing_number, coalesce(registration_number, ''),
	filed_on::text, received_at, coalesce(registered_at, '0001-01-01 00:00:00Z')`

func scanSummary(row pgx.CollectableRow) (Summary, error) {
	var s Summary
	err := row.Scan(&s.ID, &s.CourtCode, &s.CaseType, &s.Title, &s.Status, &s.FilingNumber, &s.RegistrationNumber,
		&s.FiledOn, &s.ReceivedAt, &s.RegisteredAt)
	s.ReceivedAt, s.RegisteredAt = s.ReceivedAt.UTC(), s.RegisteredAt.UTC()
	return s, err
}

// fileCase stores a checked filing and gives it its number. now is in the
// tenant's time zone.
func fileCase(ctx context.Context, tx pgx.Tx, settings *Settings, key kit.Key, filing Filing, now time.Time) (Case, error) {
	documents, err := storeContents(ctx, tx, key, filing.Documents)
	if err != nil {
		return Case{}, err
	}
	c := Case{
		Summary: Summary{
			ID: uuid.New(), CourtCode: filing.CourtCode, CaseType: filing.CaseType, Title: filing.Title,
			Status: statusFiled, FiledOn: filing.FiledOn,
			ReceivedAt: now.UTC().Truncate(time.Microsecond), // what PostgreSQL keeps
		},
		Parties:   filing.Parties,
		Documents: documents,
	}
	// From here to the commit this court's next filing waits: the large contents
	// are already sent, and what remains is two short round trips.
	year := now.Year()
	seq, err := nextSequence(ctx, tx, kindFiling, c.CourtCode, year)
	if err != nil {
		return Case{}, err
	}
	c.FilingNumber = settings.filing.Number(c.CourtCode, c.CaseType, year, seq)

	batch := &pgx.Batch{}
	batch.Queue(`INSERT INTO case_file (id, court_code, case_type, title, status, filed_on, received_at,
		filing_year, filing_seq, filing_number, filing_key, search_key) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12)`,
		c.ID, c.CourtCode, c.CaseType, c.Title, c.Status, c.FiledOn, c.ReceivedAt,
		year, seq, c.FilingNumber, numberKey(c.FilingNumber), c.searchKey())
	for i, p := range c.Parties {
		batch.Queue(`INSERT INTO party (case_id, position, role, kind, name, latin_name, represented_by) VALUES ($1,$2,$3,$4,$5,$6,$7)`,
			c.ID, i, p.Role, p.Kind, p.Name, p.LatinName, p.RepresentedBy)
	}
	for i, d := range c.Documents {
		batch.Queue(`INSERT INTO document (id, case_id, position, name, media_type, size, sha256) VALUES ($1,$2,$3,$4,$5,$6,decode($7, 'hex'))`,
			d.ID, c.ID, i, d.Name, d.MediaType, d.Size, d.SHA256)
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return Case{}, fmt.Errorf("store case: %w", err)
	}
	return c, nil
}

// storeContents writes the documents' bytes, encrypted, and describes them.
func storeContents(ctx context.Context, tx pgx.Tx, key kit.Key, uploads []Upload) ([]Document, error) {
	documents := make([]Document, len(uploads))
	for i, upload := range uploads {
		sum := sha256.Sum256(upload.Content)
		documents[i] = Document{
			ID: uuid.New(), Name: upload.Name, MediaType: upload.MediaType,
			Size: int64(len(upload.Content)), SHA256: hex.EncodeToString(sum[:]),
		}
		sealed, err := sealContent(key, documents[i].ID, upload.Content)
		if err != nil {
			return nil, err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO document_content (id, content, key_id) VALUES ($1, $2, $3)`,
			documents[i].ID, sealed, key.ID); err != nil {
			return nil, fmt.Errorf("store document: %w", err)
		}
	}
	return documents, nil
}

// searchKey joins what a search by words looks at, one line a field.
func (c Case) searchKey() string {
	lines := []string{searchKey(c.Title)}
	for _, p := range c.Parties {
		lines = append(lines, searchKey(p.Name), searchKey(p.LatinName))
	}
	return strings.Join(lines, "\n")
}

// nextSequence takes the next number of a sequence. The counter stays locked
// until the transaction ends: a rollback gives the number back, and nobody has
// taken a later one meanwhile. Call it as late as possible.
func nextSequence(ctx context.Context, tx pgx.Tx, kind, court string, year int) (int64, error) {
	var seq int64
	err := tx.QueryRow(ctx, `INSERT INTO number_counter (kind, court_code, year, last) VALUES ($1, $2, $3, 1)
		ON CONFLICT (kind, court_code, year) DO UPDATE SET last = number_counter.last + 1 RETURNING last`,
		kind, court, year).Scan(&seq)
	if err != nil {
		return 0, fmt.Errorf("take %s number: %w", kind, err)
	}
	return seq, nil
}

// registerCase gives a filed case its registration number. It reports false
// when the case has one already.
func registerCase(ctx context.Context, tx pgx.Tx, settings *Settings, id uuid.UUID, now time.Time) (Summary, bool, error) {
	rows, _ := tx.Query(ctx, `SELECT `+summaryColumns+` FROM case_file WHERE id = $1 FOR UPDATE`, id)
	c, err := pgx.CollectExactlyOneRow(rows, scanSummary)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return Summary{}, false, kit.NotFound()
	case err != nil:
		return Summary{}, false, fmt.Errorf("lock case: %w", err)
	case c.Status == statusRegistered:
		return c, false, nil
	}
	year := now.Year()
	seq, err := nextSequence(ctx, tx, kindRegistration, c.CourtCode, year)
	if err != nil {
		return Summary{}, false, err
	}
	c.Status = statusRegistered
	c.RegistrationNumber = settings.registration.Number(c.CourtCode, c.CaseType, year, seq)
	c.RegisteredAt = now.UTC().Truncate(time.Microsecond)
	_, err = tx.Exec(ctx, `UPDATE case_file SET status = $2, registered_at = $3, registration_year = $4,
		registration_seq = $5, registration_number = $6, registration_key = $7 WHERE id = $1`,
		id, c.Status, c.RegisteredAt, year, seq, c.RegistrationNumber, numberKey(c.RegistrationNumber))
	if err != nil {
		return Summary{}, false, fmt.Errorf("register case: %w", err)
	}
	return c, true, nil
}

// readCase reads a whole case file.
func readCase(ctx context.Context, db querier, id uuid.UUID) (Case, error) {
	batch := &pgx.Batch{}
	batch.Queue(`SELECT `+summaryColumns+` FROM case_file WHERE id = $1`, id)
	batch.Queue(`SELECT role, kind, name, latin_name, represented_by FROM party WHERE case_id = $1 ORDER BY position`, id)
	batch.Queue(`SELECT id, name, media_type, size, encode(sha256, 'hex') FROM document WHERE case_id = $1 ORDER BY position`, id)
	results := db.SendBatch(ctx, batch)
	defer results.Close()

	var c Case
	rows, _ := results.Query()
	summary, err := pgx.CollectExactlyOneRow(rows, scanSummary)
	if errors.Is(err, pgx.ErrNoRows) {
		return Case{}, kit.NotFound()
	}
	if err != nil {
		return Case{}, fmt.Errorf("read case: %w", err)
	}
	c.Summary = summary
	rows, _ = results.Query()
	if c.Parties, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Party]); err != nil {
		return Case{}, fmt.Errorf("read parties: %w", err)
	}
	rows, _ = results.Query()
	if c.Documents, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Document]); err != nil {
		return Case{}, fmt.Errorf("read documents: %w", err)
	}
	return c, nil
}

// readDocument describes one document of one case, and says whose court's it is.
func readDocument(ctx context.Context, db querier, caseID, id uuid.UUID) (d Document, court string, err error) {
	err = db.QueryRow(ctx, `SELECT d.id, d.name, d.media_type, d.size, encode(d.sha256, 'hex'), c.court_code
		FROM document d JOIN case_file c ON c.id = d.case_id WHERE d.case_id = $1 AND d.id = $2`, caseID, id).
		Scan(&d.ID, &d.Name, &d.MediaType, &d.Size, &d.SHA256, &court)
	if errors.Is(err, pgx.ErrNoRows) {
		return Document{}, "", kit.NotFound()
	}
	if err != nil {
		return Document{}, "", fmt.Errorf("read document: %w", err)
	}
	return d, court, nil
}
