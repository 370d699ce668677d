package identityheader

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// readable converts an encoded value for an app that wants UTF-8 and decodes nothing: printable characters beyond ASCII
// become what they are. Everything else stays percent-encoded, so that two names that differ never look alike: "%"
// itself, ASCII, controls (C1 too), spaces and line ends of any script, what changes the direction of text
// (CVE-2021-42574), and bytes that are not UTF-8 (HD-03).
func readable(encoded string) string {
	if strings.IndexByte(encoded, '%') < 0 {
		return encoded
	}
	var b strings.Builder
	for rest := encoded; rest != ""; {
		r, size := decodeRune(rest)
		if r < 0 {
			size = 1
			if rest[0] == '%' {
				size = 3
			}
			b.WriteString(rest[:size])
		} else {
			b.WriteRune(r)
		}
		rest = rest[size:]
	}
	return b.String()
}

// decodeRune reads a printable character beyond ASCII from the escapes at the front, and how long they are; -1 for
// none.
func decodeRune(s string) (r rune, size int) {
	var raw [utf8.UTFMax]byte
	n := 0
	for n < len(raw) && len(s) >= 3*(n+1) && s[3*n] == '%' {
		raw[n] = unhex(s[3*n+1])<<4 | unhex(s[3*n+2])
		n++
		if utf8.FullRune(raw[:n]) {
			break
		}
	}
	r, length := utf8.DecodeRune(raw[:n])
	if r == utf8.RuneError || r < utf8.RuneSelf || length != n || !unicode.IsPrint(r) {
		return -1, 0
	}
	return r, 3 * n
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c - 'A' + 10
}
