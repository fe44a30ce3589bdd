package casemanagement

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"ejustice.dev/operator/modules/kit"
)

// nothingStored fails the test when any table has a row.
func nothingStored(t *testing.T, s *service) {
	t.Helper()
	for _, table := range []string{"case_file", "party", "document", "document_content", "number_counter", "idempotency"} {
		if n := s.count(t, "SELECT count(*) FROM "+table); n != 0 {
			t.Errorf("%s has %d rows", table, n)
		}
	}
}

func TestBadFilings(t *testing.T) {
	s := start(t)
	party := func(body map[string]any, i int) map[string]any { return body["parties"].([]any)[i].(map[string]any) }
	doc := func(body map[string]any) map[string]any { return body["documents"].([]any)[0].(map[string]any) }
	png := "\x89PNG\r\n\x1a\n"
	for name, test := range map[string]struct {
		change func(body map[string]any)
		status int
		fields []string
	}{
		"empty":                   {func(b map[string]any) { clear(b) }, 400, []string{"courtCode", "caseType", "title", "parties", "documents"}},
		"unknown court":           {func(b map[string]any) { b["courtCode"] = "NOWHERE" }, 400, []string{"courtCode"}},
		"court in small letters":  {func(b map[string]any) { b["courtCode"] = "ram-solh" }, 400, []string{"courtCode"}},
		"unknown case type":       {func(b map[string]any) { b["caseType"] = "XXX" }, 400, []string{"caseType"}},
		"type of another court":   {func(b map[string]any) { b["courtCode"], b["caseType"] = "RAM-BIDAYA", "CRM" }, 400, []string{"caseType"}},
		"blank title":             {func(b map[string]any) { b["title"] = " \u202e\u00a0\n" }, 400, []string{"title"}},
		"title of signs":          {func(b map[string]any) { b["title"] = "…" }, 400, []string{"title"}},
		"title too long":          {func(b map[string]any) { b["title"] = strings.Repeat("ع", 501) }, 400, []string{"title"}},
		"title of a wrong type":   {func(b map[string]any) { b["title"] = 5 }, 400, []string{"title"}},
		"damaged title":           {func(b map[string]any) { b["title"] = "a\ufffdb" }, 400, []string{"title"}},
		"unknown field":           {func(b map[string]any) { b["judge"] = "x" }, 400, []string{"judge"}},
		"unknown field of a part": {func(b map[string]any) { party(b, 1)["fullName"] = "x" }, 400, []string{"parties[1].fullName"}},
		"no name":                 {func(b map[string]any) { delete(party(b, 0), "name") }, 400, []string{"parties[0].name"}},
		"null name":               {func(b map[string]any) { party(b, 0)["name"] = nil }, 400, []string{"parties[0].name"}},
		"role and kind":           {func(b map[string]any) { party(b, 1)["role"], party(b, 1)["kind"] = "boss", "" }, 400, []string{"parties[1].role", "parties[1].kind"}},
		"latin name in Arabic":    {func(b map[string]any) { party(b, 0)["latinName"] = "أحمد" }, 400, []string{"parties[0].latinName"}},
		"blank representative":    {func(b map[string]any) { party(b, 0)["representedBy"] = "  " }, 400, []string{"parties[0].representedBy"}},
		"no parties":              {func(b map[string]any) { b["parties"] = []any{} }, 400, []string{"parties"}},
		"too many parties":        {func(b map[string]any) { b["parties"] = slices.Repeat([]any{party(b, 0)}, 201) }, 400, []string{"parties"}},
		"no documents":            {func(b map[string]any) { b["documents"] = []any{} }, 400, []string{"documents"}},
		"null document":           {func(b map[string]any) { b["documents"] = []any{nil} }, 400, []string{"documents[0].name", "documents[0].mediaType", "documents[0].contentBase64"}},
		"empty document":          {func(b map[string]any) { doc(b)["contentBase64"] = "" }, 400, []string{"documents[0].contentBase64"}},
		"not base64":              {func(b map[string]any) { doc(b)["contentBase64"] = "%%%" }, 400, []string{"documents[0].contentBase64"}},
		"path as name":            {func(b map[string]any) { doc(b)["name"] = "../x.pdf" }, 400, []string{"documents[0].name"}},
		"media type":              {func(b map[string]any) { doc(b)["mediaType"] = "pdf" }, 400, []string{"documents[0].mediaType"}},
		"charset":                 {func(b map[string]any) { doc(b)["mediaType"] = "text/plain; charset=latin1" }, 400, []string{"documents[0].mediaType"}},
		"text called PDF":         {func(b map[string]any) { b["documents"] = []any{document("a", "application/pdf", "hello")} }, 400, []string{"documents[0].mediaType"}},
		"PNG called JPEG":         {func(b map[string]any) { b["documents"] = []any{document("a", "image/jpeg", png)} }, 400, []string{"documents[0].mediaType"}},
		"PNG called something":    {func(b map[string]any) { b["documents"] = []any{document("a", "application/msword", png)} }, 400, []string{"documents[0].mediaType"}},
		"PDF called text":         {func(b map[string]any) { b["documents"] = []any{document("a", "text/plain", "%PDF-1.7\n\xff")} }, 400, []string{"documents[0].mediaType"}},
		"document too large": {func(b map[string]any) {
			b["documents"] = []any{document("a", "text/plain", strings.Repeat("a", 1<<20+1))}
		}, 413, []string{"documents[0].contentBase64"}},
		"too large and more": {func(b map[string]any) { b["title"] = ""; doc(b)["contentBase64"] = strings.Repeat("AAAA", 400_000) }, 413, []string{"title", "documents[0].mediaType", "documents[0].contentBase64"}},
		"future":             {func(b map[string]any) { b["filedOn"] = "2026-11-24" }, 400, []string{"filedOn"}},
		"no such day":        {func(b map[string]any) { b["filedOn"] = "2026-02-30" }, 400, []string{"filedOn"}},
		"a time":             {func(b map[string]any) { b["filedOn"] = "2026-02-03T10:00:00Z" }, 400, []string{"filedOn"}},
	} {
		t.Run(name, func(t *testing.T) {
			body := filing()
			test.change(body)
			answer := s.call(t, http.MethodPost, "/api/v1/cases", body, "Idempotency-Key", name[:1])
			var problem kit.Problem
			answer.decode(t, &problem)
			if answer.status != test.status || problem.Status != test.status || answer.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("status %d (%s), want %d: %s", answer.status, answer.header.Get("Content-Type"), test.status, answer.body)
			}
			var fields []string
			for _, fault := range problem.Errors {
				fields = append(fields, fault.Field)
			}
			if !slices.Equal(fields, test.fields) {
				t.Errorf("fields %q, want %q: %s", fields, test.fields, answer.body)
			}
		})
	}
	nothingStored(t, s)
}

func TestBadRequests(t *testing.T) {
	s := start(t)
	good, err := json.Marshal(filing())
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		body    []byte
		headers []string
		status  int
	}{
		"no JSON":             {[]byte("title=x"), nil, 400},
		"no body":             {[]byte{}, nil, 400},
		"cut":                 {good[:len(good)/2], nil, 400},
		"two values":          {append(slices.Clone(good), good...), nil, 400},
		"field twice":         {[]byte(`{"title":"a","title":"b"}`), nil, 400},
		"form":                {good, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415},
		"no type":             {good, []string{"Content-Type", ""}, 415},
		"key with a space":    {good, []string{"Idempotency-Key", "a b"}, 400},
		"key too long":        {good, []string{"Idempotency-Key", strings.Repeat("a", 256)}, 400},
		"body too large":      {slices.Repeat([]byte(" "), 5<<20), nil, 413},
		"from a foreign site": {good, []string{"Sec-Fetch-Site", "cross-site"}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			answer := s.call(t, http.MethodPost, "/api/v1/cases", test.body, test.headers...)
			if answer.status != test.status || answer.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("status %d, want %d: %s", answer.status, test.status, answer.body)
			}
		})
	}
	nothingStored(t, s)
}

// A body of unknown length is bounded while it is read.
func TestEndlessBody(t *testing.T) {
	s := start(t)
	request, err := http.NewRequest(http.MethodPost, s.url+"/api/v1/cases", endless{})
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := s.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d", response.StatusCode)
	}
	nothingStored(t, s)
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestFilingIsCleaned(t *testing.T) {
	s := start(t)
	body := filing()
	body["title"] = "\u202b  Re\u0301clamation \n de loyer\u202c "
	body["filedOn"] = "2026-11-20"
	body["documents"] = []any{document("a.txt", "Text/Plain; charset=UTF-8", "hello")}
	c := s.file(t, body)
	if c.Title != "Réclamation de loyer" || c.Documents[0].MediaType != "text/plain" || c.FiledOn != "2026-11-20" {
		t.Errorf("stored %+v", c)
	}
}

func TestBadSettings(t *testing.T) {
	court := func(c map[string]any) map[string]any { return c["courts"].([]any)[0].(map[string]any) }
	for name, test := range map[string]struct {
		change func(config map[string]any)
		want   string
	}{
		"code":            {func(c map[string]any) { court(c)["code"] = "ram" }, "courts[0].code"},
		"code twice":      {func(c map[string]any) { court(c)["code"] = "RAM-BIDAYA" }, "courts[1].code is used twice"},
		"names":           {func(c map[string]any) { court(c)["names"] = map[string]any{} }, "courts[0].names"},
		"level":           {func(c map[string]any) { delete(court(c), "level") }, "courts[0].level"},
		"appeal":          {func(c map[string]any) { court(c)["appealTo"] = "RAM-SOLH" }, "courts[0].appealTo"},
		"case type":       {func(c map[string]any) { court(c)["caseTypes"] = []any{"CIV", "X"} }, "courts[0].caseTypes[1]"},
		"no courts":       {func(c map[string]any) { delete(c, "courts") }, "courts must"},
		"no case types":   {func(c map[string]any) { delete(c, "caseTypes") }, "caseTypes must"},
		"numbering":       {func(c map[string]any) { c["numbering"] = map[string]any{"filing": "{seq}/{year}"} }, "numbering.registration must contain"},
		"limits":          {func(c map[string]any) { c["limits"] = map[string]any{"documentBytes": -1} }, "limits.documentBytes"},
		"tenant":          {func(c map[string]any) { delete(c, "tenant") }, "tenant.timeZone"},
		"misspelt":        {func(c map[string]any) { c["court"] = 1 }, "court is not a known field"},
		"misspelt inside": {func(c map[string]any) { court(c)["apealTo"] = 1 }, "courts[0].apealTo is not a known field"},
	} {
		t.Run(name, func(t *testing.T) {
			config := testConfig(t)
			test.change(config)
			if _, err := readConfig(t, config); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}
