package gateway

import (
	"net/http"
	"time"

	"github.com/truxeio/caddy-truxe/internal/account"
	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
)

// renewer gives sessions new secrets when roles have changed.
type renewer struct {
	accounts *account.Accounts
	now      func() time.Time
}

// Renew implements authn.Renewer. When it fails the request goes on with the old secret: roles count already, and the
// next navigation tries again.
func (n *renewer) Renew(r *http.Request, e *authn.Entry, c authn.Client) string {
	value, err := n.accounts.RenewSession(r.Context(), account.By{Principal: e.Principal, IP: c.Addr, UserAgent: r.UserAgent(), Host: r.Host})
	if err != nil {
		n.accounts.Logger.Warn("could not renew a session after a change of roles", "session", e.Principal.SessionID, "error", err)
	}
	if value == "" {
		return ""
	}
	return web.SessionCookie(value, e.Principal.Remember, e.Principal.Expires, n.now())
}
