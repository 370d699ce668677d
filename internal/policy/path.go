package policy

import (
	"net/http"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Path is a request's path as rules see it.
type Path struct {
	Canonical string
	Readings  []string // other ways to read it, at most 32; nil for a plain path
}

// maxPath bounds a path that must be read in several ways, in bytes as it is written.
const maxPath = 4096

var errAmbiguous = identity.Refuse(identity.CodeAmbiguousPath,
	"The address of this request can be read in more than one way, so it was refused.")

// Canonical returns the path of a request as the upstream gets it. A plain path costs no allocation. Errors are
// *identity.Error with ambiguous_path, which is 400.
func Canonical(r *http.Request) (Path, error) {
	u := r.URL
	switch {
	case u.Path == "*" && r.Method == http.MethodOptions:
		return Path{Canonical: "*"}, nil
	case u.Opaque != "", u.Fragment != "", strings.IndexByte(r.RequestURI, '#') >= 0,
		strings.IndexByte(u.RawPath, '#') >= 0:
		return Path{}, errAmbiguous
	case u.Path == "" && r.Method == http.MethodConnect: // a tunnel to an authority, not a path (RFC 9110 9.3.6)
		return Path{}, errAmbiguous
	case u.Path == "": // absolute form without a path (RFC 9112 3.2.2)
		return Path{Canonical: "/"}, nil
	case (u.RawPath == "" || u.RawPath == u.Path) && isPlain(u.Path): // net/http decoded nothing
		return Path{Canonical: u.Path}, nil
	case max(len(u.Path), len(u.RawPath)) > maxPath: // before anything is made of it
		return Path{}, errAmbiguous
	}
	raw := escapedPath(u)
	if raw == "" {
		return Path{}, errAmbiguous
	}
	if u.RawPath != "" && u.RawPath != raw && decodesTo(u.RawPath, u.Path) {
		// Bytes that Go encodes anew when it sends the request on; a proxy that only asks forward_auth sends the old ones.
		if raw[0] != '/' || len(raw) > maxPath {
			return Path{}, errAmbiguous
		}
		return readings(u.RawPath, raw)
	}
	return canonical(raw)
}

// canonical reads an encoded path.
func canonical(raw string) (Path, error) {
	switch {
	case raw == "":
		return Path{Canonical: "/"}, nil
	case isPlain(raw):
		return Path{Canonical: raw}, nil
	case raw[0] != '/', len(raw) > maxPath:
		return Path{}, errAmbiguous
	}
	return readings(raw)
}

// plain are the bytes that every server reads alike.
var plain = func() (t [256]bool) {
	for c := range 256 {
		t[c] = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
			strings.IndexByte("-_.~/!$&'()*+,=:@", byte(c)) >= 0
	}
	return t
}()

// isPlain reports whether a path has one reading: plain bytes, no empty segment, no dot at either end of a segment.
func isPlain(p string) bool {
	if p == "" || p[0] != '/' {
		return false
	}
	last := byte('x')
	for i := range len(p) {
		c := p[i]
		if !plain[c] || last == '/' && (c == '/' || c == '.') || last == '.' && c == '/' {
			return false
		}
		last = c
	}
	return last != '.'
}
