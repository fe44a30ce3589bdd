package casemanagement

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ejustice.dev/operator/modules/trace"
	"ejustice.dev/operator/modules/trace/chain"
	"ejustice.dev/operator/modules/trace/tracetest"
)

// traced lists what is recorded, oldest first.
func (s *service) traced(t testing.TB, f trace.Filter) []chain.Link {
	t.Helper()
	links, _, err := trace.Find(context.Background(), s.pool, f, trace.Position{}, trace.MaxPage)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(links)
	return links
}

func TestEveryActIsRecorded(t *testing.T) {
	s := start(t)
	from := []string{"X-Forwarded-For", "192.0.2.66, 192.0.2.7"}
	var c Case
	s.call(t, http.MethodPost, "/api/v1/cases", filing(), from...).decode(t, &c)
	path := "/api/v1/cases/" + c.ID.String()
	document := path + "/documents/" + c.Documents[0].ID.String()
	s.call(t, http.MethodGet, path, nil, from...)
	s.call(t, http.MethodPost, path+"/registration", nil, from...)
	s.call(t, http.MethodPost, path+"/registration", nil, from...)
	s.call(t, http.MethodHead, document, nil, from...)
	s.call(t, http.MethodGet, document, nil, from...)
	s.call(t, http.MethodGet, "/api/v1/cases", nil, from...)
	s.call(t, http.MethodGet, "/", nil, from...)
	s.call(t, http.MethodGet, "/cases/"+c.ID.String(), nil, from...)

	var acts []string
	for _, link := range s.traced(t, trace.Filter{Case: c.ID}) {
		if link.Entry.From != "192.0.2.7" || link.Entry.Person != trace.Anonymous || link.Entry.Outcome != trace.Allowed || link.Court != "RAM-SOLH" {
			t.Errorf("%+v", link)
		}
		if link.Entry.ObjectKind == kindDocument && link.Entry.Details[detailSHA256] != c.Documents[0].SHA256 {
			t.Errorf("the document is not named: %+v", link.Entry)
		}
		acts = append(acts, link.Entry.Action)
	}
	slices.Sort(acts)
	want := []string{
		actionFile, actionList, actionList, actionRead, actionRead, actionRead, actionRegister, actionAddDoc, actionDescribe, actionReadDoc,
	}
	if !slices.Equal(acts, want) {
		t.Errorf("recorded %v, want %v", acts, want)
	}

	// Who looks for what is not there leaves a trace, too.
	nobody := uuid.New()
	s.call(t, http.MethodGet, "/api/v1/cases/"+nobody.String(), nil, from...)
	if links := s.traced(t, trace.Filter{Case: nobody}); len(links) != 1 || links[0].Entry.Outcome != trace.Refused {
		t.Errorf("%+v", links)
	}
}

// What cannot be recorded does not happen, and nothing is shown.
func TestWithoutTraceNothingHappens(t *testing.T) {
	s := start(t)
	c := s.file(t, filing())
	s.exec(t, `REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA trace FROM PUBLIC, "`+s.owner.Config().ConnConfig.Database+`.app"`)
	path := "/api/v1/cases/" + c.ID.String()
	for _, request := range []struct {
		method, path string
		body         any
	}{
		{http.MethodPost, "/api/v1/cases", filing()},
		{http.MethodPost, path + "/registration", nil},
		{http.MethodGet, path, nil},
		{http.MethodGet, path + "/documents/" + c.Documents[0].ID.String(), nil},
		{http.MethodGet, "/api/v1/cases", nil},
		{http.MethodGet, "/cases/" + c.ID.String(), nil},
		{http.MethodGet, "/api/v1/cases/" + uuid.NewString(), nil},
	} {
		answer := s.call(t, request.method, request.path, request.body)
		if answer.status != http.StatusInternalServerError || strings.Contains(string(answer.body), c.Title) || strings.Contains(string(answer.body), c.FilingNumber) {
			t.Errorf("%s %s: status %d: %s", request.method, request.path, answer.status, answer.body)
		}
	}
	if n := s.count(t, "SELECT count(*) FROM case_file WHERE status = 'FILED'"); n != 1 {
		t.Errorf("%d cases, want the first one, not registered", n)
	}
	if n := s.count(t, "SELECT last FROM number_counter WHERE kind = 'filing'"); n != 1 {
		t.Errorf("a number was used: %d", n)
	}
}

// The trace is signed and verified while the module runs; a change of it is told.
func TestTraceIsLookedAfter(t *testing.T) {
	s := start(t)
	c := s.file(t, filing())
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go s.KeepTrace(ctx, tracetest.NewKey(1), slog.New(slog.DiscardHandler))
	await(t, "a verification", func() bool { return s.trace.verified.Load() > 0 && s.trace.anchored.Load() > 0 })
	if s.trace.recent.Load()+s.trace.full.Load() != 0 {
		t.Fatal("a whole trace is called broken")
	}
	stop()

	super := tracetest.Superuser(t, s.db)
	err := pgx.BeginFunc(context.Background(), super, func(tx pgx.Tx) error {
		_, err := tx.Exec(context.Background(), `ALTER TABLE trace.entry DISABLE TRIGGER ALL;
			UPDATE trace.entry SET client = '192.0.2.99' WHERE case_id = '`+c.ID.String()+`';
			ALTER TABLE trace.entry ENABLE TRIGGER ALL; ALTER TABLE trace.entry ENABLE ALWAYS TRIGGER stays`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	keeper := trace.Keeper{DB: s.pool, Signer: tracetest.NewKey(1), FullAnchors: traceFullAnchors,
		Found: func(f trace.Finding) { s.trace.note(f, slog.New(slog.DiscardHandler)) }}
	await(t, "the full pass", func() bool {
		if finding := keeper.Pass(context.Background(), trace.Full); finding != nil {
			keeper.Found(*finding)
		}
		return s.trace.full.Load() > 0
	})
}

// await tries until the condition holds.
func await(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
