package procedure

import (
	"strings"
	"unicode"
)

// formatFault says what to mend in a number format, or "". The tokens and rules
// are those of case management, which gives the numbers: {court}, {caseType},
// {year}, {seq} and {seq:N}, and no two cases of a court may share a number.
func formatFault(format string) string {
	seen := map[string]bool{}
	var between strings.Builder // the literal text between {seq} and {caseType}
	for rest := format; rest != ""; {
		literal, after, found := strings.Cut(rest, "{")
		if strings.Contains(literal, "}") {
			return "has a } without a {: add it or remove it"
		}
		if strings.ContainsFunc(literal, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return "contains a character that cannot be printed: remove it"
		}
		if seen["seq"] != seen["caseType"] {
			between.WriteString(literal)
		}
		if !found {
			break
		}
		token, remainder, closed := strings.Cut(after, "}")
		if !closed {
			return "has a { without a }: close it"
		}
		name, fault := formatToken(token)
		if fault != "" {
			return fault
		}
		if seen[name] {
			return "contains {" + name + "} twice: remove one"
		}
		seen[name] = true
		rest = remainder
	}
	switch {
	case !seen["seq"]:
		return "add {seq}"
	case !seen["year"]:
		return "add {year}"
	case seen["caseType"] && !strings.ContainsFunc(between.String(), isSign):
		return "needs a sign such as - or / between {seq} and {caseType}"
	}
	return ""
}

func formatToken(token string) (name, fault string) {
	name, width, padded := strings.Cut(token, ":")
	switch name {
	case "court", "caseType", "year", "seq":
	default:
		return "", "may contain only {court}, {caseType}, {year}, {seq} and {seq:N}"
	}
	if padded && (name != "seq" || len(width) != 1 || width < "1" || width > "9") {
		return "", "may give a width only to seq, from {seq:1} to {seq:9}"
	}
	return name, ""
}

func isSign(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) }
