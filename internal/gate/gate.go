// Package gate is the request path: credential, principal, decision, headers. It decides on the same request object
// that is proxied (R2), makes no network call for a request it has seen the like of, and answers by CONTRACT section 3.
package gate

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/cors"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/origin"
	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/ratelimit"
	"github.com/truxeio/caddy-truxe/internal/revocation"
	"github.com/truxeio/caddy-truxe/internal/rules"
)

// Next is the handler after the gate. Caddy's handlers have this shape.
type Next interface {
	ServeHTTP(http.ResponseWriter, *http.Request) error
}

// Covers reports whether a directive judges a request; its matcher is the server's in front.
type Covers func(http.ResponseWriter, *http.Request) (bool, error)

// Client is who sent the request.
type Client = authn.Client

// Announce reports to the server in front what was decided, for its placeholders and logs.
type Announce func(r *http.Request, p *identity.Principal, d policy.Decision)

// Pages renders what users see instead of the app.
type Pages interface {
	Denied(w http.ResponseWriter, r *http.Request, p *identity.Principal, d policy.Decision, reference string)
	SessionEnded(w http.ResponseWriter, r *http.Request, loginURL string, resubmit bool, reference string)
	// StepUp answers a form whose sender has to prove a factor first.
	StepUp(w http.ResponseWriter, r *http.Request, p *identity.Principal, confirmURL string, resubmit bool,
		reference string)
	FrameSignIn(w http.ResponseWriter, r *http.Request, loginURL, reference string)
	// AppDown answers for an app that does not; sent: a form was sent to it. p is nil for an anonymous visitor.
	AppDown(w http.ResponseWriter, r *http.Request, p *identity.Principal, status int, sent bool, reference string)
	Problem(w http.ResponseWriter, r *http.Request, code identity.Code, retryAfter time.Duration, reference string)
}

// WayBack carries where a visitor wanted to go and returns the URL of the login page. The way back is sealed into that
// URL (CS-07), so that an anonymous request stores nothing; the flow cookie binds it to the browser.
type WayBack interface {
	// LoginURL seals target, a path with query on the host of r. It may set the flow cookie.
	LoginURL(w http.ResponseWriter, r *http.Request, c authn.Credential, target string) string
	// LoginFrame is the login page with target as the way back, for the small page in a frame.
	LoginFrame(target string) string
	// ConfirmURL seals target and what has to be proven before going on there, and returns the URL of the page that asks.
	ConfirmURL(w http.ResponseWriter, r *http.Request, c authn.Credential, target string, ask identity.Assurance) string
	// ConfirmPage is the page that asks for a factor beside the app, without a way back.
	ConfirmPage(ask identity.Assurance) string
	// LoginBeside is the login page beside the app, for a second tab: the sign-in ends on the app's own host.
	LoginBeside() string
	// LoginPage is the login page's URL without a way back, for API answers.
	LoginPage(host string) string
}

// Audit takes an event that need not be waited for and returns its reference.
type Audit interface {
	Note(e audit.Event) string
	// Deny takes a refusal; those of the same kind become one row a minute, with their number.
	Deny(kind audit.Denial, event func() audit.Event) string
}

// Signer signs the assertion for an upstream (CONTRACT section 4).
type Signer interface {
	// Sign returns a token for one audience and when to sign a new one.
	Sign(p *identity.Principal, host string) (jwt string, renew time.Time, err error)
	// Version changes when what Sign says about the same principal does.
	Version() uint64
}

// Streams cut requests under way whose credential is revoked or expires.
type Streams interface {
	Join(s *revocation.Stream, p *identity.Principal)
}

// Metrics counts decisions.
type Metrics interface {
	Decision(decision, reason string)
	DecisionDuration(path string, d time.Duration)
	RateLimited(limit string)
}

// Gate judges requests for all sites of one configuration.
type Gate struct {
	Verifier *authn.Verifier
	Pages    Pages
	WayBack  WayBack
	Audit    Audit
	Metrics  Metrics
	CORS     *cors.Origins
	Origins  *origin.Book // what the hosts are called outside
	Signer   Signer
	Streams  Streams
	Limits   *ratelimit.Sites
	AppDown  AppDown // nil: the server answers every error
	Now      func() time.Time
	Logger   *slog.Logger

	Memory
}

// Memory is what a gate remembers of its decisions.
type Memory struct {
	Refusals *Refusals
	Records  *rules.Records // nil: none are kept

	reports reports
}
