package trace

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ejustice.dev/operator/modules/trace/chain"
)

// Filter says which entries are meant. Empty fields do not narrow.
type Filter struct {
	Person string
	Case   uuid.UUID
	// Courts whose chains the entries are in; "" among them is the tenant's own.
	Courts  []string
	Action  string
	Outcome string
	// From and To bound the time; From is in it, To is not.
	From, To time.Time
}

// words is the filter for the database and for an export's manifest.
func (f Filter) words() map[string]string {
	words := map[string]string{}
	for name, value := range map[string]string{"person": f.Person, "action": f.Action, "outcome": f.Outcome} {
		if value != "" {
			words[name] = value
		}
	}
	if f.Case != uuid.Nil {
		words["case"] = f.Case.String()
	}
	for name, at := range map[string]time.Time{"from": f.From, "to": f.To} {
		if !at.IsZero() {
			words[name] = chain.Time{Time: at}.String()
		}
	}
	if len(f.Courts) > 0 {
		words["courts"] = strings.Join(f.Courts, " ")
	}
	return words
}

// query is the filter as the database's function reads it.
func (f Filter) query(more map[string]any) (string, error) {
	query := map[string]any{}
	for name, value := range f.words() {
		query[name] = value
	}
	if len(f.Courts) > 0 {
		query["courts"] = f.Courts
	}
	for name, value := range more {
		query[name] = value
	}
	text, err := json.Marshal(query)
	return string(text), err
}

// matches says whether the filter means a link.
func (f Filter) matches(link chain.Link) bool {
	e, at := link.Entry, link.At.Time
	return e != nil &&
		(f.Person == "" || f.Person == e.Person) &&
		(f.Case == uuid.Nil || f.Case.String() == e.Case) &&
		(len(f.Courts) == 0 || slices.Contains(f.Courts, link.Court)) &&
		(f.Action == "" || f.Action == e.Action) &&
		(f.Outcome == "" || f.Outcome == e.Outcome) &&
		(f.From.IsZero() || !at.Before(f.From)) &&
		(f.To.IsZero() || at.Before(f.To))
}

// slack is how much longer than its entry's time a transaction may last, so that
// the entry is covered by a later anchor. The pool's time limits keep it shorter.
const slack = 5 * time.Minute

// window is the part of the trace in which all entries of a filter are, from an
// anchor to an anchor.
type window struct {
	after   chain.Ref // zero: from the first entry
	through int64     // 0: to the newest entry
	only    func(chain.ID) bool
}

// window finds the part of the trace that must be followed to know that what the
// filter means is complete.
func (f Filter) window(ctx context.Context, db DB) (window, error) {
	var w window
	from, to := f.From, f.To
	if len(f.Courts) > 0 {
		w.only = func(id chain.ID) bool { return slices.Contains(f.Courts, id.Court) }
	}
	if f.Case != uuid.Nil {
		chains, first, last, err := chainsOfCase(ctx, db, f.Case)
		if err != nil {
			return window{}, err
		}
		courts := w.only
		w.only = func(id chain.ID) bool { return slices.Contains(chains, id) && (courts == nil || courts(id)) }
		if from.Before(first) {
			from = first
		}
		if end := last.Add(time.Microsecond); len(chains) > 0 && (to.IsZero() || to.After(end)) {
			to = end
		}
	}
	var after int64
	if !from.IsZero() {
		if err := db.QueryRow(ctx, `SELECT trace.anchor_near($1, true)`, from).Scan(&after); err != nil {
			return window{}, fmt.Errorf("find an anchor before: %w", err)
		}
	}
	if after > 0 {
		anchors, err := Live{db}.bare(ctx, after-1, 1)
		if err != nil || len(anchors) == 0 {
			return window{}, fmt.Errorf("read anchor %d: %w", after, err)
		}
		w.after = anchors[0].Ref()
	}
	if !to.IsZero() {
		if err := db.QueryRow(ctx, `SELECT trace.anchor_near($1, false)`, to.Add(slack)).Scan(&w.through); err != nil {
			return window{}, fmt.Errorf("find an anchor after: %w", err)
		}
	}
	return w, nil
}

func chainsOfCase(ctx context.Context, db DB, id uuid.UUID) (chains []chain.ID, first, last time.Time, err error) {
	rows, _ := db.Query(ctx, `SELECT court, shard, first, last FROM trace.chains_of_case($1)`, id)
	var c chain.ID
	var begin, end time.Time
	_, err = pgx.ForEachRow(rows, []any{&c.Court, &c.Shard, &begin, &end}, func() error {
		chains = append(chains, c)
		if first.IsZero() || begin.Before(first) {
			first = begin
		}
		if end.After(last) {
			last = end
		}
		return nil
	})
	if err != nil {
		return nil, time.Time{}, time.Time{}, fmt.Errorf("find the chains of a case: %w", err)
	}
	return chains, first, last, nil
}

// verifyWindow is how many anchors are in memory at once.
const verifyWindow = 1000

// Verify verifies on demand the part of the trace in which all entries of the
// filter are: whole chains of a court, those of a case, a time. known are
// anchors that somebody kept outside the database.
func Verify(ctx context.Context, db DB, signer Signer, f Filter, known ...chain.Ref) (chain.Report, error) {
	keys, err := signer.PublicKeys(ctx)
	if err != nil {
		return chain.Report{}, err
	}
	w, err := f.window(ctx, db)
	if err != nil {
		return chain.Report{}, err
	}
	return chain.Verify(ctx, Live{db}, keys, chain.Options{
		After: w.after, Through: w.through, Only: w.only, Known: known, Window: verifyWindow,
	})
}
