package kit

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/language"
)

// languageCookie remembers the reader's choice.
const languageCookie = "lang"

// Language is one language of the pages.
type Language struct {
	// Tag is the tenant's own tag, for example "ar-PS"; it goes into <html lang>.
	Tag string
	// Dir is "ltr" or "rtl".
	Dir string
	// Name is the language's name in itself.
	Name string

	texts map[string]string
}

// Text returns the text for key. Pairs of name and value fill its {name}
// places: Text("page.of", "total", 3).
func (l *Language) Text(key string, pairs ...any) string {
	text, known := l.texts[key]
	if !known {
		return key
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		text = strings.ReplaceAll(text, fmt.Sprintf("{%v}", pairs[i]), fmt.Sprint(pairs[i+1]))
	}
	return text
}

// Date writes a day in words, for example "23 November 2026".
func (l *Language) Date(t time.Time) string {
	return l.Text("date", "day", t.Day(), "month", l.Text(fmt.Sprintf("month.%d", t.Month())), "year", t.Year())
}

// DateTime writes a day and the time of day, in t's own zone.
func (l *Language) DateTime(t time.Time) string {
	return l.Text("datetime", "date", l.Date(t), "time", t.Format("15:04"))
}

// Size writes a number of bytes for people.
func (l *Language) Size(bytes int64) string {
	switch {
	case bytes < 1000:
		return l.Text("size.bytes", "n", bytes)
	case bytes < 1_000_000:
		return l.Text("size.kilobytes", "n", (bytes+500)/1000)
	}
	tenths := (bytes + 50_000) / 100_000
	return l.Text("size.megabytes", "n", fmt.Sprintf("%d%s%d", tenths/10, l.Text("decimal"), tenths%10))
}

// Pick chooses from names given by language tag: this language's, else the
// tenant's default language's, else any.
func (l *Language) Pick(names map[string]string, fallback string) string {
	base, _, _ := strings.Cut(l.Tag, "-")
	for _, tag := range []string{l.Tag, base, fallback} {
		if name := names[tag]; name != "" {
			return name
		}
	}
	for _, tag := range slices.Sorted(maps.Keys(names)) {
		if tagBase, _, _ := strings.Cut(tag, "-"); tagBase == base {
			return names[tag]
		}
	}
	for _, tag := range slices.Sorted(maps.Keys(names)) {
		return names[tag]
	}
	return ""
}

// Languages are those in which a tenant's pages are shown. The first is the
// default.
type Languages struct {
	list    []*Language
	matcher language.Matcher
}

// NewLanguages reads the message catalogues, one <language>.json a language in
// each folder, and keeps the tenant's languages in the tenant's order. Adding a
// language means adding a file. A tenant of which no language has a catalogue
// gets English.
func NewLanguages(tags []string, catalogues ...fs.FS) (*Languages, error) {
	texts, err := readCatalogues(catalogues)
	if err != nil {
		return nil, err
	}
	languages := &Languages{}
	var parsed []language.Tag
	for _, tag := range append(slices.Clone(tags), "en") {
		t, err := language.Parse(tag)
		if err != nil {
			return nil, fmt.Errorf("language %q: %w", tag, err)
		}
		base, _ := t.Base()
		messages, known := texts[base.String()]
		if !known || (tag == "en" && len(parsed) > 0 && !slices.Contains(tags, "en")) || slices.Contains(parsed, t) {
			continue
		}
		parsed = append(parsed, t)
		languages.list = append(languages.list, &Language{
			Tag: t.String(), Dir: messages["dir"], Name: messages["language"], texts: messages,
		})
	}
	languages.matcher = language.NewMatcher(parsed)
	return languages, nil
}

// readCatalogues merges the folders and makes sure that no language lacks a
// text that another has.
func readCatalogues(catalogues []fs.FS) (map[string]map[string]string, error) {
	merged := map[string]map[string]string{}
	for _, folder := range catalogues {
		files, err := fs.Glob(folder, "*.json")
		if err != nil {
			return nil, fmt.Errorf("list catalogues: %w", err)
		}
		for _, name := range files {
			content, err := fs.ReadFile(folder, name)
			if err != nil {
				return nil, fmt.Errorf("read catalogue %s: %w", name, err)
			}
			var texts map[string]string
			if err := json.Unmarshal(content, &texts); err != nil {
				return nil, fmt.Errorf("catalogue %s: %w", name, err)
			}
			base := strings.TrimSuffix(path.Base(name), ".json")
			if merged[base] == nil {
				merged[base] = map[string]string{}
			}
			maps.Copy(merged[base], texts)
		}
	}
	for base, texts := range merged {
		for key := range merged["en"] {
			if texts[key] == "" {
				return nil, fmt.Errorf("catalogue %s.json lacks %q", base, key)
			}
		}
		for key := range texts {
			if merged["en"][key] == "" {
				return nil, fmt.Errorf("catalogue en.json lacks %q", key)
			}
		}
	}
	return merged, nil
}

// Default is the tenant's first language.
func (ls *Languages) Default() *Language { return ls.list[0] }

// All lists the languages for the switch.
func (ls *Languages) All() []*Language { return ls.list }

// Choose picks the language of an answer: ?lang, else the cookie, else
// Accept-Language, else the default. A choice by ?lang is remembered.
func (ls *Languages) Choose(w http.ResponseWriter, r *http.Request) *Language {
	w.Header().Add("Vary", "Accept-Language, Cookie")
	if chosen := ls.byTag(r.URL.Query().Get("lang")); chosen != nil {
		http.SetCookie(w, &http.Cookie{
			Name: languageCookie, Value: chosen.Tag, Path: "/", MaxAge: 365 * 24 * 60 * 60,
			Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		})
		return chosen
	}
	if cookie, err := r.Cookie(languageCookie); err == nil {
		if chosen := ls.byTag(cookie.Value); chosen != nil {
			return chosen
		}
	}
	// A malformed header gives no tags, and so the default.
	accepted, _, _ := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	_, index, confidence := ls.matcher.Match(accepted...)
	if confidence == language.No {
		return ls.Default()
	}
	return ls.list[index]
}

// byTag finds the language a tag asks for, region or not: "ar" finds "ar-PS".
func (ls *Languages) byTag(tag string) *Language {
	if tag == "" {
		return nil
	}
	parsed, err := language.Parse(tag)
	if err != nil {
		return nil
	}
	_, index, confidence := ls.matcher.Match(parsed)
	if confidence < language.High {
		return nil
	}
	return ls.list[index]
}
