// Package grant issues, refreshes and revokes the tokens of API clients (RFC 6749, RFC 7009).
package grant

import (
	"context"
	"errors"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
	"github.com/truxeio/caddy-truxe/internal/token"
)

// Tokens issues, refreshes and revokes the tokens of API clients.
type Tokens struct {
	Changes   *change.Changes
	Sessions  Sessions
	Issuer    *token.Issuer
	Refresher *token.Refresher
}

// Sessions notes the use of sessions. A *session.Table is one.
type Sessions interface {
	Refreshed(session, user identity.ID)
}

// Set is what an API client receives.
type Set struct {
	Access    string
	ExpiresIn time.Duration
	Refresh   string
	JTI       string
}

// Start begins a refresh family for a fresh session and issues its first access token.
func (t *Tokens) Start(ctx context.Context, by change.By, s store.Session, user identity.User,
	clientID string) (Set, error) {
	var set Set
	if s.ID.IsZero() { // half signed-in is not signed in (R6)
		return set, errors.New("no session to issue tokens for")
	}
	err := t.Changes.Run(ctx, func(tx *change.Tx) error {
		refresh, family, err := t.Refresher.Start(ctx, tx.Tx, s, clientID)
		if err != nil {
			return err
		}
		set.Refresh = refresh
		return t.issue(tx, by, &set, s, user, family)
	})
	return set, err
}

func (t *Tokens) issue(tx *change.Tx, by change.By, set *Set, s store.Session, user identity.User,
	family store.Family) error {
	issued, err := t.Issuer.Issue(token.Claims{User: user, SessionID: s.ID.String(), ClientID: family.ClientID,
		Host: s.Host, Proof: s.Proof})
	if err != nil {
		return err
	}
	set.Access, set.JTI, set.ExpiresIn = issued.Token, issued.JTI, issued.ExpiresIn
	e := by.Event(audit.AuthnTokenCreated, "success")
	e.Actor = audit.Actor{ID: user.ID.String(), Name: user.Username}
	e.Session = s.ID.String()
	e.Subject = audit.Subject{Token: set.JTI}
	tx.Record(e)
	return nil
}

var errGrant = identity.Refuse(identity.CodeInvalidGrant,
	"The refresh token is not valid, has expired or was already used.")

// Refresh consumes a refresh token and returns its successor. The successor is written in the transaction that
// consumes the token, so after a kill there are never two (RT-04). A second use ends family, session and access
// tokens (RT-01): one of the two callers had stolen it.
func (t *Tokens) Refresh(ctx context.Context, by change.By, raw string) (Set, error) {
	var set Set
	var refused error
	var used store.Session
	err := t.Changes.Run(ctx, func(tx *change.Tx) error {
		set, refused = Set{}, nil
		spent, err := t.Refresher.UseInTx(ctx, tx.Tx, raw)
		if err != nil {
			return err
		}
		if !spent.Won {
			refused = errGrant
			if spent.Reused {
				return t.reused(ctx, tx, by, spent.Family)
			}
			return nil
		}
		s, user, err := t.alive(ctx, tx, spent.Family)
		// the session ended or the user is disabled: a refresh is a full authorisation (RT-06)
		if errors.Is(err, store.ErrNotFound) {
			refused = errGrant
			return tx.RevokeSession(ctx, spent.Family.SessionID, "refresh_refused")
		}
		if err != nil {
			return err
		}
		used, set.Refresh = s, spent.NewToken
		return t.issue(tx, by, &set, s, user, spent.Family)
	})
	if err != nil {
		return Set{}, err
	}
	if refused == nil {
		t.Sessions.Refreshed(used.ID, used.UserID)
	}
	return set, refused
}

func (t *Tokens) reused(ctx context.Context, tx *change.Tx, by change.By, family store.Family) error {
	e := by.Event(audit.AuthnTokenReuse, "failure")
	e.Subject = audit.Subject{ID: family.UserID.String(), Session: family.SessionID.String()}
	e.Session = family.SessionID.String()
	tx.Record(e)
	return tx.RevokeSession(ctx, family.SessionID, "refresh_reuse")
}

// alive checks the session and the user of a refresh token.
func (t *Tokens) alive(ctx context.Context, tx *change.Tx, family store.Family) (store.Session, identity.User, error) {
	s, err := tx.SessionByID(ctx, family.SessionID)
	if err != nil {
		return s, identity.User{}, err
	}
	now := t.Changes.Now()
	if !s.EndedAt.IsZero() || !now.Before(s.Expires) {
		return s, identity.User{}, store.ErrNotFound
	}
	user, err := tx.UserByID(ctx, family.UserID)
	if err == nil && (user.Disabled || s.Created.Before(user.NotBefore)) {
		err = store.ErrNotFound
	}
	return s, user.User, err
}

// RevokeRefresh ends the family of a refresh token, its session and every access token of it (RFC 7009). An unknown
// token is no error.
func (t *Tokens) RevokeRefresh(ctx context.Context, by change.By, raw string) error {
	hash, ok := token.RefreshHash(raw)
	if !ok {
		return nil
	}
	return t.Changes.Run(ctx, func(tx *change.Tx) error {
		family, err := tx.FamilyByTokenHash(ctx, hash)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		e := by.Event(audit.AuthnTokenRevoked, "success")
		e.Subject = audit.Subject{ID: family.UserID.String(), Session: family.SessionID.String()}
		tx.Record(e)
		return tx.RevokeSession(ctx, family.SessionID, "revoked")
	})
}

// Active reports whether a refresh token could be used now.
func (t *Tokens) Active(ctx context.Context, raw string) (bool, error) {
	hash, ok := token.RefreshHash(raw)
	if !ok {
		return false, nil
	}
	usable, err := t.Changes.Store.RefreshUsable(ctx, hash, t.Changes.Now())
	return usable, store.Unavailable(err)
}

// Revoke revokes one access token by its JTI until it would have expired.
func (t *Tokens) Revoke(ctx context.Context, by change.By, p *identity.Principal) error {
	return Revoke(ctx, t.Changes, by, p)
}

// Revoke revokes one access token by its JTI until it would have expired.
func Revoke(ctx context.Context, changes *change.Changes, by change.By, p *identity.Principal) error {
	return changes.Run(ctx, func(tx *change.Tx) error {
		tx.RevokeToken(p, "revoked")
		e := by.Event(audit.AuthnTokenRevoked, "success")
		e.Subject = audit.Subject{ID: p.UserID, Name: p.Username, Token: p.TokenID}
		tx.Record(e)
		return nil
	})
}
