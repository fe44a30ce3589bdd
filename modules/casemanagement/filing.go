package casemanagement

import (
	"bytes"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"ejustice.dev/operator/modules/kit"
)

// Filing is what a person sends to open a case.
type Filing struct {
	CourtCode string   `json:"courtCode"`
	CaseType  string   `json:"caseType"`
	Title     string   `json:"title"`
	Parties   []Party  `json:"parties"`
	Documents []Upload `json:"documents"`
	// FiledOn is the day on which a paper filing reached the court, when a clerk
	// enters it; today when empty.
	FiledOn string `json:"filedOn"`
}

// Party is one side of a case. Name is in the original script.
type Party struct {
	Role          string `json:"role"`
	Kind          string `json:"kind"`
	Name          string `json:"name"`
	LatinName     string `json:"latinName,omitempty"`
	RepresentedBy string `json:"representedBy,omitempty"`
}

// Upload is a document as it is sent.
type Upload struct {
	Name      string `json:"name"`
	MediaType string `json:"mediaType"`
	Content   []byte `json:"contentBase64"`
}

const (
	maxTitle     = 500
	maxName      = 300
	maxParties   = 200
	maxDocuments = 50
)

var (
	roles = []string{"claimant", "defendant", "prosecutor", "accused", "applicant", "respondent", "other"}
	kinds = []string{"person", "organisation"}
)

// check cleans the filing's text and returns every fault, or nil. Today is the
// tenant's.
func (f *Filing) check(settings *Settings, today time.Time) error {
	var errs kit.FieldErrors
	f.checkCourt(settings, &errs)
	checkLine(&errs, "title", &f.Title, maxTitle)
	f.checkDate(&errs, today)
	if len(f.Parties) == 0 || len(f.Parties) > maxParties {
		errs.Add("parties", "must have 1 to %d entries", maxParties)
	}
	for i := range f.Parties {
		f.Parties[i].check(&errs, fmt.Sprintf("parties[%d]", i))
	}
	if len(f.Documents) == 0 || len(f.Documents) > maxDocuments {
		errs.Add("documents", "must have 1 to %d entries", maxDocuments)
	}
	tooLarge := false
	for i := range f.Documents {
		field := fmt.Sprintf("documents[%d]", i)
		f.Documents[i].check(&errs, field)
		if int64(len(f.Documents[i].Content)) > settings.Limits.DocumentBytes {
			tooLarge = true
			errs.Add(field+".contentBase64", "has more than %d bytes", settings.Limits.DocumentBytes)
		}
	}
	if tooLarge {
		return kit.TooLarge("A document is too large. Nothing was stored.", errs)
	}
	return errs.Err()
}

func (f *Filing) checkCourt(settings *Settings, errs *kit.FieldErrors) {
	court, found := settings.court(f.CourtCode)
	switch {
	case f.CourtCode == "":
		errs.Add("courtCode", "is required")
	case !found:
		errs.Add("courtCode", "is not a court of this tenant")
	}
	_, known := settings.caseType(f.CaseType)
	switch {
	case f.CaseType == "":
		errs.Add("caseType", "is required")
	case !known:
		errs.Add("caseType", "is not a case type of this tenant")
	case found && !slices.Contains(court.CaseTypes, f.CaseType):
		errs.Add("caseType", "is not heard by this court")
	}
}

func (f *Filing) checkDate(errs *kit.FieldErrors, today time.Time) {
	if f.FiledOn == "" {
		f.FiledOn = today.Format(time.DateOnly)
		return
	}
	day, err := time.Parse(time.DateOnly, f.FiledOn)
	switch {
	case err != nil || day.Year() < 1800:
		errs.Add("filedOn", "must be a day such as 2026-11-23")
	case f.FiledOn > today.Format(time.DateOnly):
		errs.Add("filedOn", "must not be in the future")
	}
}

func (p *Party) check(errs *kit.FieldErrors, field string) {
	if !slices.Contains(roles, p.Role) {
		errs.Add(field+".role", "must be one of %s", strings.Join(roles, ", "))
	}
	if !slices.Contains(kinds, p.Kind) {
		errs.Add(field+".kind", "must be one of %s", strings.Join(kinds, ", "))
	}
	checkLine(errs, field+".name", &p.Name, maxName)
	if p.LatinName != "" {
		checkLine(errs, field+".latinName", &p.LatinName, maxName)
		if strings.ContainsFunc(p.LatinName, func(r rune) bool { return unicode.IsLetter(r) && !unicode.Is(unicode.Latin, r) }) {
			errs.Add(field+".latinName", "must be in Latin letters")
		}
	}
	if p.RepresentedBy != "" {
		checkLine(errs, field+".representedBy", &p.RepresentedBy, maxName)
	}
}

func (u *Upload) check(errs *kit.FieldErrors, field string) {
	checkLine(errs, field+".name", &u.Name, maxName)
	if strings.ContainsAny(u.Name, `/\`) {
		errs.Add(field+".name", "must not contain / or \\")
	}
	media, ok := cleanMediaType(u.MediaType)
	if !ok {
		errs.Add(field+".mediaType", "must be a media type such as application/pdf")
	}
	u.MediaType = media
	switch {
	case len(u.Content) == 0:
		errs.Add(field+".contentBase64", "is required")
	case ok && !agrees(media, u.Content):
		errs.Add(field+".mediaType", "does not agree with the content")
	}
}

// checkLine cleans one line of text in place and reports it when it is empty,
// too long (in characters) or damaged.
func checkLine(errs *kit.FieldErrors, field string, text *string, longest int) {
	*text = cleanText(*text)
	switch {
	case *text == "":
		errs.Add(field, "is required")
	case strings.ContainsRune(*text, utf8.RuneError):
		errs.Add(field, "contains characters that cannot be read")
	case utf8.RuneCountInString(*text) > longest:
		errs.Add(field, "must have at most %d characters", longest)
	case !hasLetter(*text):
		errs.Add(field, "must contain a letter or a digit")
	}
}

// cleanMediaType drops parameters: text is always UTF-8 here.
func cleanMediaType(text string) (string, bool) {
	media, params, err := mime.ParseMediaType(text)
	if err != nil || !strings.Contains(media, "/") || len(media) > 127 {
		return "", false
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return "", false
	}
	return media, true
}

// agrees says whether a document is what it claims to be, for the types that
// can be told by their content.
func agrees(media string, content []byte) bool {
	if strings.HasPrefix(media, "text/") {
		return utf8.Valid(content) && !bytes.ContainsRune(content, 0)
	}
	actual, _, _ := strings.Cut(http.DetectContentType(content), ";")
	for _, sniffed := range []string{"application/pdf", "image/png", "image/jpeg"} {
		if (media == sniffed) != (actual == sniffed) {
			return false
		}
	}
	return true
}
