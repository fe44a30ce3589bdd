package casemanagement

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ejustice.dev/operator/modules/kit"
	"ejustice.dev/operator/modules/trace"
)

func (a *App) openAPI(w http.ResponseWriter, _ *http.Request) error {
	document, err := files.ReadFile("openapi.json")
	if err != nil {
		return fmt.Errorf("read openapi.json: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-cache")
	_, err = w.Write(document)
	return err
}

func (a *App) listCourts(w http.ResponseWriter, _ *http.Request) error {
	return kit.WriteJSON(w, http.StatusOK, struct {
		Courts    []Court    `json:"courts"`
		CaseTypes []CaseType `json:"caseTypes"`
	}{a.settings.Courts, a.settings.CaseTypes})
}

func (a *App) listCases(w http.ResponseWriter, r *http.Request) error {
	query, err := parseQuery(r.URL.Query(), a.settings)
	if err != nil {
		return err
	}
	items, next, err := a.find(r, query)
	if err != nil {
		return err
	}
	return kit.WriteJSON(w, http.StatusOK, struct {
		Items      []Summary `json:"items"`
		NextCursor string    `json:"nextCursor,omitempty"`
	}{items, next.String()})
}

func (a *App) getCase(w http.ResponseWriter, r *http.Request) error {
	c, err := a.caseOf(r)
	if err != nil {
		return err
	}
	return kit.WriteJSON(w, http.StatusOK, c)
}

// caseOf reads the case whose id is in the address.
func (a *App) caseOf(r *http.Request) (Case, error) {
	id, err := pathID(r, "id")
	if err != nil {
		return Case{}, err
	}
	var c Case
	err = a.seen(r, actionRead, id, func(ctx context.Context, db querier) ([]trace.Entry, error) {
		c, err = readCase(ctx, db, id)
		return []trace.Entry{act(r, actionRead, c.CourtCode, id)}, err
	})
	return c, err
}

// find lists cases. That somebody asked and each case that is shown is recorded.
func (a *App) find(r *http.Request, query Query) (found []Summary, next position, err error) {
	err = a.seen(r, actionList, uuid.Nil, func(ctx context.Context, db querier) ([]trace.Entry, error) {
		found, next, err = findCases(ctx, db, query)
		if err != nil {
			return nil, err
		}
		list := act(r, actionList, "", uuid.Nil)
		list.ObjectKind, list.ObjectID = kindList, ""
		entries := []trace.Entry{list}
		for _, c := range found {
			entries = append(entries, act(r, actionList, c.CourtCode, c.ID))
		}
		return entries, nil
	})
	return found, next, err
}

// pathID reads an id in the address. Text that is no id names nothing.
func pathID(r *http.Request, name string) (uuid.UUID, error) {
	text := r.PathValue(name)
	id, err := uuid.Parse(text)
	if err != nil || len(text) != 36 {
		return uuid.UUID{}, kit.NotFound()
	}
	return id, nil
}

func (a *App) createCase(w http.ResponseWriter, r *http.Request) error {
	release, err := a.admit(r)
	if err != nil {
		return err
	}
	defer release()
	filing, bodyHash, err := a.readFiling(w, r)
	if err != nil {
		return err
	}
	now := a.now()
	if err := filing.check(a.settings, now); err != nil {
		return err
	}
	attempt, err := newAttempt(r, bodyHash)
	if err != nil {
		return err
	}
	result, err := once(r.Context(), a.pool, attempt, now, func(tx pgx.Tx) (answer, error) {
		c, err := fileCase(r.Context(), tx, a.settings, a.keys.Own(), filing, now)
		if err != nil {
			return answer{}, err
		}
		if err := trace.Append(r.Context(), tx, filed(r, c)...); err != nil {
			return answer{}, err
		}
		return newAnswer(http.StatusCreated, casePath(c.ID), c)
	})
	if err != nil {
		return err
	}
	return result.write(w)
}

// smallBody is what a filing may have without waiting for its turn.
const smallBody = 256 << 10

// admit lets only so many bytes of large filings in at once: a pod has little
// memory, and a filing refused with 503 is sent again, while a killed pod
// breaks everybody's.
func (a *App) admit(r *http.Request) (release func(), err error) {
	size := r.ContentLength
	if size > a.maxBody {
		return nil, &http.MaxBytesError{Limit: a.maxBody}
	}
	if size < 0 {
		size = a.maxBody
	}
	if size <= smallBody {
		return func() {}, nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), 15*time.Second)
	defer cancel()
	if a.bodies.Acquire(ctx, size) != nil {
		return nil, kit.TryLater("Too many large filings are being received. Send it again.")
	}
	return func() { a.bodies.Release(size) }, nil
}

// readFiling reads the body and its SHA-256.
func (a *App) readFiling(w http.ResponseWriter, r *http.Request) (Filing, []byte, error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return Filing{}, nil, kit.NewProblem(http.StatusUnsupportedMediaType, "unsupported-media-type",
			"Unsupported media type", "Send application/json.")
	}
	var filing Filing
	hash := sha256.New()
	body := io.TeeReader(http.MaxBytesReader(w, r.Body, a.maxBody), hash)
	if err := kit.DecodeJSON(body, &filing); err != nil {
		return Filing{}, nil, err
	}
	return filing, hash.Sum(nil), nil
}

func (a *App) createRegistration(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	attempt, err := newAttempt(r, nil)
	if err != nil {
		return err
	}
	now := a.now()
	result, err := once(r.Context(), a.pool, attempt, now, func(tx pgx.Tx) (answer, error) {
		c, created, err := registerCase(r.Context(), tx, a.settings, id, now)
		if err != nil {
			return answer{}, err
		}
		if !created {
			if err := trace.Append(r.Context(), tx, act(r, actionRead, c.CourtCode, id)); err != nil {
				return answer{}, err
			}
			return newAnswer(http.StatusOK, "", c)
		}
		if err := trace.Append(r.Context(), tx, act(r, actionRegister, c.CourtCode, id)); err != nil {
			return answer{}, err
		}
		return newAnswer(http.StatusCreated, casePath(id), c)
	})
	if err != nil {
		return err
	}
	return result.write(w)
}

func casePath(id uuid.UUID) string { return "/api/v1/cases/" + id.String() }

func newAnswer(status int, location string, value any) (answer, error) {
	body, err := json.Marshal(value)
	if err != nil {
		return answer{}, fmt.Errorf("write answer: %w", err)
	}
	return answer{status: status, location: location, body: append(body, '\n')}, nil
}

func (result answer) write(w http.ResponseWriter) error {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	if result.location != "" {
		h.Set("Location", result.location)
	}
	if result.replayed {
		h.Set("Idempotency-Replayed", "true")
	}
	w.WriteHeader(result.status)
	_, err := io.Copy(w, bytes.NewReader(result.body))
	return err
}

func (a *App) getDocument(w http.ResponseWriter, r *http.Request) error {
	caseID, err := pathID(r, "id")
	if err != nil {
		return err
	}
	id, err := pathID(r, "document")
	if err != nil {
		return err
	}
	action := actionReadDoc
	if r.Method == http.MethodHead {
		action = actionDescribe
	}
	var document Document
	err = a.seen(r, action, caseID, func(ctx context.Context, db querier) ([]trace.Entry, error) {
		var court string
		document, court, err = readDocument(ctx, db, caseID, id)
		return []trace.Entry{actOnDocument(r, action, court, caseID, document)}, err
	})
	if err != nil {
		return err
	}
	if r.Method == http.MethodHead {
		return document.setHeaders(w.Header())
	}
	return sendContent(r.Context(), a.pool, a.keys, document, &described{w, document, false})
}

// described says what the document is when its first bytes are there: what goes
// wrong before that is answered as itself.
type described struct {
	http.ResponseWriter
	document Document
	begun    bool
}

func (d *described) Write(p []byte) (int, error) {
	if !d.begun {
		if err := d.document.setHeaders(d.Header()); err != nil {
			return 0, err
		}
		d.begun = true
	}
	return d.ResponseWriter.Write(p)
}

// setHeaders describes the content to the browser, which must save it and
// never show it as a page of ours.
func (d Document) setHeaders(h http.Header) error {
	sum, err := hex.DecodeString(d.SHA256)
	if err != nil {
		return fmt.Errorf("stored digest: %w", err)
	}
	digest := base64.StdEncoding.EncodeToString(sum)
	media := d.MediaType
	if strings.HasPrefix(media, "text/") {
		media += "; charset=utf-8"
	}
	h.Set("Content-Type", media)
	h.Set("Content-Length", strconv.FormatInt(d.Size, 10))
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": d.Name}))
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("ETag", `"`+d.SHA256+`"`)
	h.Set("Digest", "sha-256="+digest)
	h.Set("Repr-Digest", "sha-256=:"+digest+":")
	return nil
}
