package identity

import (
	"context"
	_ "embed"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ejustice.dev/operator/modules/kit"
)

const (
	// endsKept is how long ended sessions are told: far longer than a token lives.
	endsKept = 24 * time.Hour
	// endsPage is the most that one answer tells.
	endsPage = 1000
	// endsWait is the longest that an answer waits for something to tell.
	endsWait = 25 * time.Second
	// endsEvery is how often the database is asked meanwhile.
	endsEvery = 500 * time.Millisecond
)

// endedSession is a session that ended before its time.
type endedSession struct {
	SID     uuid.UUID `json:"sid"`
	EndedAt time.Time `json:"endedAt"`
}

// endedSessions is an answer to a relying party that follows the ends.
type endedSessions struct {
	Ended []endedSession `json:"ended"`
	// Next is the position to ask from next time.
	Next string `json:"next"`
}

// listEnded tells a relying party which sessions ended since it last asked. It
// waits for the next end if asked to, so that a relying party knows within a
// second. Only clients that have shown their certificate may ask.
func (a *App) listEnded(w http.ResponseWriter, r *http.Request) error {
	if a.clientOf(r) == nil {
		return kit.NewProblem(http.StatusForbidden, "forbidden", "Not allowed", "Only a client with its own certificate may ask.")
	}
	var errs kit.FieldErrors
	number := func(name string, most int64) int64 {
		text := r.URL.Query().Get(name)
		if text == "" {
			return 0
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 || n > most {
			errs.Add(name, "must be a whole number from 0 to %d", most)
		}
		return n
	}
	after, wait := number("after", 1<<62), number("wait", int64(endsWait/time.Second))
	if err := errs.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), time.Duration(wait)*time.Second)
	defer cancel()
	for {
		answer, err := a.endedAfter(r.Context(), after)
		if err != nil {
			return err
		}
		if len(answer.Ended) > 0 {
			return kit.WriteJSON(w, http.StatusOK, answer)
		}
		select {
		case <-ctx.Done():
			return kit.WriteJSON(w, http.StatusOK, answer)
		case <-time.After(endsEvery):
		}
	}
}

func (a *App) endedAfter(ctx context.Context, after int64) (endedSessions, error) {
	answer := endedSessions{Ended: []endedSession{}}
	rows, _ := a.pool.Query(ctx, `SELECT seq, session_id, ended_at FROM session_end WHERE seq > $1 ORDER BY seq LIMIT $2`, after, endsPage)
	var one endedSession
	_, err := pgx.ForEachRow(rows, []any{&after, &one.SID, &one.EndedAt}, func() error {
		one.EndedAt = one.EndedAt.UTC()
		answer.Ended = append(answer.Ended, one)
		return nil
	})
	if err != nil {
		return answer, fmt.Errorf("read ended sessions: %w", err)
	}
	answer.Next = strconv.FormatInt(after, 10)
	return answer, nil
}

//go:embed openapi.json
var openAPIDocument []byte

// openAPI serves the description of the API.
func (a *App) openAPI(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	_, err := w.Write(openAPIDocument)
	return err
}
