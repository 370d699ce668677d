package gate

import (
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/identityheader"
	"github.com/truxeio/caddy-truxe/internal/revocation"
)

// trail is what the first of our handlers on a request leaves for the next ones: a site may have several `truxe`
// directives, and once the credential is taken off the request only the trail has it.
type trail struct {
	revocation.Stream // the request's context, which ends when the credential does
	credential        authn.Credential
	entry             *authn.Entry // set once identity headers are on the request

	// Room for what this request's headers hold. It is never shared between requests: other handlers edit header values
	// in place.
	values identityheader.Buffer

	answer   *response // of the first trail of the request
	response response
}

// answers returns the writer for the handlers after a gate: the first gate's is that of all of them.
func (t *trail) answers(w http.ResponseWriter, before *trail) http.ResponseWriter {
	if before != nil {
		t.answer = before.answer
		return w
	}
	t.response.ResponseWriter, t.answer = w, &t.response
	return t.answer
}

// varyByCredential keeps shared caches from serving one person's answer to another (SE-16, web cache deception). The
// value is kept in room, if there is any.
func varyByCredential(h http.Header, room []string) {
	const credentials = "Cookie, Authorization"
	if len(h["Vary"]) > 0 || len(room) == 0 {
		h.Add("Vary", credentials)
		return
	}
	room[0] = credentials
	h["Vary"] = room[:1:1]
}

type trailKey struct{}

// Value answers for the trail itself and asks the parent for the rest.
func (t *trail) Value(key any) any {
	if _, ok := key.(trailKey); ok {
		return t
	}
	return t.Stream.Value(key)
}

func trailOf(r *http.Request) *trail {
	t, _ := r.Context().Value(trailKey{}).(*trail)
	return t
}

// Strip cleans a request outside the directive's matcher: no forged identity and none of our credentials reach the
// app, whatever the rules.
func (g *Gate) Strip(w http.ResponseWriter, r *http.Request, s *Site, next Next) error {
	if trailOf(r) == nil {
		s.clean(r)
		c := g.Verifier.Take(r)
		t := &trail{Stream: revocation.Stream{Context: r.Context()}, credential: c}
		w, r = t.answers(w, nil), r.WithContext(t)
		defer t.answer.settle()
	}
	return next.ServeHTTP(w, r)
}

// clean removes every claim of an identity: the header names of every site of this configuration, whichever site is
// asked.
func (s *Site) clean(r *http.Request) { s.sites.owned.Clean(r) }
