package web

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// Call is one request to the portal with what was found out about it.
type Call struct {
	*Config
	Exchange
	Path       string // below the base, without a slash at either end
	ID         string // the {id} of the route
	Role       string // its {role}
	Client     authn.Client
	Host       string // folded
	API        bool   // errors are JSON, not pages
	Credential authn.Credential
	Entry      *authn.Entry // nil: the caller is anonymous
	// Redeemed reports whether the ticket of a callback was tried, or comes once more.
	Redeemed bool
	// PassedOver is why a bearer token was taken as not sent, for calls that turn out to need its user.
	PassedOver error

	reference string // of the audit record of a refusal
}

// NewCall returns the call of a request for a path below the base.
func NewCall(cfg *Config, w http.ResponseWriter, r *http.Request, client authn.Client, path string) *Call {
	c := &Call{Config: cfg, Exchange: Exchange{W: w, R: r}, Client: client, Path: strings.Trim(path, "/"),
		Host: FoldHost(r.Host)}
	c.API = strings.HasPrefix(c.Path, "api/") || strings.HasSuffix(c.Path, ".json") ||
		strings.HasPrefix(c.Path, "health/")
	return c
}

// By returns the caller, for the audit log.
func (c *Call) By() change.By {
	b := c.Anonymous()
	if c.Entry != nil {
		b.Principal = c.Entry.Principal
	}
	return b
}

// Anonymous returns the caller of a sign-in: whoever sends the request, it is not they who sign in.
func (c *Call) Anonymous() change.By {
	return change.By{IP: c.Client.Addr, UserAgent: c.R.UserAgent(), Host: c.Host}
}

// Address returns the client's address; the zero Addr without one.
func (c *Call) Address() netip.Addr { return c.Client.Address() }

// Own returns the ids of the caller's user and session; a foreign token has none here.
func (c *Call) Own() (user, session identity.ID, err error) {
	user, ok := identity.ParseID(c.Entry.Principal.UserID)
	if !ok {
		return user, session, identity.Refuse(identity.CodeForbidden, "This needs an account of this gateway.")
	}
	session, _ = identity.ParseID(c.Entry.Principal.SessionID)
	return user, session, nil
}

// CheckFresh asks for a sign-in or confirmation of the last minutes, with a factor as strong as the caller's best
// (MF-13, SE-14).
func (c *Call) CheckFresh() error { return c.Changes.CheckFresh(c.Context(), c.Entry.Principal) }

// Navigates reports whether the request opens a page, as opposed to a script's request or a form.
func (c *Call) Navigates() bool {
	mode := c.R.Header.Get("Sec-Fetch-Mode")
	return !c.API && c.Reads() && (mode == "" || mode == "navigate")
}

// Elsewhere reports whether sign-in and account live on another host, the single sign-on host.
func (c *Call) Elsewhere() bool { return c.Flows.Elsewhere(c.R.Host) }

// Home returns the URL of one of the pages that live on the single sign-on host.
func (c *Call) Home(path string) string {
	if c.Elsewhere() {
		return c.PortalOrigin + c.Base + path
	}
	return c.Base + path
}

// FoldHost folds the host asked for; a host that cannot be folded is "", which matches nothing.
func FoldHost(host string) string {
	folded, err := policy.FoldHost(host)
	if err != nil {
		return ""
	}
	return folded
}
