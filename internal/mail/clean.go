package mail

import (
	"errors"
	"net/mail"
	"strings"
	"unicode"
)

// line turns a text from outside into one line: nothing in it ends a header, moves a cursor or turns text around
// (CS-11).
func line(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), r == '\u2028', r == '\u2029':
			return ' '
		case unicode.Is(unicode.Cf, r): // bidirectional controls, zero width, tags
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.Join(strings.Fields(s), " ")
}

// cut bounds a text in characters.
func cut(s string, most int) string {
	n := 0
	for i := range s {
		if n == most {
			return s[:i] + "…"
		}
		n++
	}
	return s
}

const maxAddress = 254 // RFC 5321

var errAddress = errors.New("not an e-mail address")

// address checks where a mail goes: one bare address, so that nothing in it becomes a second one or a header.
func address(s string) (string, error) {
	if len(s) > maxAddress || line(s) != s || strings.ContainsAny(s, " <>\"(),;:\\[]") || strings.Count(s, "@") != 1 {
		return "", errAddress
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Name != "" || a.Address != s {
		return "", errAddress
	}
	return s, nil
}
