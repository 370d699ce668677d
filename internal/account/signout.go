package account

import (
	"context"
	"errors"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// SignOut ends the session of a principal, its refresh family and its access tokens, and with single sign-on the
// sessions that came from the same sign-in on other hosts.
func (a *Accounts) SignOut(ctx context.Context, by change.By) error {
	p := by.Principal
	id, ok := identity.ParseID(p.SessionID)
	if !ok {
		if p.TokenID == "" {
			return nil
		}
		return a.RevokeToken(ctx, by, p) // a foreign token has no session here
	}
	return a.Run(ctx, func(tx *change.Tx) error {
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

// EndSession ends one session of a user. It is not found when it belongs to somebody else.
func (a *Accounts) EndSession(ctx context.Context, by change.By, owner, id identity.ID) error {
	return a.Run(ctx, func(tx *change.Tx) error {
		s, err := tx.SessionByID(ctx, id)
		if errors.Is(err, store.ErrNotFound) || err == nil && (s.UserID != owner || !s.EndedAt.IsZero()) {
			return &identity.Error{Code: identity.CodeNotFound, Detail: "There is no such session."}
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

// EndSessions signs a user out everywhere, or everywhere but in one session.
func (a *Accounts) EndSessions(ctx context.Context, by change.By, owner, except identity.ID, reason string) error {
	return a.Run(ctx, func(tx *change.Tx) error {
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

// RevokeToken revokes one access token by its JTI until it would have expired.
func (a *Accounts) RevokeToken(ctx context.Context, by change.By, p *identity.Principal) error {
	return a.Run(ctx, func(tx *change.Tx) error {
		tx.RevokeToken(p, "revoked")
		e := by.Event(audit.AuthnTokenRevoked, "success")
		e.Subject = audit.Subject{ID: p.UserID, Name: p.Username, Token: p.TokenID}
		tx.Record(e)
		return nil
	})
}
