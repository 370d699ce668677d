package signin

import (
	"context"
	"errors"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/signin/grant"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// SignOut ends the session of a principal, its refresh family and its access tokens, and with single sign-on the
// sessions that came from the same sign-in on other hosts.
func (ss *Sessions) SignOut(ctx context.Context, by change.By) error {
	p := by.Principal
	id, ok := identity.ParseID(p.SessionID)
	if !ok {
		if p.TokenID == "" {
			return nil
		}
		return grant.Revoke(ctx, ss.changes, by, p) // a foreign token has no session here
	}
	return ss.changes.Run(ctx, func(tx *change.Tx) error {
		together, err := tx.SessionsTogether(ctx, id)
		if err != nil {
			return err
		}
		for _, s := range together {
			if err := tx.RevokeSession(ctx, s, "logout"); err != nil {
				return err
			}
		}
		tx.Record(by.Event(audit.SessionLogout, "success"))
		return nil
	})
}

// End ends one session of a user. A session of another user is CodeNotFound.
func (ss *Sessions) End(ctx context.Context, by change.By, owner, id identity.ID) error {
	return ss.changes.Run(ctx, func(tx *change.Tx) error {
		s, err := tx.SessionByID(ctx, id)
		if errors.Is(err, store.ErrNotFound) || err == nil && (s.UserID != owner || !s.EndedAt.IsZero()) {
			return identity.NotFound("There is no such session.")
		}
		if err != nil {
			return err
		}
		e := by.Event(audit.SessionRevoked, "success")
		e.Subject = audit.Subject{ID: owner.String(), Session: id.String()}
		tx.Record(e)
		return tx.RevokeSession(ctx, id, "revoked")
	})
}

// EndAll signs a user out everywhere, or everywhere but in one session.
func (ss *Sessions) EndAll(ctx context.Context, by change.By, owner, except identity.ID, reason string) error {
	return ss.changes.Run(ctx, func(tx *change.Tx) error {
		e := by.Event(audit.SessionRevoked, "success")
		e.Subject = audit.Subject{ID: owner.String()}
		e.Reason = reason
		e.Details = map[string]string{"sessions": "all"}
		if !except.IsZero() {
			e.Details["sessions"] = "all others"
		}
		tx.Record(e)
		return tx.RevokeUser(ctx, owner, except, reason)
	})
}

// List returns a user's live sessions, latest use first.
func (ss *Sessions) List(ctx context.Context, user identity.ID) ([]store.Session, error) {
	list, err := ss.changes.Store.ListSessions(ctx, user, ss.changes.Now())
	return list, store.Unavailable(err)
}
