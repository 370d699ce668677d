package view

import (
	"html/template"
	"net/url"
	"strings"
)

// ownPath reports whether a path is on this origin and no browser reads it as another host: one leading slash, no
// backslash, no control character (CS-06).
func ownPath(s string) bool {
	if s == "" || s[0] != '/' || len(s) > 1 && (s[1] == '/' || s[1] == '\\') {
		return false
	}
	return strings.IndexFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f || c == '\\' }) < 0
}

// link returns a URL that is safe in href and in a header: http, https or a path on this origin. Anything else,
// javascript: and data: above all, is "" (CS-11). Bytes outside of printable ASCII are percent-encoded.
func link(s string) string {
	if !ownPath(s) {
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil ||
			strings.ContainsAny(s, "\\\r\n\t") {
			return ""
		}
	}
	return escapeURL(s)
}

// escapeURL percent-encodes what is not allowed in a URL or a header.
func escapeURL(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c <= ' ', c >= 0x7f, strings.IndexByte("\"<>\\^`{|}", c) >= 0:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// bdi isolates a name or host, whose direction is its own, from the text around it.
func bdi(s string) template.HTML {
	return template.HTML("<bdi>" + template.HTMLEscapeString(s) + "</bdi>") // #nosec: escaped
}
