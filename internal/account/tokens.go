package account

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

// Tokens is what an API client gets.
type Tokens struct {
	Access    string
	ExpiresIn time.Duration
	Refresh   string
	JTI       string
}

// StartTokens begins a refresh family for a fresh session and issues its first access token.
func (a *Accounts) StartTokens(ctx context.Context, by change.By, in SignedIn, clientID string) (Tokens, error) {
	var t Tokens
	if in.Half != nil || in.Session.ID.IsZero() { // half signed-in is not signed in (R6)
		return t, errors.New("no session to issue tokens for")
	}
	err := a.Run(ctx, func(tx *change.Tx) error {
		refresh, family, err := a.Refresher.Start(ctx, tx.Tx, in.Session, clientID)
		if err != nil {
			return err
		}
		t.Refresh = refresh
		return a.issue(tx, by, &t, in.Session, in.User, family)
	})
	return t, err
}

func (a *Accounts) issue(tx *change.Tx, by change.By, t *Tokens, s store.Session, user identity.User, family store.Family) error {
	issued, err := a.Issuer.Issue(token.Claims{User: user, SessionID: s.ID.String(), ClientID: family.ClientID, Host: s.Host,
		AuthTime: s.AuthTime, AMR: s.AMR, ACR: s.ACR, MFATime: s.MFATime, PasskeyTime: s.PasskeyTime})
	if err != nil {
		return err
	}
	t.Access, t.JTI, t.ExpiresIn = issued.Token, issued.JTI, issued.ExpiresIn
	e := by.Event(audit.AuthnTokenCreated, "success")
	e.Actor = audit.Actor{ID: user.ID.String(), Name: user.Username}
	e.Session = s.ID.String()
	e.Subject = audit.Subject{Token: t.JTI}
	tx.Record(e)
	return nil
}

var errGrant = &identity.Error{Code: identity.CodeInvalidGrant, Detail: "The refresh token is not valid, has expired or was already used."}

// Refresh uses a refresh token once and gives its successor. The successor is written in the transaction that
// consumes the token, so after a kill there are never two (RT-04). A second use ends family, session and access
// tokens (RT-01): whoever came second, one of the two had stolen it.
func (a *Accounts) Refresh(ctx context.Context, by change.By, raw string) (Tokens, error) {
	var t Tokens
	var refused error
	var used store.Session
	err := a.Run(ctx, func(tx *change.Tx) error {
		t, refused = Tokens{}, nil
		spent, err := a.Refresher.UseInTx(ctx, tx.Tx, raw)
		if err != nil {
			return err
		}
		if !spent.Won {
			refused = errGrant
			if spent.Reused {
				return a.reused(ctx, tx, by, spent.Family)
			}
			return nil
		}
		s, user, err := a.alive(ctx, tx, spent.Family)
		if errors.Is(err, store.ErrNotFound) { // the session ended or the person is disabled: a refresh is a full authorisation (RT-06)
			refused = errGrant
			return tx.RevokeSession(ctx, spent.Family.SessionID, "refresh_refused")
		}
		if err != nil {
			return err
		}
		used, t.Refresh = s, spent.NewToken
		return a.issue(tx, by, &t, s, user, spent.Family)
	})
	if err != nil {
		return Tokens{}, err
	}
	if refused == nil {
		a.Sessions.Refreshed(used.ID, used.UserID)
	}
	return t, refused
}

func (a *Accounts) reused(ctx context.Context, tx *change.Tx, by change.By, family store.Family) error {
	e := by.Event(audit.AuthnTokenReuse, "failure")
	e.Subject = audit.Subject{ID: family.UserID.String(), Session: family.SessionID.String()}
	e.Session = family.SessionID.String()
	tx.Record(e)
	return tx.RevokeSession(ctx, family.SessionID, "refresh_reuse")
}

// alive re-checks what a refresh stands on: the session and the person.
func (a *Accounts) alive(ctx context.Context, tx *change.Tx, family store.Family) (store.Session, identity.User, error) {
	s, err := tx.SessionByID(ctx, family.SessionID)
	if err != nil {
		return s, identity.User{}, err
	}
	now := a.Now()
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
func (a *Accounts) RevokeRefresh(ctx context.Context, by change.By, raw string) error {
	hash, ok := token.RefreshHash(raw)
	if !ok {
		return nil
	}
	return a.Run(ctx, func(tx *change.Tx) error {
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
