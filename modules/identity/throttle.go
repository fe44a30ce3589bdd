package identity

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// limit says how many attempts are free, and how the pause after each further
// one grows: it doubles from first up to longest. Nobody is locked out for ever,
// or strangers could shut a court's people out.
type limit struct {
	kind           string
	free           int
	first, longest time.Duration
	// leak is after how long one attempt is forgotten: a busy office is not held to
	// what it did in the morning.
	leak time.Duration
}

var (
	// Each account, whether it exists or not.
	accountLimit = limit{"account", 5, 30 * time.Second, 15 * time.Minute, time.Hour}
	// The second factor of each account: a million codes, and three of them fit.
	factorLimit = limit{"factor", 5, 30 * time.Second, time.Hour, 4 * time.Hour}
	// Each address: many people of one court may share it.
	addressLimit = limit{"address", 50, 10 * time.Second, 15 * time.Minute, 30 * time.Second}
	// Requests of relying parties by address, each of which takes a row.
	requestLimit = limit{"request", 600, 10 * time.Second, 5 * time.Minute, time.Second}
)

// key is what the database knows of whom is counted: a digest, so that the table
// lists neither addresses nor what people typed as their name.
func (l limit) key(who string) []byte {
	sum := sha256.Sum256([]byte(l.kind + "\x00" + who))
	return sum[:]
}

// blocked is the error of an attempt during a pause.
type blocked struct{ until time.Time }

func (blocked) Error() string { return "too many attempts" }

// attempt counts an attempt before it is looked at, so that many at once cannot
// go round the limit. It returns blocked during a pause, and nothing is counted
// then.
func (l limit) attempt(ctx context.Context, pool *pgxpool.Pool, who string, now time.Time) error {
	var until time.Time
	// What is left of the former attempts, and this one.
	const count = `greatest(0, t.attempts - extract(epoch FROM $2 - t.last_at) / $3) + 1`
	err := pool.QueryRow(ctx, `
		INSERT INTO throttle AS t (key, attempts, last_at, blocked_until) VALUES ($1, 1, $2, $2)
		ON CONFLICT (key) DO UPDATE SET attempts = `+count+`, last_at = $2,
			blocked_until = CASE WHEN ceil(`+count+`) < $4 THEN $2::timestamptz
				ELSE $2::timestamptz + least($6::interval, $5::interval * 2 ^ least(ceil(`+count+`) - $4, 20)) END
		WHERE t.blocked_until <= $2 RETURNING blocked_until`,
		l.key(who), now, l.leak.Seconds(), l.free, l.first, l.longest).Scan(&until)
	if errors.Is(err, pgx.ErrNoRows) {
		err = pool.QueryRow(ctx, `SELECT blocked_until FROM throttle WHERE key = $1`, l.key(who)).Scan(&until)
		if err == nil {
			return blocked{until}
		}
	}
	if err != nil {
		return fmt.Errorf("count attempt: %w", err)
	}
	return nil
}

// forgive ends the count of an account after a success.
func (l limit) forgive(ctx context.Context, pool *pgxpool.Pool, who string) error {
	if _, err := pool.Exec(ctx, `DELETE FROM throttle WHERE key = $1`, l.key(who)); err != nil {
		return fmt.Errorf("forget attempts: %w", err)
	}
	return nil
}

// takeBack undoes one attempt after a success: an address may not buy itself
// free by one account of its own.
func (l limit) takeBack(ctx context.Context, pool *pgxpool.Pool, who string, now time.Time) error {
	if _, err := pool.Exec(ctx, `UPDATE throttle SET attempts = greatest(attempts - 1, 0), blocked_until = $2 WHERE key = $1`,
		l.key(who), now); err != nil {
		return fmt.Errorf("take back attempt: %w", err)
	}
	return nil
}

// addressOf is where a request came from: what the front door says, which
// believes no header of its own callers. A household's or an office's IPv6
// addresses count as one.
func addressOf(r *http.Request) string {
	text := r.Header.Get("X-Forwarded-For")
	text = strings.TrimSpace(text[strings.LastIndexByte(text, ',')+1:])
	if text == "" {
		text, _, _ = net.SplitHostPort(r.RemoteAddr)
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		return "unknown"
	}
	if address = address.Unmap().WithZone(""); address.Is6() {
		prefix, _ := address.Prefix(64) // 64 fits
		return prefix.String()
	}
	return address.String()
}
