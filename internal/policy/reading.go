package policy

import (
	"path"
	"strings"
	"unicode/utf8"
)

// maxReadings bounds how many ways to read one path are judged. Paths of real applications have fewer than ten.
const maxReadings = 32

// steps are what servers do to a path before they look at it, each alone. Readings are closed under them, so the order
// in which a server takes them does not matter.
var steps = []func(string) string{
	decodeLeniently,
	func(s string) string { return strings.ReplaceAll(s, `\`, "/") },
	parameters, // servlet containers
	func(s string) string { return before(s, ";") },
	func(s string) string { return before(s, "?") }, // decoded first, split afterwards
	func(s string) string { return before(s, "#") },
	authority, // Node: new URL(req.url, base)
	tidy,
	trimSegments, // Windows
}

// readings lists every way in which servers are known to read a path, and those of other encodings of the same path.
func readings(raw string, others ...string) (Path, error) {
	once, ok := decode(raw)
	if !ok {
		return Path{}, errAmbiguous
	}
	literal := dotsAreAll(raw)
	seen := map[string]bool{raw: true}
	all := append(append(make([]string, 0, 8), raw), others...)
	for _, o := range others {
		seen[o] = true
	}
	for i := 0; i < len(all); i++ {
		s := all[i]
		if !isText(s) || !literal && hasDotDot(s) {
			return Path{}, errAmbiguous
		}
		for _, step := range steps {
			next := step(s)
			if next == "" {
				next = "/"
			}
			if seen[next] {
				continue
			}
			if len(all) > maxReadings {
				return Path{}, errAmbiguous
			}
			seen[next] = true
			all = append(all, next)
		}
	}
	p := Path{Canonical: tidy(once), Readings: all[:0]}
	for _, s := range all {
		if s != p.Canonical {
			p.Readings = append(p.Readings, s)
		}
	}
	return p, nil
}

// dotsAreAll tells whether plain, literal dot segments are the only unusual thing about a path.
func dotsAreAll(raw string) bool {
	for i := range len(raw) {
		if !plain[raw[i]] || raw[i] == '/' && i > 0 && raw[i-1] == '/' {
			return false
		}
	}
	return true
}

func hasDotDot(s string) bool {
	return strings.Contains(s, "/../") || strings.HasSuffix(s, "/..")
}

// isText refuses what no rule should have to think about: control bytes and text that is not UTF-8.
func isText(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return utf8.ValidString(s)
}

// decode resolves percent-encoding once; false when it is broken.
func decode(s string) (string, bool) {
	for i := 0; i < len(s); i++ {
		if s[i] == '%' {
			if i+2 >= len(s) || unhex(s[i+1]) > 15 || unhex(s[i+2]) > 15 {
				return "", false
			}
			i += 2
		}
	}
	return decodeLeniently(s), true
}

// decodeLeniently resolves percent-encoding once and keeps what is broken.
func decodeLeniently(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if hi, lo := unhex(s[i+1]), unhex(s[i+2]); hi <= 15 && lo <= 15 {
				b = append(b, hi<<4|lo)
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// tidy resolves dot segments and runs of slashes (RFC 3986 5.2.4 and what every server adds); a slash at the end stays.
func tidy(s string) string {
	t := path.Clean("/" + s)
	if t != "/" && (strings.HasSuffix(s, "/") || strings.HasSuffix(s, "/.") || strings.HasSuffix(s, "/..")) {
		t += "/"
	}
	return t
}

func before(s, mark string) string {
	s, _, _ = strings.Cut(s, mark)
	return s
}

// authority reads "//host/path" as a URL with a host.
func authority(s string) string {
	if !strings.HasPrefix(s, "//") {
		return s
	}
	if at := strings.IndexByte(s[2:], '/'); at >= 0 {
		return s[2+at:]
	}
	return "/"
}

// parameters cuts ";…" from every segment.
func parameters(s string) string {
	if strings.IndexByte(s, ';') < 0 {
		return s
	}
	return eachSegment(s, func(seg string) string { return before(seg, ";") })
}

// trimSegments cuts spaces and dots from the end of every segment, "." and ".." excepted.
func trimSegments(s string) string {
	if strings.IndexByte(s, '.') < 0 && strings.IndexByte(s, ' ') < 0 {
		return s
	}
	return eachSegment(s, func(seg string) string {
		if seg = strings.TrimRight(seg, " "); seg == "." || seg == ".." {
			return seg
		}
		return strings.TrimRight(seg, " .")
	})
}

func eachSegment(s string, change func(string) string) string {
	parts := strings.Split(s, "/")
	for i := range parts {
		parts[i] = change(parts[i])
	}
	return strings.Join(parts, "/")
}

// lookalike turns letters into the ASCII that some servers take them for: the fullwidth forms, and what Windows' best fit takes for a slash.
// A rule compares Unicode as it is (docs/explanation/paths.md); a matcher that decides whether there are rules at all must not
// be passed by them.
func lookalike(r rune) rune {
	switch {
	case r >= '！' && r <= '～':
		return r - '！' + '!'
	case r == '⁄', r == '∕', r == '⧸':
		return '/'
	case r == '∖', r == '⧵', r == '﹨':
		return '\\'
	case r == '․', r == '。':
		return '.'
	}
	return r
}

// Spellings returns every other way to read the path for who asks whether it is one of a set: the readings, the canonical path
// when it differs, and both with letters that only look like ASCII. It returns nil for a plain path.
func (p Path) Spellings() []string {
	if len(p.Readings) == 0 {
		return nil
	}
	all := append(make([]string, 0, 2*len(p.Readings)+2), p.Canonical)
	all = append(all, p.Readings...)
	for _, s := range all[:len(all):len(all)] {
		if isASCII(s) {
			continue
		}
		if folded := strings.Map(lookalike, s); folded != s {
			slashes := strings.ReplaceAll(folded, `\`, "/")
			all = append(all, folded, slashes, tidy(slashes))
		}
	}
	return all
}
