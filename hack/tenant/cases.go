package tenant

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// Cases is a file of filings for one tenant.
type Cases struct {
	Tenant string   `json:"tenant"`
	Cases  []Filing `json:"cases"`
}

// Filing is what a party hands in. Text stands in place of base64 content in the
// sample files, so that people can read them.
type Filing struct {
	Register  bool             `json:"register,omitempty"`
	CourtCode string           `json:"courtCode"`
	CaseType  string           `json:"caseType"`
	Title     string           `json:"title"`
	FiledOn   string           `json:"filedOn,omitempty"`
	Parties   []map[string]any `json:"parties"`
	Documents []Document       `json:"documents"`
}

// Document is one paper of a filing.
type Document struct {
	Name          string `json:"name"`
	MediaType     string `json:"mediaType"`
	ContentText   string `json:"contentText,omitempty"`
	ContentBase64 string `json:"contentBase64,omitempty"`
}

// Case is what the module answers.
type Case struct {
	ID                 string `json:"id"`
	FilingNumber       string `json:"filingNumber"`
	RegistrationNumber string `json:"registrationNumber,omitempty"`
	Status             string `json:"status"`
	Title              string `json:"title"`
	CourtCode          string `json:"courtCode"`
}

// ReadCases decodes a file of filings.
func ReadCases(file string) (*Cases, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var cases Cases
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&cases); err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	return &cases, nil
}

// CaseManagement speaks to a tenant's case-management module.
type CaseManagement struct {
	BaseURL string
	HTTP    *http.Client
}

// File hands in a filing. The key makes a second try of the same filing return
// the first one's case.
func (m *CaseManagement) File(ctx context.Context, key string, f Filing) (*Case, error) {
	f.Register = false
	documents := make([]Document, len(f.Documents))
	for i, d := range f.Documents {
		if d.ContentText != "" {
			d.ContentBase64 = base64.StdEncoding.EncodeToString([]byte(d.ContentText))
			d.ContentText = ""
		}
		documents[i] = d
	}
	f.Documents = documents
	var c Case
	return &c, m.call(ctx, http.MethodPost, "/api/v1/cases", key, f, &c)
}

// Register gives the case its registration number.
func (m *CaseManagement) Register(ctx context.Context, id string) (*Case, error) {
	var c Case
	return &c, m.call(ctx, http.MethodPost, "/api/v1/cases/"+id+"/registration", "register-"+id, nil, &c)
}

// List returns the cases that the query, such as "court=RAM-BID", selects.
func (m *CaseManagement) List(ctx context.Context, query string) ([]Case, error) {
	var all []Case
	for cursor := ""; ; {
		var page struct {
			Items      []Case `json:"items"`
			NextCursor string `json:"nextCursor"`
		}
		if err := m.call(ctx, http.MethodGet, "/api/v1/cases?limit=100&"+query+"&cursor="+cursor, "", nil, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if cursor = page.NextCursor; cursor == "" {
			return all, nil
		}
	}
}

// Documents returns the identities of a case's documents.
func (m *CaseManagement) Documents(ctx context.Context, id string) ([]string, error) {
	var c struct {
		Documents []struct {
			ID string `json:"id"`
		} `json:"documents"`
	}
	if err := m.call(ctx, http.MethodGet, "/api/v1/cases/"+id, "", nil, &c); err != nil {
		return nil, err
	}
	if len(c.Documents) == 0 {
		return nil, fmt.Errorf("case %s has no document", id)
	}
	ids := make([]string, len(c.Documents))
	for i, d := range c.Documents {
		ids[i] = d.ID
	}
	return ids, nil
}

func (m *CaseManagement) call(ctx context.Context, method, path, key string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, m.BaseURL+path, body)
	if err != nil {
		return err
	}
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	response, err := m.HTTP.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		problem, _ := io.ReadAll(io.LimitReader(response.Body, 4096))
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, problem)
	}
	if err := json.NewDecoder(response.Body).Decode(out); err != nil {
		return fmt.Errorf("%s %s: reading the answer: %w", method, path, err)
	}
	return nil
}

// Get fetches any page or document of the module.
func (m *CaseManagement) Get(ctx context.Context, path string) (int, http.Header, string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, m.BaseURL+path, nil)
	if err != nil {
		return 0, nil, "", err
	}
	response, err := m.HTTP.Do(request)
	if err != nil {
		return 0, nil, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, response.Header, string(body), err
}
