package account

import (
	"context"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/secret"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// RenewSession gives the caller's session a new secret when its owner's roles have changed (SE-02). The session stays
// what it is, its id included; the old secret is good for session.Grace. An empty cookie without an error: there was
// nothing to renew, or another request of the same browser was first and has the cookie.
func (a *Accounts) RenewSession(ctx context.Context, by By) (cookie string, err error) {
	id, ok := identity.ParseID(by.Principal.SessionID)
	if !ok {
		return "", nil
	}
	value, hash := secret.NewSessionSecret()
	won := false
	err = a.change(ctx, func(tx *store.Tx, out *effects) error {
		s, err := tx.SessionByID(ctx, id)
		if err != nil {
			return gone(err)
		}
		now := a.Now()
		if won, err = tx.RenewSecret(ctx, s, hash, now, now.Add(session.Grace)); err != nil || !won {
			return err
		}
		e := by.event(audit.SessionRenewed, "success")
		e.Reason = "role_change"
		out.audit(e)
		out.changed = append(out.changed, s.UserID)
		return nil
	})
	if err != nil && won { // was it the commit, or were only the other nodes not told? The browser must not lose what counts
		s, readErr := a.Store.SessionByID(ctx, id)
		won = readErr == nil && s.SecretHash == hash
	}
	if !won {
		return "", err
	}
	return value, nil
}
