package gateway

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/cookie"
	"github.com/truxeio/caddy-truxe/internal/signin"
)

// renewer replaces the secrets of sessions whose roles have changed.
type renewer struct {
	sessions *signin.Sessions
	log      *slog.Logger
	now      func() time.Time
}

// Renew implements authn.Renewer. When it fails the request goes on with the old secret: roles count already, and the
// next navigation tries again.
func (n *renewer) Renew(h http.Header, r *http.Request, e *authn.Entry, c authn.Client) bool {
	value, err := n.sessions.Renew(r.Context(), change.By{Principal: e.Principal, IP: c.Addr, UserAgent: r.UserAgent(),
		Host: r.Host})
	if err != nil {
		n.log.Warn("could not renew a session after a change of roles", "session", e.Principal.SessionID, "error", err)
	}
	if value == "" {
		return false
	}
	cookie.AddSession(h, value, e.Principal.Remember, e.Principal.Expires, n.now())
	return true
}
