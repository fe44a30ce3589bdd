package casemanagement

import (
	"strings"
	"testing"
)

func TestParseFormat(t *testing.T) {
	for text, want := range map[string]string{
		"F-{court}-{year}-{seq:6}": "F-RAM-SOLH-2026-000012",
		"{seq}/{year}":             "12/2026",
		"SLUHCV{year}/{seq:4}":     "SLUHCV2026/0012",
		"RG n°{seq}/{year}":        "RG n°12/2026",
		"استئناف {seq}/{year}":     "استئناف 12/2026",
		"{caseType}/{seq}/{year}":  "CIV/12/2026",
		"{year}{seq:1}":            "202612",
	} {
		format, err := ParseFormat(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := format.Number("RAM-SOLH", "CIV", 2026, 12); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	for text, want := range map[string]string{
		"":                         "must contain {seq}",
		"{seq}":                    "must contain {year}",
		"{year}":                   "must contain {seq}",
		"{seq}{seq}{year}":         "twice",
		"{seq:0}/{year}":           "width",
		"{seq:10}/{year}":          "width",
		"{seq:}/{year}":            "width",
		"{seq:+1}/{year}":          "width",
		"{year:4}/{seq}":           "width",
		"{Seq}/{year}":             "may contain only",
		"{seq/{year}":              "may contain only",
		"{seq}/{year":              "without a }",
		"{seq}/{year}}":            "without a {",
		"{seq}\n{year}":            "printed",
		"{caseType}{seq}/{year}":   "between",
		"{seq}{year}{caseType}":    "between",
		"{caseType}x9{seq}-{year}": "between",
	} {
		if _, err := ParseFormat(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}

// Whatever format is accepted gives different cases of a court different
// numbers.
func FuzzParseFormat(f *testing.F) {
	for _, seed := range []string{"F-{court}-{year}-{seq:6}", "{seq}/{year}", "{caseType}-{seq}{year}", "{seq:3}{year}", "{{seq}}{year}", "{year}{seq}-{caseType}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		format, err := ParseFormat(text)
		if err != nil {
			return
		}
		seen := map[string]int64{}
		seq := map[int]int64{2026: 0, 2027: 0}
		for _, caseType := range []string{"A", "A1", "A11", "A-1", "1", "2026"} {
			for year := range seq {
				for range 130 {
					seq[year]++
					number := format.Number("C", caseType, year, seq[year])
					if _, twice := seen[number]; twice {
						t.Fatalf("format %q gives %q twice", text, number)
					}
					seen[number] = seq[year]
				}
			}
		}
	})
}
