package gate

import (
	"net/http"
	"net/url"

	"github.com/truxeio/caddy-truxe/internal/policy"
)

// reading is a path that has been read, with what it was read from: a rewrite between two gates makes another path.
type reading struct {
	method, uri, path, rawPath, opaque, fragment string

	read policy.Path
	err  error
}

func (k *reading) of(r *http.Request, u *url.URL) bool {
	return k != nil && k.method == r.Method && k.uri == r.RequestURI && k.path == u.Path && k.rawPath == u.RawPath &&
		k.opaque == u.Opaque && k.fragment == u.Fragment
}

// PathOf returns the path of a request as rules see it. Reading an unusual path is the most expensive part of a
// decision, so the matcher and the rules of all directives on the way share one reading.
func PathOf(r *http.Request) (policy.Path, error) { return trailOf(r).pathOf(r) }

// pathOf is PathOf for a request with this trail. A plain path costs less to read than to remember.
func (t *trail) pathOf(r *http.Request) (policy.Path, error) {
	if t == nil {
		return policy.Canonical(r)
	}
	if k := t.answer.reading; k.of(r, r.URL) {
		return k.read, k.err
	}
	read, err := policy.Canonical(r)
	if err != nil || len(read.Readings) > 0 {
		u := r.URL
		t.answer.reading = &reading{method: r.Method, uri: r.RequestURI, path: u.Path, rawPath: u.RawPath, opaque: u.Opaque,
			fragment: u.Fragment, read: read, err: err}
	}
	return read, err
}
