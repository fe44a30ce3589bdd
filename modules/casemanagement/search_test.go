package casemanagement

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"ejustice.dev/operator/modules/kit"
)

type caseList struct {
	Items      []Summary `json:"items"`
	NextCursor string    `json:"nextCursor"`
}

func (s *service) list(t *testing.T, pairs ...string) caseList {
	t.Helper()
	query := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		query.Set(pairs[i], pairs[i+1])
	}
	answer := s.call(t, http.MethodGet, "/api/v1/cases?"+query.Encode(), nil)
	if answer.status != http.StatusOK {
		t.Fatalf("status %d: %s", answer.status, answer.body)
	}
	var list caseList
	answer.decode(t, &list)
	return list
}

func TestSearch(t *testing.T) {
	s := start(t)
	rent := s.file(t, filing())
	s.register(t, rent.ID.String(), 201)
	french := filing()
	french["courtCode"], french["title"] = "RAM-BIDAYA", "Réclamation de créance à 100%"
	french["parties"] = []any{map[string]any{"role": "claimant", "kind": "person", "name": "Kouassi Hadj Hébert"}}
	debt := s.file(t, french)
	crime := filing()
	crime["caseType"], crime["title"], crime["parties"] = "CRM", "سرقة", []any{map[string]any{"role": "accused", "kind": "person", "name": "فاطمة ليلى"}}
	theft := s.file(t, crime)

	for _, test := range []struct {
		name, value string
		want        []string
	}{
		{"number", rent.FilingNumber, []string{rent.FilingNumber}},
		{"number", "f ram solh 2026 000001", []string{rent.FilingNumber}},
		{"number", " ١ / ٢٠٢٦ ", []string{rent.FilingNumber}},
		{"number", "1-2026", []string{rent.FilingNumber}},
		{"number", "2/2026", nil},
		{"number", "///", nil},
		{"number", "%", nil},
		{"q", "احمد الخطيب", []string{rent.FilingNumber}},
		{"q", "الخطيب أَحْمَد", []string{rent.FilingNumber}},
		{"q", "abdelrahman", []string{rent.FilingNumber}},
		{"q", "شركة زيتون", []string{rent.FilingNumber}},
		{"q", "شركة تفاح", nil},
		{"q", "الزيتون", []string{rent.FilingNumber}},
		{"q", "kuasi", []string{debt.FilingNumber}},
		{"q", "reclamation HEBERT haj", []string{debt.FilingNumber}},
		{"q", "100%", []string{debt.FilingNumber}},
		{"q", "%", nil},
		{"q", "فاطمه ليلي", []string{theft.FilingNumber}},
		{"court", "RAM-BIDAYA", []string{debt.FilingNumber}},
		{"caseType", "CRM", []string{theft.FilingNumber}},
		{"status", "REGISTERED", []string{rent.FilingNumber}},
		{"status", "FILED", []string{theft.FilingNumber, debt.FilingNumber}},
	} {
		list := s.list(t, test.name, test.value)
		var got []string
		for _, c := range list.Items {
			got = append(got, c.FilingNumber)
		}
		if test.name == "status" && len(got) == len(test.want) {
			continue // all three were received at the same instant: any order
		}
		if fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("%s=%s: got %v, want %v", test.name, test.value, got, test.want)
		}
	}
	if list := s.list(t, "court", "RAM-SOLH", "q", "kuasi"); len(list.Items) != 0 {
		t.Error("filters must all hold")
	}
	for field, value := range map[string]string{
		"court": "NOWHERE", "caseType": "X", "status": "LOST", "cursor": "xyz", "limit": "0", "q": strings.Repeat("a", 201), "number": "\xff",
	} {
		answer := s.call(t, http.MethodGet, "/api/v1/cases?"+url.Values{field: {value}}.Encode(), nil)
		var problem kit.Problem
		answer.decode(t, &problem)
		if answer.status != 400 || len(problem.Errors) != 1 || problem.Errors[0].Field != field {
			t.Errorf("%s=%s: %d %s", field, value, answer.status, answer.body)
		}
	}
}

// Paging neither skips nor repeats a case, even among cases of one instant and
// while others are filed.
func TestPaging(t *testing.T) {
	s := start(t)
	before := map[string]bool{}
	for i := range 25 {
		if i%4 == 0 {
			now := s.clock.Load().Add(time.Second)
			s.clock.Store(&now)
		}
		before[s.file(t, filing()).FilingNumber] = true
	}
	seen := map[string]bool{}
	cursor := ""
	for pages := 0; ; pages++ {
		list := s.list(t, "limit", "7", "cursor", cursor)
		for _, c := range list.Items {
			if seen[c.FilingNumber] {
				t.Errorf("%s appears twice", c.FilingNumber)
			}
			seen[c.FilingNumber] = true
		}
		now := s.clock.Load().Add(time.Second)
		s.clock.Store(&now)
		s.file(t, filing())
		if cursor = list.NextCursor; cursor == "" {
			if pages != 3 {
				t.Errorf("%d pages", pages+1)
			}
			break
		}
	}
	if len(seen) != len(before) {
		t.Errorf("saw %d of %d cases", len(seen), len(before))
	}
}
