// Package sessions starts, renews, lists and ends the sessions that sign-ins lead to. Tickets take them to other hosts.
package sessions

import (
	"context"
	"errors"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/signin/grant"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// Sessions starts, renews, lists and ends sessions.
type Sessions struct {
	Changes *change.Changes
	Table   Table
}

// Table starts sessions and renews their secrets. A *session.Table is one.
type Table interface {
	Start(ctx context.Context, tx session.Writer, n session.NewSession) (value string, s store.Session,
		ended []identity.ID, err error)
	Rotate(ctx context.Context, tx session.Writer, s store.Session, p identity.Proof) (value string, err error)
}

// Opened is a session with a new secret.
type Opened struct {
	Secret  string // value of the session cookie
	Session store.Session
	User    identity.User
}

// Start starts a session in the caller's transaction. The user's oldest sessions beyond the limit end (SE-15).
func (ss *Sessions) Start(ctx context.Context, tx *change.Tx, by change.By, n session.NewSession) (Opened, error) {
	value, s, ended, err := ss.Table.Start(ctx, tx, n)
	if err != nil {
		return Opened{}, err
	}
	for _, id := range ended {
		if err := revoke(ctx, tx, by, n.User.ID, id, "session_limit"); err != nil {
			return Opened{}, err
		}
	}
	return Opened{Secret: value, Session: s, User: n.User}, nil
}

// revoke ends a session that a new one takes the place of, with its audit event (AU-01).
func revoke(ctx context.Context, tx *change.Tx, by change.By, owner, id identity.ID, reason string) error {
	e := by.Event(audit.SessionRevoked, "success")
	e.Subject, e.Reason = audit.Subject{ID: owner.String(), Session: id.String()}, reason
	tx.Record(e)
	return tx.RevokeSession(ctx, id, reason)
}

// Rotate writes the proof of a session. A cookie gets a new secret (SE-02). The session of a bearer token has no secret
// that a client holds; its tokens carry the new proof from the next refresh on.
func (ss *Sessions) Rotate(ctx context.Context, tx *change.Tx, by change.By, s store.Session,
	p identity.Proof) (cookie string, err error) {
	if by.Principal.Credential == identity.CredentialCookie {
		return ss.Table.Rotate(ctx, tx, s, p)
	}
	won, err := tx.RotateSession(ctx, s.ID, s.SecretHash, s.SecretHash, p)
	if err == nil && !won {
		err = change.Gone(store.ErrNotFound)
	}
	return "", err
}

// SignOut ends the session of a principal, its refresh family and its access tokens, and with single sign-on the
// sessions that came from the same sign-in on other hosts.
func (ss *Sessions) SignOut(ctx context.Context, by change.By) error {
	p := by.Principal
	id, ok := identity.ParseID(p.SessionID)
	if !ok {
		if p.TokenID == "" {
			return nil
		}
		return grant.Revoke(ctx, ss.Changes, by, p) // a foreign token has no session here
	}
	return ss.Changes.Run(ctx, func(tx *change.Tx) error {
		if user, ok := identity.ParseID(p.UserID); ok { // a ticket that is being redeemed is waited for
			if err := tx.LockUser(ctx, user); err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
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
	return ss.Changes.Run(ctx, func(tx *change.Tx) error {
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
	return ss.Changes.Run(ctx, func(tx *change.Tx) error {
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
	list, err := ss.Changes.Store.ListSessions(ctx, user, ss.Changes.Now())
	return list, store.Unavailable(err)
}
