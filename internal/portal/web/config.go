// Package web is the part of the portal that pages and API share: the call with its caller, the guards in front of
// handlers, sign-ins in progress, cookies, and the answers to errors. Handlers are in the packages beside it.
package web

import (
	"context"
	"time"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/cors"
	"github.com/truxeio/caddy-truxe/internal/origin"
	"github.com/truxeio/caddy-truxe/internal/people"
	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/ratelimit"
	"github.com/truxeio/caddy-truxe/internal/rules"
	"github.com/truxeio/caddy-truxe/internal/signin"
)

// Config is what handlers of the portal work with, for one configuration.
type Config struct {
	Base       string // "/.truxe"
	PortalHost string // "" when every host is its own portal
	// PortalOrigin is "https://auth.example.com", with a port where it is not 443.
	PortalOrigin string
	Origins      *origin.Book // what the hosts are called outside
	Sites        []Site
	Changes      *change.Changes
	People       *people.Directory
	SignIn       *signin.Parts
	Verifier     *authn.Verifier
	CORS         *cors.Origins
	View         *view.Renderer
	Flows        *Flows
	Remember     time.Duration
	JWKS         func() (body []byte, etag string)
	Health       func() Health
	// Checker reports what a site would decide; nil when no site is known.
	Checker  rules.Checker
	Policies Policies
	Limits   *ratelimit.Sites // of the questions to Checker
	Now      func() time.Time
}

// Site is an app that users may open from the page of apps.
type Site struct {
	Host                    string        // folded; "*.example.com"; "" for a site without a host name
	Origin                  origin.Origin // what browsers call it
	Name, Icon, Description string
	Start                   string // the path that opens the app
	PortalOnly              bool
}

// Health reports by component what of the gateway can be relied on.
type Health map[string]bool

// Policies are the rules in force, and what they would decide. Errors that are the caller's are *identity.Error.
type Policies interface {
	// Show lists the rules as they are written: all, or those that hold at a host.
	Show(host string) (policy.Listing, error)
	// Explain reports what would be decided about a request.
	Explain(ctx context.Context, q policy.Inquiry) (policy.Explanation, error)
}
