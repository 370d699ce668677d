package policy

import (
	"net/http"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Path is a request's path as rules see it.
type Path struct {
	Canonical string
	Readings  []string // other ways to read it; nil for a plain path
}

// maxPath bounds what is judged, in bytes.
const maxPath = 8192

var errAmbiguous = &identity.Error{Code: identity.CodeAmbiguousPath, Detail: "The address of this request can be read in more than one way, so it was refused."}

// Canonical gives the path of a request. An error is 400.
func Canonical(r *http.Request) (Path, error) {
	if r.Method == http.MethodOptions && r.RequestURI == "*" {
		return Path{Canonical: "*"}, nil
	}
	raw := r.URL.RawPath
	if raw == "" {
		raw = r.URL.Path
		if strings.IndexByte(raw, '%') >= 0 { // the wire had %25: keep it encoded for the readings
			raw = r.URL.EscapedPath()
		}
	}
	if r.URL.Fragment != "" || strings.IndexByte(r.RequestURI, '#') >= 0 {
		return Path{}, errAmbiguous
	}
	return canonical(raw)
}

// plain are the bytes that every server reads alike.
var plain = func() (t [256]bool) {
	for c := range 256 {
		t[c] = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.~/!$&'()*+,=:@", byte(c)) >= 0
	}
	return t
}()

func canonical(raw string) (Path, error) {
	if len(raw) > maxPath {
		return Path{}, errAmbiguous
	}
	if raw == "" || raw[0] != '/' {
		if raw == "" {
			return Path{Canonical: "/"}, nil
		}
		return Path{}, errAmbiguous
	}
	simple := true
	for i := 0; i < len(raw); i++ {
		if c := raw[i]; !plain[c] || c == '/' && i > 0 && raw[i-1] == '/' || c == '.' && raw[i-1] == '/' {
			simple = false
			break
		}
	}
	if simple {
		return Path{Canonical: raw}, nil
	}
	return readings(raw)
}

// readings lists every way in which servers are known to read a path: as it stands, decoded once or twice, cleaned or not,
// with backslash as slash, without parameters.
func readings(raw string) (Path, error) {
	once, ok := decode(raw)
	if !ok || !clean(once) {
		return Path{}, errAmbiguous
	}
	p := Path{Canonical: tidy(once)}
	forms := []string{raw, once}
	if twice, ok := decode(once); ok && twice != once {
		if !clean(twice) {
			return Path{}, errAmbiguous
		}
		forms = append(forms, twice)
		if thrice, ok := decode(twice); ok && thrice != twice {
			return Path{}, errAmbiguous // encoded three times: nobody means that
		}
	}
	add := func(s string) {
		if s != p.Canonical && !slices.Contains(p.Readings, s) {
			p.Readings = append(p.Readings, s)
		}
	}
	for _, form := range forms {
		slashes := strings.ReplaceAll(form, "\\", "/")
		for _, s := range []string{form, slashes, parameters(form), parameters(slashes)} {
			add(s)
			add(tidy(s))
		}
	}
	return p, nil
}

// decode resolves percent-encoding once; false when it is broken.
func decode(s string) (string, bool) {
	if strings.IndexByte(s, '%') < 0 {
		return s, true
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b = append(b, s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		hi, lo := unhex(s[i+1]), unhex(s[i+2])
		if hi > 15 || lo > 15 {
			return "", false
		}
		b = append(b, hi<<4|lo)
		i += 2
	}
	return string(b), true
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

// clean refuses what no rule should have to think about: control bytes and text that is not UTF-8 (overlong forms of "/"
// among it).
func clean(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return utf8.ValidString(s)
}

// tidy resolves "." and "..", and runs of slashes; a slash at the end stays.
func tidy(s string) string {
	t := path.Clean("/" + s)
	if t != "/" && (strings.HasSuffix(s, "/") || strings.HasSuffix(s, "/.") || strings.HasSuffix(s, "/..")) {
		t += "/"
	}
	return t
}

// parameters cuts ";…" from every segment, as servlet containers do.
func parameters(s string) string {
	if strings.IndexByte(s, ';') < 0 {
		return s
	}
	segments := strings.Split(s, "/")
	for i, seg := range segments {
		segments[i], _, _ = strings.Cut(seg, ";")
	}
	return strings.Join(segments, "/")
}
