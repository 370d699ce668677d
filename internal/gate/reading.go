package gate

import (
	"net/http"
	"net/url"

	"github.com/truxeio/caddy-truxe/internal/policy"
)

// reading is a path that has been read, with what it was read from: a rewrite between two gates makes another path.
type reading struct {
	method, uri, path, rawPath, opaque, fragment string

	done bool
	read policy.Path
	err  error
}

func (k *reading) of(r *http.Request, u *url.URL) bool {
	return k.done && k.method == r.Method && k.uri == r.RequestURI && k.path == u.Path && k.rawPath == u.RawPath &&
		k.opaque == u.Opaque && k.fragment == u.Fragment
}

// PathOf returns the path of a request as rules see it. Reading an unusual path is the most expensive part of a decision, so
// the matcher and the rules of all directives on the way share one reading.
func PathOf(r *http.Request) (policy.Path, error) {
	t := trailOf(r)
	if t == nil {
		return policy.Canonical(r)
	}
	if k, u := &t.reading, r.URL; !k.of(r, u) {
		*k = reading{method: r.Method, uri: r.RequestURI, path: u.Path, rawPath: u.RawPath, opaque: u.Opaque, fragment: u.Fragment, done: true}
		k.read, k.err = policy.Canonical(r)
	}
	return t.reading.read, t.reading.err
}
