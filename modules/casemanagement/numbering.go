package casemanagement

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Kinds of number. Each has its own sequence per court and year.
const (
	kindFiling       = "filing"
	kindRegistration = "registration"
)

// Format is a parsed number format, for example "F-{court}-{year}-{seq:6}".
type Format struct {
	parts []part
}

// part is either a token or the literal text between tokens.
type part struct {
	token   string // "court", "caseType", "year", "seq" or ""
	literal string
	width   int // of seq, filled with zeros
}

// ParseFormat reads a number format. The tokens are {court}, {caseType},
// {year}, {seq} and {seq:N}, which fills with zeros to N digits (1 to 9). It
// refuses a format under which two cases of one court could get the same
// number.
func ParseFormat(text string) (Format, error) {
	var format Format
	seen := map[string]bool{}
	for rest := text; rest != ""; {
		literal, after, found := strings.Cut(rest, "{")
		if strings.Contains(literal, "}") {
			return Format{}, errors.New("has a } without a {")
		}
		if strings.ContainsFunc(literal, unprintable) {
			return Format{}, errors.New("contains a character that cannot be printed")
		}
		if literal != "" {
			format.parts = append(format.parts, part{literal: literal})
		}
		if !found {
			break
		}
		inside, remainder, closed := strings.Cut(after, "}")
		if !closed {
			return Format{}, errors.New("has a { without a }")
		}
		token, err := parseToken(inside)
		if err != nil {
			return Format{}, err
		}
		if seen[token.token] {
			return Format{}, fmt.Errorf("contains {%s} twice", token.token)
		}
		seen[token.token] = true
		format.parts = append(format.parts, token)
		rest = remainder
	}
	for _, needed := range []string{"seq", "year"} {
		if !seen[needed] {
			return Format{}, fmt.Errorf("must contain {%s}", needed)
		}
	}
	if seen["caseType"] && !format.separated() {
		return Format{}, errors.New("needs a sign such as - or / between {seq} and {caseType}")
	}
	return format, nil
}

func parseToken(inside string) (part, error) {
	name, width, padded := strings.Cut(inside, ":")
	switch name {
	case "court", "caseType", "year", "seq":
	default:
		return part{}, errors.New("may contain only {court}, {caseType}, {year}, {seq} and {seq:N}")
	}
	if !padded {
		return part{token: name}, nil
	}
	n, err := strconv.Atoi(width)
	if name != "seq" || err != nil || n < 1 || n > 9 || len(width) != 1 {
		return part{}, errors.New("may give a width only to seq, from {seq:1} to {seq:9}")
	}
	return part{token: name, width: n}, nil
}

// separated says whether a sign, neither letter nor digit, stands between the
// sequence and the case type. Both vary in length, so that without it type A1
// with sequence 1 and type A with sequence 11 would meet.
func (f Format) separated() bool {
	between, sign := false, false
	for _, p := range f.parts {
		switch {
		case p.token == "seq" || p.token == "caseType":
			if between {
				return sign
			}
			between = true
		case between && p.token == "":
			sign = sign || strings.ContainsFunc(p.literal, func(r rune) bool {
				return !unicode.IsLetter(r) && !unicode.IsNumber(r)
			})
		}
	}
	return false
}

// Number writes a number.
func (f Format) Number(court, caseType string, year int, seq int64) string {
	var b strings.Builder
	for _, p := range f.parts {
		switch p.token {
		case "court":
			b.WriteString(court)
		case "caseType":
			b.WriteString(caseType)
		case "year":
			fmt.Fprintf(&b, "%04d", year)
		case "seq":
			fmt.Fprintf(&b, "%0*d", p.width, seq)
		default:
			b.WriteString(p.literal)
		}
	}
	return b.String()
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }
