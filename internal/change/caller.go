package change

import (
	"context"
	"errors"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// ErrForeign refuses tokens of other issuers: their users have no account here.
var ErrForeign = identity.Refuse(identity.CodeForbidden, "This needs a session of this gateway.")

var errSignInFirst = identity.LoginRequired("Sign in first.")

// Caller returns the rows of a user who changes their own account. An anonymous caller is CodeLoginRequired, one with a
// token of another issuer ErrForeign.
func (c *Changes) Caller(ctx context.Context, p *identity.Principal) (store.UserRecord, store.Session, error) {
	var none store.UserRecord
	if p == nil {
		return none, store.Session{}, errSignInFirst
	}
	user, ok := identity.ParseID(p.UserID)
	id, okSession := identity.ParseID(p.SessionID)
	if !ok || !okSession {
		return none, store.Session{}, ErrForeign
	}
	record, err := c.Store.UserByID(ctx, user)
	if err != nil {
		return none, store.Session{}, Gone(err)
	}
	s, err := c.Store.SessionByID(ctx, id)
	return record, s, Gone(err)
}

// Gone returns CodeSessionRevoked when the caller's row was not found, and CodeStateUnavailable when the database did
// not answer. Other errors, and nil, stay as they are.
func Gone(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return identity.SessionEnded()
	}
	return store.Unavailable(err)
}

// FreshFor is how recently a factor must have been proven to change factors or end sessions (MF-13, SE-14).
const FreshFor = 5 * time.Minute

// CheckFresh requires a sign-in or confirmation within FreshFor, with a factor at least as strong as the caller's best
// one: a second factor where there is one (MF-13). Otherwise the error is CodeStepUpRequired with Ask.
func (c *Changes) CheckFresh(ctx context.Context, p *identity.Principal) error {
	if p == nil {
		return errSignInFirst
	}
	user, ok := identity.ParseID(p.UserID)
	if !ok || p.SessionID == "" {
		return ErrForeign
	}
	now := c.Now()
	f, err := c.Store.Factors(ctx, user, "", now)
	if err != nil {
		return store.Unavailable(err)
	}
	ask := identity.Assurance{MFA: f.Any(), MaxAge: FreshFor}
	if ask.Unmet(p, now) == "" {
		return nil
	}
	return identity.StepUp("Confirm it's you first.", ask)
}
