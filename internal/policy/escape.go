package policy

import "net/url"

// escapedPath returns what u.EscapedPath does, which is what a proxy sends on, with one allocation at most: net/url
// makes two or three, each as long as the path or three times that, and the path is a stranger's. It returns "" for one
// that is longer than maxPath.
func escapedPath(u *url.URL) string {
	if u.RawPath != "" && validEncoded(u.RawPath) && decodesTo(u.RawPath, u.Path) {
		return u.RawPath
	}
	if u.Path == "*" {
		return "*"
	}
	const hex = "0123456789ABCDEF"
	n := len(u.Path)
	for i := range len(u.Path) {
		if !unescaped[u.Path[i]] {
			n += 2
		}
	}
	if n > maxPath {
		return ""
	}
	if n == len(u.Path) {
		return u.Path
	}
	var room [maxPath]byte
	b := room[:0]
	for i := range len(u.Path) {
		if c := u.Path[i]; unescaped[c] {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}

// unescaped are the bytes that net/url leaves as they are when it encodes a path.
var unescaped = func() (t [256]bool) {
	for c := range 256 {
		t[c] = len(url.PathEscape(string(rune(c)))) == 1 && c < 0x80 || c == '/' || c == ';' || c == ','
	}
	return t
}()

// validEncoded reports whether net/url sends an encoded path on as it is (RFC 3986 3.3, and brackets).
func validEncoded(s string) bool {
	for i := range len(s) {
		switch s[i] {
		case '!', '\'', '(', ')', '*', '[', ']', '%':
		default:
			if !unescaped[s[i]] {
				return false
			}
		}
	}
	return true
}

// decodesTo reports whether a text is well encoded and, decoded once, another one.
func decodesTo(s, once string) bool {
	for len(s) > 0 && len(once) > 0 {
		c := s[0]
		if c == '%' {
			if len(s) < 3 || unhex(s[1]) > 15 || unhex(s[2]) > 15 {
				return false
			}
			c, s = unhex(s[1])<<4|unhex(s[2]), s[2:]
		}
		if c != once[0] {
			return false
		}
		s, once = s[1:], once[1:]
	}
	return s == once
}
