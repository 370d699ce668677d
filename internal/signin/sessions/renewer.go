package sessions

import (
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/change"
)

// Renewer replaces the secrets of sessions whose roles have changed. It implements authn.Renewer.
type Renewer struct{ Sessions *Sessions }

// Renew implements authn.Renewer. When it fails the request goes on with the old secret: roles count already, and the
// next navigation tries again.
func (n Renewer) Renew(h http.Header, r *http.Request, e *authn.Entry, c authn.Client) bool {
	value, err := n.Sessions.Renew(r.Context(), change.By{Principal: e.Principal, IP: c.Addr, UserAgent: r.UserAgent(),
		Host: r.Host})
	if err != nil {
		n.Sessions.Changes.Logger.Warn("could not renew a session after a change of roles", "session",
			e.Principal.SessionID, "error", err)
	}
	if value == "" {
		return false
	}
	authn.AddSessionCookie(h, value, e.Principal.Remember, e.Principal.Expires, n.Sessions.Changes.Now())
	return true
}
