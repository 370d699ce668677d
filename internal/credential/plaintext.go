package credential

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// PlainText reports whether s is one line of visible text of at most so many characters.
func PlainText(s string, most int) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= most &&
		!strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.C, r) || r == '\u2028' || r == '\u2029' })
}
