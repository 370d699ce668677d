// Package gate is the request path: credential, principal, decision, headers. It decides on the same request object
// that is proxied (R2), makes no network call for a request it has seen the like of, and answers by CONTRACT section 3.
package gate

import (
	"context"
	"net/http"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/identityheader"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// SessionCookie, FlowCookie and DeviceCookie are the gateway's cookies (CONTRACT section 5).
const (
	SessionCookie = "__Host-truxe"
	FlowCookie    = "__Host-truxe-flow"
	DeviceCookie  = "__Host-truxe-device"
)

// Next is the handler after the gate. Caddy's handlers have this shape.
type Next interface {
	ServeHTTP(http.ResponseWriter, *http.Request) error
}

// Client is who sent the request, as Caddy's trusted_proxies logic found it (R3).
type Client struct {
	Addr        string // "" or "@" when there is no address
	TrustedPeer bool   // the peer is in trusted_proxies
}

// Announce tells the server in front what was decided, for its placeholders and logs.
type Announce func(r *http.Request, p *identity.Principal, d policy.Decision)

// Entry is a verified credential with its rendered header values. Requests share it: it is read-only.
type Entry struct {
	Principal *identity.Principal
	Values    *identityheader.Values
}

// Sessions finds the entry of a session cookie. No entry without an error is "not signed in".
type Sessions interface {
	Find(ctx context.Context, cookie, host string) (*Entry, error)
	// Used marks activity; it must not block.
	Used(e *Entry)
}

// Tokens finds the entry of a bearer token.
type Tokens interface {
	// Ours tells whether a bearer value is the gateway's to judge (CONTRACT section 3).
	Ours(raw string) bool
	// Find verifies; cached tells that no signature had to be checked. Errors are *identity.Error.
	Find(ctx context.Context, raw string) (e *Entry, cached bool, err error)
}

// Revocations is the node's own copy of what is revoked: no round trip.
type Revocations interface {
	// Ready is false when the copy can no longer be believed (R4).
	Ready() bool
	// Refused gives the code, "" when nothing speaks against the principal.
	Refused(p *identity.Principal) identity.Code
	// Watch gives a context that ends when the principal is revoked or its credential expires.
	Watch(ctx context.Context, p *identity.Principal) (context.Context, func())
}

// Pages renders what people see instead of the app.
type Pages interface {
	Denied(w http.ResponseWriter, r *http.Request, p *identity.Principal, code identity.Code, reference string)
	SessionEnded(w http.ResponseWriter, r *http.Request, loginURL string, resubmit bool, reference string)
	FrameSignIn(w http.ResponseWriter, r *http.Request, loginURL, reference string)
	Problem(w http.ResponseWriter, r *http.Request, code identity.Code, retryAfter time.Duration, reference string)
}

// WayBack remembers where a visitor wanted to go and gives the URL of the login page. The way back is stored at the
// server under an opaque id (CS-07); the flow cookie binds it to the browser.
type WayBack interface {
	// LoginURL stores target (a path with query) for the host of r. It may set the flow cookie.
	LoginURL(w http.ResponseWriter, r *http.Request, host, target string) (string, error)
	// LoginPage is the login page's URL without a way back, for API answers.
	LoginPage(host string) string
}

// Audit takes an event that need not be waited for and gives its reference.
type Audit interface {
	Note(e audit.Event) string
}

// Metrics counts decisions.
type Metrics interface {
	Decision(decision, reason string)
	DecisionDuration(path string, d time.Duration)
	RateLimited(limit string)
}

// Gate judges requests for all sites of one configuration.
type Gate struct {
	Base        string // "/.truxe"
	Sessions    Sessions
	Tokens      Tokens
	Revocations Revocations
	Pages       Pages
	WayBack     WayBack
	Audit       Audit
	Metrics     Metrics
	CORS        *CORS
	Now         func() time.Time
}
