package casemanagement

import (
	"fmt"
	"regexp"

	"ejustice.dev/operator/modules/kit"
)

// Settings is what the ministry configures: the chart's values with the tenant
// beside them.
type Settings struct {
	Tenant    kit.Tenant `json:"tenant"`
	Courts    []Court    `json:"courts"`
	CaseTypes []CaseType `json:"caseTypes"`
	Numbering Numbering  `json:"numbering"`
	Limits    Limits     `json:"limits"`

	filing, registration Format
}

// Court is one court of the tenant.
type Court struct {
	Code      string            `json:"code"`
	Names     map[string]string `json:"names"`
	Level     string            `json:"level"`
	AppealTo  string            `json:"appealTo,omitempty"`
	CaseTypes []string          `json:"caseTypes"`
}

// CaseType is one kind of case, for example civil.
type CaseType struct {
	Code  string            `json:"code"`
	Names map[string]string `json:"names"`
}

// Numbering holds the number formats; see ParseFormat.
type Numbering struct {
	Filing       string `json:"filing"`
	Registration string `json:"registration"`
}

// Limits bounds what one filing may bring.
type Limits struct {
	// DocumentBytes is the most one document may have.
	DocumentBytes int64 `json:"documentBytes"`
}

const (
	defaultDocumentBytes = 10 << 20
	maxDocumentBytes     = 100 << 20
)

var (
	code   = regexp.MustCompile(`^[A-Z0-9]{2,16}(-[A-Z0-9]{1,16})*$`)
	levels = map[string]bool{"magistrates": true, "first-instance": true, "appeal": true, "supreme": true, "specialised": true}
)

// ReadSettings reads and checks the configuration file. The error names every
// field that is wrong.
func ReadSettings(path string) (*Settings, error) {
	settings := &Settings{}
	if err := kit.ReadConfig(path, settings); err != nil {
		return nil, err
	}
	if err := settings.validate(); err != nil {
		return nil, fmt.Errorf("configuration %s: %w", path, err)
	}
	return settings, nil
}

func (s *Settings) validate() error {
	var errs kit.FieldErrors
	s.Tenant.Validate(&errs)
	types := s.validateCaseTypes(&errs)
	s.validateCourts(&errs, types)
	for _, format := range []struct {
		field, text string
		parsed      *Format
	}{
		{"numbering.filing", s.Numbering.Filing, &s.filing},
		{"numbering.registration", s.Numbering.Registration, &s.registration},
	} {
		parsed, err := ParseFormat(format.text)
		if err != nil {
			errs.Add(format.field, "%s", err)
		}
		*format.parsed = parsed
	}
	if s.Limits.DocumentBytes == 0 {
		s.Limits.DocumentBytes = defaultDocumentBytes
	}
	if s.Limits.DocumentBytes < 1 || s.Limits.DocumentBytes > maxDocumentBytes {
		errs.Add("limits.documentBytes", "must be between 1 and %d", maxDocumentBytes)
	}
	return errs.Err()
}

func (s *Settings) validateCaseTypes(errs *kit.FieldErrors) map[string]bool {
	known := map[string]bool{}
	if len(s.CaseTypes) == 0 {
		errs.Add("caseTypes", "must have at least one entry")
	}
	for i, t := range s.CaseTypes {
		field := fmt.Sprintf("caseTypes[%d]", i)
		validateCode(errs, field, t.Code, t.Names, known)
	}
	return known
}

func (s *Settings) validateCourts(errs *kit.FieldErrors, types map[string]bool) {
	known := map[string]bool{}
	if len(s.Courts) == 0 {
		errs.Add("courts", "must have at least one entry")
	}
	for i, c := range s.Courts {
		field := fmt.Sprintf("courts[%d]", i)
		validateCode(errs, field, c.Code, c.Names, known)
		if !levels[c.Level] {
			errs.Add(field+".level", "must be magistrates, first-instance, appeal, supreme or specialised")
		}
		if len(c.CaseTypes) == 0 {
			errs.Add(field+".caseTypes", "must have at least one entry")
		}
		for j, t := range c.CaseTypes {
			if !types[t] {
				errs.Add(fmt.Sprintf("%s.caseTypes[%d]", field, j), "is not listed in caseTypes")
			}
		}
	}
	for i, c := range s.Courts {
		if c.AppealTo != "" && (!known[c.AppealTo] || c.AppealTo == c.Code) {
			errs.Add(fmt.Sprintf("courts[%d].appealTo", i), "must be the code of another court")
		}
	}
}

func validateCode(errs *kit.FieldErrors, field, value string, names map[string]string, known map[string]bool) {
	switch {
	case !code.MatchString(value):
		errs.Add(field+".code", "must be capital letters and digits in groups joined by hyphens, for example RAM-SOLH")
	case known[value]:
		errs.Add(field+".code", "is used twice")
	}
	known[value] = true
	if len(names) == 0 {
		errs.Add(field+".names", "must have at least one name")
	}
	for tag, name := range names {
		if name == "" {
			errs.Add(field+".names."+tag, "must not be empty")
		}
	}
}

// court finds a court by its code.
func (s *Settings) court(code string) (Court, bool) {
	for _, c := range s.Courts {
		if c.Code == code {
			return c, true
		}
	}
	return Court{}, false
}

// caseType finds a case type by its code.
func (s *Settings) caseType(code string) (CaseType, bool) {
	for _, t := range s.CaseTypes {
		if t.Code == code {
			return t, true
		}
	}
	return CaseType{}, false
}
