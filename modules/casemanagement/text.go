package casemanagement

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// cleanText brings a single line of input into one form: NFC, no control
// characters, no marks that change the writing direction (they can make a name
// look like another), single spaces, none at the ends.
func cleanText(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), isBidiControl(r), r == '\uFEFF':
			return -1
		}
		return r
	}, s)
	return norm.NFC.String(strings.Join(strings.Fields(s), " "))
}

func isBidiControl(r rune) bool {
	return r == 0x061C || r == 0x200E || r == 0x200F || (r >= 0x202A && r <= 0x202E) || (r >= 0x2066 && r <= 0x2069)
}

// hasLetter says whether there is anything to read in s.
func hasLetter(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) })
}

// numberKey brings a case number into the form in which numbers are compared:
// letters and digits only, so that 51/2025, "51 / 2025" and ٥١/٢٠٢٥ meet.
func numberKey(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, foldLetters(s))
}

// searchKey brings a title, a name or a query into the form in which they are
// compared: folded letters, spelling variants of Latin transliterations as
// one, particles joined to the name that follows. It helps people find; it
// never proves that two names are the same person.
func searchKey(s string) string {
	words := strings.FieldsFunc(foldLetters(s), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r)
	})
	var b strings.Builder
	for i, word := range words {
		b.WriteString(squeeze(transliterations.Replace(word)))
		if i < len(words)-1 && !particles[word] {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// Spellings of one Arabic name in Latin letters, as met in the Maghreb, the
// Levant and West Africa.
var transliterations = strings.NewReplacer("dj", "j", "kh", "h", "gh", "g", "ou", "u")

var particles = map[string]bool{"abd": true, "ben": true, "bin": true, "el": true, "al": true}

// squeeze makes doubled letters single; digits stay.
func squeeze(s string) string {
	last := rune(-1)
	return strings.Map(func(r rune) rune {
		if r == last && unicode.IsLetter(r) {
			return -1
		}
		last = r
		return r
	}, s)
}

// foldLetters drops what people leave out when they type: case, Latin accents,
// Arabic vowel marks, tatweel and hamza carriers; and writes digits in ASCII.
func foldLetters(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '٠' && r <= '٩':
			return '0' + r - '٠'
		case r >= '۰' && r <= '۹':
			return '0' + r - '۰'
		case unicode.Is(unicode.Mn, r) && unicode.In(r, unicode.Inherited, unicode.Arabic):
			return -1 // accents and vowel marks, but not the vowels of Indic scripts
		}
		switch r {
		case 'ـ':
			return -1
		case 'ٱ':
			return 'ا'
		case 'ى', 'ی':
			return 'ي'
		case 'ة':
			return 'ه'
		case 'ک':
			return 'ك'
		}
		return unicode.ToLower(r)
	}, norm.NFKD.String(s))
}
