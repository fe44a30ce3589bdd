package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Authentication method references (RFC 8176).
const (
	amrPassword = "pwd"
	amrCode     = "otp"
	amrMultiple = "mfa"
)

// signInTime is how long the steps of one sign-in may take.
const signInTime = 15 * time.Minute

// Session is a person's sign-in with one browser.
type Session struct {
	ID        uuid.UUID
	PersonID  uuid.UUID
	AMR       []string
	Agent     string
	StartedAt time.Time
	// SignedInAt is zero while steps of the sign-in are to be done.
	SignedInAt time.Time
	SeenAt     time.Time
}

func (s *Session) done() bool         { return !s.SignedInAt.IsZero() }
func (s *Session) strong() bool       { return slices.Contains(s.AMR, amrMultiple) }
func digest(secret string) []byte     { sum := sha256.Sum256([]byte(secret)); return sum[:] }
func newSecret() string               { return base64.RawURLEncoding.EncodeToString(randomBytes(32)) }
func randomBytes(n int) (made []byte) { made = make([]byte, n); _, _ = rand.Read(made); return made }

const sessionColumns = `s.id, s.person_id, s.amr, s.agent, s.started_at, coalesce(s.signed_in_at, '0001-01-01 00:00:00Z'), s.seen_at`

func scanSession(row pgx.CollectableRow) (Session, error) {
	var s Session
	err := row.Scan(&s.ID, &s.PersonID, &s.AMR, &s.Agent, &s.StartedAt, &s.SignedInAt, &s.SeenAt)
	s.StartedAt, s.SignedInAt, s.SeenAt = s.StartedAt.UTC(), s.SignedInAt.UTC(), s.SeenAt.UTC()
	return s, err
}

// live is the condition of a session that holds: $1 now, $2 the oldest start, $3
// the oldest use, $4 the oldest start of one whose sign-in is not done.
const live = `s.ended_at IS NULL AND s.started_at > $2 AND s.seen_at > $3 AND (s.signed_in_at IS NOT NULL OR s.started_at > $4)
	AND $1::timestamptz IS NOT NULL AND EXISTS (SELECT FROM person p WHERE p.id = s.person_id AND p.status = 'active')`

func (a *App) liveSessions(ctx context.Context, condition string, values ...any) ([]Session, error) {
	now := a.now()
	args := append([]any{now, now.Add(-a.settings.Sessions.whole()), now.Add(-a.settings.Sessions.idle()), now.Add(-signInTime)}, values...)
	rows, _ := a.pool.Query(ctx, `SELECT `+sessionColumns+` FROM session s WHERE `+live+` AND `+condition+` ORDER BY s.started_at DESC`, args...)
	sessions, err := pgx.CollectRows(rows, scanSession)
	if err != nil {
		return nil, fmt.Errorf("read sessions: %w", err)
	}
	return sessions, nil
}

// sessionOf finds the session that two cookies belong to, or none.
func (a *App) sessionOf(ctx context.Context, secret, browser string) (*Session, error) {
	sessions, err := a.liveSessions(ctx, `s.secret_hash = $5 AND s.browser_hash = $6`, digest(secret), digest(browser))
	if err != nil || len(sessions) == 0 {
		return nil, err
	}
	return &sessions[0], a.touch(ctx, &sessions[0])
}

// sessionByID finds a session that is signed in, for what its tokens ask.
func (a *App) sessionByID(ctx context.Context, id uuid.UUID) (*Session, error) {
	sessions, err := a.liveSessions(ctx, `s.id = $5 AND s.signed_in_at IS NOT NULL`, id)
	if err != nil {
		return nil, err
	}
	if len(sessions) == 0 {
		return nil, errSessionEnded
	}
	return &sessions[0], nil
}

var errSessionEnded = errors.New("the session has ended")

// touch notes that a session is in use, once a minute.
func (a *App) touch(ctx context.Context, s *Session) error {
	if a.now().Sub(s.SeenAt) < time.Minute {
		return nil
	}
	if _, err := a.pool.Exec(ctx, `UPDATE session SET seen_at = $2 WHERE id = $1 AND seen_at < $2`, s.ID, a.now()); err != nil {
		return fmt.Errorf("note use of session: %w", err)
	}
	return nil
}

// startSession begins a session after the password was right.
func (a *App) startSession(ctx context.Context, person uuid.UUID, browser, agent string) (*Session, string, error) {
	secret, now := newSecret(), a.now()
	s := &Session{ID: uuid.New(), PersonID: person, AMR: []string{amrPassword}, Agent: agent, StartedAt: now, SeenAt: now}
	_, err := a.pool.Exec(ctx, `INSERT INTO session (id, person_id, secret_hash, browser_hash, amr, agent, started_at, seen_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $7)`, s.ID, person, digest(secret), digest(browser), s.AMR, agent, now)
	if err != nil {
		return nil, "", fmt.Errorf("start session: %w", err)
	}
	return s, secret, nil
}

// strengthen notes a further proof. The session gets another secret, so that one
// that was known before is worth nothing after.
func (a *App) strengthen(ctx context.Context, s *Session, amr ...string) (string, error) {
	secret := newSecret()
	for _, method := range amr {
		if !slices.Contains(s.AMR, method) {
			s.AMR = append(s.AMR, method)
		}
	}
	_, err := a.pool.Exec(ctx, `UPDATE session SET secret_hash = $2, amr = $3, enrol_secret = NULL, enrol_key_id = NULL WHERE id = $1`,
		s.ID, digest(secret), s.AMR)
	if err != nil {
		return "", fmt.Errorf("strengthen session: %w", err)
	}
	return secret, nil
}

// finish notes that every step of the sign-in is done.
func (a *App) finish(ctx context.Context, s *Session) error {
	s.SignedInAt = a.now()
	if _, err := a.pool.Exec(ctx, `UPDATE session SET signed_in_at = $2 WHERE id = $1`, s.ID, s.SignedInAt); err != nil {
		return fmt.Errorf("finish sign-in: %w", err)
	}
	return nil
}

// endLock has those who end sessions wait for one another: the numbers of the
// ends then become visible in their order, and no reader misses one.
const endLock = 0x656e6473

// endSessions ends the sessions of a condition ($2 on) and tells the relying
// parties. It reports how many there were.
func endSessions(ctx context.Context, tx pgx.Tx, now time.Time, condition string, values ...any) (int64, error) {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(endLock)); err != nil {
		return 0, fmt.Errorf("end sessions: %w", err)
	}
	ended, err := tx.Exec(ctx, `WITH ended AS (UPDATE session SET ended_at = $1 WHERE ended_at IS NULL AND `+condition+` RETURNING id)
		INSERT INTO session_end (session_id, ended_at) SELECT id, $1 FROM ended`, append([]any{now}, values...)...)
	if err != nil {
		return 0, fmt.Errorf("end sessions: %w", err)
	}
	return ended.RowsAffected(), nil
}

// endSession ends one session of a person; of any person when that is nil.
func (a *App) endSession(ctx context.Context, id, person uuid.UUID) error {
	return pgx.BeginFunc(ctx, a.pool, func(tx pgx.Tx) error {
		_, err := endSessions(ctx, tx, a.now(), `id = $2 AND ($3::uuid = '00000000-0000-0000-0000-000000000000' OR person_id = $3)`, id, person)
		return err
	})
}

// keepEnrolment keeps the secret of a second factor that is being set up.
func (a *App) keepEnrolment(ctx context.Context, s *Session, secret string) error {
	kept, err := a.seal(forEnrolment, s.ID, []byte(secret))
	if err != nil {
		return err
	}
	if _, err := a.pool.Exec(ctx, `UPDATE session SET enrol_secret = $2, enrol_key_id = $3 WHERE id = $1`, s.ID, kept.content, kept.key); err != nil {
		return fmt.Errorf("keep enrolment: %w", err)
	}
	return nil
}

// enrolment is the secret that keepEnrolment kept, or empty.
func (a *App) enrolment(ctx context.Context, s *Session) (string, error) {
	var kept sealed
	err := a.pool.QueryRow(ctx, `SELECT enrol_secret, enrol_key_id FROM session WHERE id = $1 AND enrol_secret IS NOT NULL`, s.ID).
		Scan(&kept.content, &kept.key)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read enrolment: %w", err)
	}
	plain, err := a.open(ctx, forEnrolment, s.ID, kept)
	return string(plain), err
}

// agentOf names the kind of browser by one of few names: enough for a person to
// know their own again, and nothing by which to follow them.
func agentOf(header string) string {
	for _, known := range []struct{ part, name string }{
		{"Opera Mini", "Opera Mini"}, {"OPR/", "Opera"}, {"Edg", "Edge"}, {"SamsungBrowser", "Samsung Internet"},
		{"Firefox/", "Firefox"}, {"Chrom", "Chrome"}, {"Safari/", "Safari"},
	} {
		if strings.Contains(header, known.part) {
			return known.name
		}
	}
	return ""
}
