package casemanagement

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"ejustice.dev/operator/modules/kit"
)

// keepAnswers is how long a retry with the same Idempotency-Key gets the first
// answer. Answers hold personal data, so they do not stay longer than a retry
// needs.
const keepAnswers = 7 * 24 * time.Hour

// attempt identifies a request that may be sent more than once.
type attempt struct {
	route string
	key   string // empty when the client sent none
	hash  []byte
}

// answer is what a request got; it is stored beside what the request wrote.
type answer struct {
	status   int
	location string
	body     []byte
	replayed bool
}

// newAttempt reads the Idempotency-Key. bodyHash may be nil.
func newAttempt(r *http.Request, bodyHash []byte) (attempt, error) {
	key := r.Header.Get("Idempotency-Key")
	if len(key) > 255 || strings.ContainsFunc(key, func(c rune) bool { return c < '!' || c > '~' }) {
		return attempt{}, kit.FieldErrors{{Field: "Idempotency-Key", Message: "must be at most 255 visible ASCII characters"}}
	}
	hash := sha256.New()
	fmt.Fprintf(hash, "%s\n%x", r.URL.Path, bodyHash)
	return attempt{route: r.Pattern, key: key, hash: hash.Sum(nil)}, nil
}

// once does work in a transaction and stores its answer in the same
// transaction. A later attempt gets the stored answer; an attempt made
// meanwhile waits for the first to end.
func once(ctx context.Context, pool *pgxpool.Pool, a attempt, now time.Time, work func(pgx.Tx) (answer, error)) (answer, error) {
	var result answer
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if a.key == "" {
			var err error
			result, err = work(tx)
			return err
		}
		claimed, err := claim(ctx, tx, a, now)
		if err != nil {
			return err
		}
		if !claimed {
			result, err = earlier(ctx, tx, a)
			return err
		}
		if result, err = work(tx); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE idempotency SET status = $3, location = $4, body = $5 WHERE route = $1 AND key = $2`,
			a.route, a.key, result.status, result.location, result.body)
		return err
	})
	if err != nil {
		return answer{}, err
	}
	return result, nil
}

// claim says whether this attempt is the first. It waits for an unfinished
// attempt with the same key, because both insert the same row.
func claim(ctx context.Context, tx pgx.Tx, a attempt, now time.Time) (bool, error) {
	tag, err := tx.Exec(ctx, `INSERT INTO idempotency (route, key, request_hash, created_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (route, key) DO NOTHING`, a.route, a.key, a.hash, now)
	if err != nil {
		return false, fmt.Errorf("claim idempotency key: %w", err)
	}
	return tag.RowsAffected() == 1, nil
}

// earlier reads the first attempt's answer.
func earlier(ctx context.Context, tx pgx.Tx, a attempt) (answer, error) {
	result := answer{replayed: true}
	var hash []byte
	err := tx.QueryRow(ctx, `SELECT request_hash, status, location, body FROM idempotency WHERE route = $1 AND key = $2`,
		a.route, a.key).Scan(&hash, &result.status, &result.location, &result.body)
	if errors.Is(err, pgx.ErrNoRows) {
		// Its time ran out between the two statements.
		return answer{}, kit.TryLater("The Idempotency-Key has just expired.")
	}
	if err != nil {
		return answer{}, fmt.Errorf("read earlier answer: %w", err)
	}
	if !bytes.Equal(hash, a.hash) {
		return answer{}, kit.NewProblem(http.StatusConflict, "idempotency-key-reused", "Idempotency-Key already used",
			"This Idempotency-Key belongs to a different request. Use a new key for a new request.")
	}
	return result, nil
}

// forgetAnswers removes answers that no retry needs any more.
func forgetAnswers(ctx context.Context, pool *pgxpool.Pool, now time.Time) error {
	if _, err := pool.Exec(ctx, `DELETE FROM idempotency WHERE created_at < $1`, now.Add(-keepAnswers)); err != nil {
		return fmt.Errorf("remove old answers: %w", err)
	}
	return nil
}
