package account

import (
	"context"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/secret"
	"github.com/truxeio/caddy-truxe/internal/session"
)

// RenewSession gives the caller's session a new secret when its owner's roles have changed (SE-02). The session stays
// what it is, its id included; the old secret is good for session.Grace. An empty cookie without an error: there was
// nothing to renew, or another request of the same browser was first and has the cookie.
func (a *Accounts) RenewSession(ctx context.Context, by change.By) (cookie string, err error) {
	id, ok := identity.ParseID(by.Principal.SessionID)
	if !ok {
		return "", nil
	}
	value, hash := secret.NewSessionSecret()
	won := false
	err = a.Run(ctx, func(tx *change.Tx) error {
		s, err := tx.SessionByID(ctx, id)
		if err != nil {
			return change.Gone(err)
		}
		now := a.Now()
		if won, err = tx.RenewSecret(ctx, s, hash, now, now.Add(session.Grace)); err != nil || !won {
			return err
		}
		e := by.Event(audit.SessionRenewed, "success")
		e.Reason = "role_change"
		tx.Record(e)
		tx.UserChanged(s.UserID)
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
