package trace

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ejustice.dev/operator/modules/trace/chain"
)

// MaxPage is the most entries that one page holds.
const MaxPage = 500

// Position is a place in a list of entries, newest first: just after the entry
// with this time and id. The zero position is the beginning.
type Position struct {
	At time.Time
	ID uuid.UUID
}

func (p Position) String() string {
	if p == (Position{}) {
		return ""
	}
	raw := binary.BigEndian.AppendUint64(nil, uint64(p.At.UnixMicro()))
	return base64.RawURLEncoding.EncodeToString(append(raw, p.ID[:]...))
}

// ParsePosition reads what String wrote.
func ParsePosition(text string) (Position, bool) {
	if text == "" {
		return Position{}, true
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) != 24 {
		return Position{}, false
	}
	at := time.UnixMicro(int64(binary.BigEndian.Uint64(raw))).UTC()
	if at.Year() < 2000 || at.Year() > 9999 {
		return Position{}, false
	}
	return Position{at, uuid.UUID(raw[8:])}, true
}

// Find lists entries, newest first, and where the next page begins; the zero
// position means that there is none. It does not verify them.
func Find(ctx context.Context, db DB, f Filter, after Position, limit int) ([]chain.Link, Position, error) {
	limit = max(1, min(limit, MaxPage))
	more := map[string]any{}
	if after != (Position{}) {
		more["at"], more["id"] = chain.Time{Time: after.At}.String(), after.ID.String()
	}
	query, err := f.query(more)
	if err != nil {
		return nil, Position{}, fmt.Errorf("find in the trace: %w", err)
	}
	rows, _ := db.Query(ctx, `SELECT `+linkColumns+` FROM trace.find($1, $2)`, query, limit+1)
	links, err := pgx.CollectRows(rows, scanLink)
	if err != nil {
		return nil, Position{}, fmt.Errorf("find in the trace: %w", err)
	}
	if len(links) <= limit {
		return links, Position{}, nil
	}
	last := links[limit-1]
	id, err := uuid.Parse(last.Entry.ID)
	if err != nil {
		return nil, Position{}, fmt.Errorf("find in the trace: %w", err)
	}
	return links[:limit], Position{last.At.Time, id}, nil
}

// Look is what a party may know of an act on their own case: that it happened,
// by whom and in which role; not from where, in which session or why.
type Look struct {
	At         time.Time `json:"at"`
	Person     string    `json:"person"`
	Role       string    `json:"role"`
	RoleCourt  string    `json:"roleCourt"`
	For        string    `json:"for"`
	Action     string    `json:"action"`
	ObjectKind string    `json:"objectKind"`
	ObjectID   string    `json:"objectId"`
}

// Looks lists who opened or changed a case, newest first. Refused attempts are
// left out: they are the court's to pursue.
func Looks(ctx context.Context, db DB, caseID uuid.UUID, after Position, limit int) ([]Look, Position, error) {
	if caseID == uuid.Nil {
		return nil, Position{}, fmt.Errorf("find in the trace: no case")
	}
	links, next, err := Find(ctx, db, Filter{Case: caseID, Outcome: Allowed}, after, limit)
	if err != nil {
		return nil, Position{}, err
	}
	looks := make([]Look, len(links))
	for i, link := range links {
		e := link.Entry
		looks[i] = Look{link.At.Time, e.Person, e.Role, e.RoleCourt, e.For, e.Action, e.ObjectKind, e.ObjectID}
	}
	return looks, next, nil
}
