package sessions

import (
	"context"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/session"
)

// Renew sets a new secret for the caller's session when its user's roles have changed (SE-02). The session and its id
// stay; the old secret is valid for session.Grace. An empty cookie without an error means that there was nothing to
// renew, or that another request of the same browser was first and has the cookie.
func (ss *Sessions) Renew(ctx context.Context, by change.By) (cookie string, err error) {
	id, ok := identity.ParseID(by.Principal.SessionID)
	if !ok {
		return "", nil
	}
	value, hash := session.NewSecret()
	won := false
	err = ss.Changes.Run(ctx, func(tx *change.Tx) error {
		s, err := tx.SessionByID(ctx, id)
		if err != nil {
			return change.Gone(err)
		}
		now := ss.Changes.Now()
		if won, err = tx.RenewSecret(ctx, s, hash, now, now.Add(session.Grace)); err != nil || !won {
			return err
		}
		e := by.Event(audit.SessionRenewed, "success")
		e.Reason = "role_change"
		tx.Record(e)
		tx.UserChanged(s.UserID)
		return nil
	})
	if err != nil && won { // did the commit fail, or only the announcement? The browser must not lose a valid secret
		s, readErr := ss.Changes.Store.SessionByID(ctx, id)
		won = readErr == nil && s.SecretHash == hash
	}
	if !won {
		return "", err
	}
	return value, nil
}
