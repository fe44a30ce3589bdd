package casemanagement

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ejustice.dev/operator/modules/kit"
)

const (
	defaultLimit = 20
	maxLimit     = 100
	maxQuery     = 200
)

// Query is what a list of cases is narrowed by. Empty fields do not narrow.
type Query struct {
	Court, CaseType, Status, Number, Words string
	After                                  position
	Limit                                  int
}

// Narrowed says whether the query asks for anything but all cases.
func (q Query) Narrowed() bool {
	return q.Court+q.CaseType+q.Status+q.Number+q.Words != ""
}

// position is a place in the list of cases, newest first: just after the case
// with this time and id. Pages made from positions neither skip nor repeat a
// case when others are filed meanwhile.
type position struct {
	receivedAt time.Time
	id         uuid.UUID
}

func (p position) String() string {
	if p == (position{}) {
		return ""
	}
	raw := binary.BigEndian.AppendUint64(nil, uint64(p.receivedAt.UnixMicro()))
	return base64.RawURLEncoding.EncodeToString(append(raw, p.id[:]...))
}

func parsePosition(text string) (position, bool) {
	if text == "" {
		return position{}, true
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) != 24 {
		return position{}, false
	}
	at := time.UnixMicro(int64(binary.BigEndian.Uint64(raw))).UTC()
	if at.Year() < 2000 || at.Year() > 9999 {
		return position{}, false
	}
	return position{at, uuid.UUID(raw[8:])}, true
}

// parseQuery reads the address's query. It returns every fault, or nil.
func parseQuery(values url.Values, settings *Settings) (Query, error) {
	var errs kit.FieldErrors
	q := Query{
		Court: values.Get("court"), CaseType: values.Get("caseType"), Status: values.Get("status"),
		Number: cleanText(values.Get("number")), Words: cleanText(values.Get("q")), Limit: defaultLimit,
	}
	if _, known := settings.court(q.Court); q.Court != "" && !known {
		errs.Add("court", "is not a court of this tenant")
	}
	if _, known := settings.caseType(q.CaseType); q.CaseType != "" && !known {
		errs.Add("caseType", "is not a case type of this tenant")
	}
	if q.Status != "" && q.Status != statusFiled && q.Status != statusRegistered {
		errs.Add("status", "must be %s or %s", statusFiled, statusRegistered)
	}
	for _, field := range []struct{ name, text string }{{"number", q.Number}, {"q", q.Words}} {
		if utf8.RuneCountInString(field.text) > maxQuery {
			errs.Add(field.name, "must have at most %d characters", maxQuery)
		}
		if strings.ContainsRune(field.text, utf8.RuneError) {
			errs.Add(field.name, "contains characters that cannot be read")
		}
	}
	var ok bool
	if q.After, ok = parsePosition(values.Get("cursor")); !ok {
		errs.Add("cursor", "must be the nextCursor of an earlier answer")
	}
	if text := values.Get("limit"); text != "" {
		limit, err := strconv.Atoi(text)
		if err != nil || limit < 1 || limit > maxLimit {
			errs.Add("limit", "must be a number from 1 to %d", maxLimit)
		}
		q.Limit = limit
	}
	return q, errs.Err()
}

// findCases lists cases, newest first, and where the next page begins; the
// zero position means that there is none.
func findCases(ctx context.Context, db querier, q Query) ([]Summary, position, error) {
	where, args := q.conditions()
	args = append(args, q.Limit+1)
	rows, _ := db.Query(ctx, fmt.Sprintf(`SELECT %s FROM case_file WHERE %s ORDER BY received_at DESC, id DESC LIMIT $%d`,
		summaryColumns, where, len(args)), args...)
	found, err := pgx.CollectRows(rows, scanSummary)
	if err != nil {
		return nil, position{}, fmt.Errorf("find cases: %w", err)
	}
	if len(found) <= q.Limit {
		return found, position{}, nil
	}
	found = found[:q.Limit]
	last := found[len(found)-1]
	return found, position{last.ReceivedAt, last.ID}, nil
}

// conditions writes the WHERE clause. Only placeholders enter the text.
func (q Query) conditions() (string, []any) {
	conditions := []string{"true"}
	var args []any
	add := func(condition string, values ...any) {
		for _, value := range values {
			args = append(args, value)
			condition = strings.Replace(condition, "?", "$"+strconv.Itoa(len(args)), 1)
		}
		conditions = append(conditions, condition)
	}
	if q.Court != "" {
		add("court_code = ?", q.Court)
	}
	if q.CaseType != "" {
		add("case_type = ?", q.CaseType)
	}
	if q.Status != "" {
		add("status = ?", q.Status)
	}
	if q.Number != "" {
		key := numberKey(q.Number)
		add("(filing_key = ? OR registration_key = ?)", key, key)
	}
	if q.Words != "" {
		words := strings.Fields(searchKey(q.Words))
		if len(words) == 0 {
			conditions = append(conditions, "false") // only signs were asked for
		}
		for _, word := range words {
			// The key holds letters and digits only: no LIKE pattern can hide in it.
			add("search_key LIKE ?", "%"+word+"%")
		}
	}
	if q.After != (position{}) {
		add("(received_at, id) < (?, ?)", q.After.receivedAt, q.After.id)
	}
	return strings.Join(conditions, " AND "), args
}
