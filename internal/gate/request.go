package gate

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// request is one HTTP request at one site. Whatever is read from it more than once is resolved here, once: the path in
// all its readings, the folded host, the visitor's address, the kind, the credential and whose it is. Deciding,
// answering, records, the audit log and forward-auth read the same value.
type request struct {
	*http.Request // the one that is proxied
	Judgement

	site       *Site
	client     Client
	before     *trail           // of the gate before this one; nil: this one is the first
	credential authn.Credential // taken off the request
	entry      *authn.Entry     // of the credential; nil: an anonymous request
	reference  string           // of the answer, or of a panic's log line
	cost       string           // how the credential was found, the label of the duration metric
	judged     time.Duration    // when, since began
	socket     bool             // it opens a WebSocket
	kind       Kind             // by kindOf, once it is sorted
	sorted     bool
}

// resolve reads host, path and method as rules see them, and returns the code with which a request that cannot be
// judged is refused. A host that is known folded is not folded again. Address and time are left to locate.
func (r *request) resolve() identity.Code {
	r.socket = isWebSocket(r.Request)
	path, err := r.before.pathOf(r.Request)
	if err != nil {
		return identity.CodeAmbiguousPath
	}
	if r.asked, err = policy.Resolve(r.Request, r.asked.Host, path); err != nil {
		return identity.CodeInvalidRequest
	}
	return ""
}

// locate adds where and when the request was sent. Most rules do not ask, and reading an address takes time.
func (r *request) locate(now time.Time) { r.asked.Addr, r.asked.Now = r.address(), now }

// address returns the address that networks are judged by. It is the zero address, which is in none, when the server
// does not know it. The address of a trusted proxy is not its visitor's: that is what Caddy falls back to when the
// proxy does not say whom it speaks for, or names no address outside trusted_proxies. A proxy that asks forward_auth
// always speaks for another client.
func (r *request) address() netip.Addr {
	if r.asked.Addr.IsValid() {
		return r.asked.Addr
	}
	addr := r.client.Address()
	if r.client.TrustedPeer && (r.site.forwards != nil || len(r.Header["X-Forwarded-For"]) > 0) &&
		addr == authn.ParseAddress(r.RemoteAddr) {
		return netip.Addr{}
	}
	return addr
}

// identify sets whose credential the request has; nil makes it anonymous.
func (r *request) identify(e *authn.Entry) {
	if r.entry, r.principal = e, nil; e != nil {
		r.principal = e.Principal
	}
}

// refuse replaces all that is known by a refusal: what the request claims cannot be believed.
func (r *request) refuse(code identity.Code) {
	r.Judgement, r.credential, r.entry = Judgement{Decision: policy.Decision{Code: code}}, authn.Credential{}, nil
}

// duplicateCookie reports whether the browser sent two session cookies (SE-06).
func (r *request) duplicateCookie() bool { return r.credential.Cookies > 1 }

// ownAnswer notes that the gateway itself answers the request (see OwnAnswer).
func (r *request) ownAnswer(own bool) {
	if r.before != nil {
		r.before.answer.own = own
	}
}
