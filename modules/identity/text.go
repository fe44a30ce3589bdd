package identity

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// asciiDigits writes Arabic-Indic and Persian digits as ASCII.
func asciiDigits(r rune) rune {
	switch {
	case r >= '٠' && r <= '٩':
		return '0' + r - '٠'
	case r >= '۰' && r <= '۹':
		return '0' + r - '۰'
	}
	return r
}

// cleanLogin brings a login name into the form in which it is stored and
// compared: compatibility forms and case folded, digits in ASCII. It reports
// false for what cannot be a login name.
func cleanLogin(text string) (string, bool) {
	text = strings.Map(asciiDigits, strings.ToLower(norm.NFKC.String(strings.TrimSpace(text))))
	ok := len(text) >= 3 && len(text) <= 64 && !strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.' && r != '-' && r != '_'
	})
	return text, ok
}

// cleanName brings a name into one form: NFC, single spaces, no control
// characters and none that change the writing direction.
func cleanName(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\uFEFF', r == utf8.RuneError:
			return -1
		}
		return r
	}, text)
	return norm.NFC.String(strings.Join(strings.Fields(text), " "))
}

// cleanCode drops from a code what people type for reading it, spaces and
// hyphens of every kind, and writes digits in ASCII and letters large.
func cleanCode(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) || unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return unicode.ToUpper(asciiDigits(r))
	}, text)
}

// cleanPassword brings a password into the form that is hashed (NIST SP
// 800-63B-4 section 3.1.1.2), so that two keyboards write the same one.
func cleanPassword(text string) string { return norm.NFKC.String(text) }

// Lengths of a password that a person chooses, in characters.
const (
	minPassword = 12
	maxPassword = 128
)

// passwordFault names what is wrong with a new password, as the end of a text's
// key, or is empty. There are no rules about kinds of characters: they make
// passwords worse.
func passwordFault(password, login string) string {
	folded := strings.ToLower(password)
	kinds := map[rune]bool{}
	for _, r := range folded {
		kinds[r] = true
	}
	switch n := utf8.RuneCountInString(password); {
	case n < minPassword:
		return "short"
	case n > maxPassword:
		return "long"
	case len(kinds) < 5, strings.Contains(folded, login):
		return "guessable"
	}
	return ""
}
