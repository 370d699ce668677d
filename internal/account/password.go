package account

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/ratelimit"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// ChangePassword sets a new password for somebody who knows the current one. Other sessions end unless keepOthers;
// the session of the caller stays, with a new secret.
func (a *Accounts) ChangePassword(ctx context.Context, by By, address netip.Addr, current, fresh string, keepOthers bool) (cookie string, err error) {
	user, session, err := a.self(ctx, by.Principal)
	if err != nil {
		return "", err
	}
	if err := a.prove(ctx, by, address, user, current); err != nil {
		return "", err
	}
	f, err := a.Factors(ctx, user.ID, by.Host)
	if err != nil {
		return "", err
	}
	hash, alone, err := a.newPassword(ctx, fresh, credential.CheckContext{Username: user.Username, Email: user.Email, HasMFA: f.Any()})
	if err != nil {
		return "", err
	}
	err = a.change(ctx, func(tx *store.Tx, out *effects) error {
		if err := a.putPassword(ctx, tx, by, out, user, hash, alone, user.NotBefore); err != nil {
			return err
		}
		if !keepOthers {
			if err := a.revokeUser(ctx, tx, out, user.ID, session.ID, "password_change"); err != nil {
				return err
			}
		}
		cookie, err = a.rotate(ctx, tx, by, session, renewed(session, a.Now()))
		return err
	})
	return cookie, err
}

// SetPassword sets a password for the owner of the machine; every session of the user ends.
func (a *Accounts) SetPassword(ctx context.Context, by By, id identity.ID, fresh string) error {
	user, err := a.Store.UserByID(ctx, id)
	if err != nil {
		return unavailable(err)
	}
	f, err := a.Factors(ctx, id, "")
	if err != nil {
		return err
	}
	hash, alone, err := a.newPassword(ctx, fresh, credential.CheckContext{Username: user.Username, Email: user.Email, HasMFA: f.Any()})
	if err != nil {
		return err
	}
	return a.change(ctx, func(tx *store.Tx, out *effects) error {
		if err := a.putPassword(ctx, tx, by, out, user, hash, alone, a.Now()); err != nil {
			return err
		}
		return a.revokeUser(ctx, tx, out, id, identity.ID{}, "password_set")
	})
}

// putPassword stores a password. Known and trusted browsers and half sign-ins end with the old one (MF-22).
func (a *Accounts) putPassword(ctx context.Context, tx *store.Tx, by By, out *effects, user store.UserRecord, hash string, alone bool, notBefore time.Time) error {
	if err := tx.LockUser(ctx, user.ID); err != nil {
		return gone(err)
	}
	f, err := tx.Factors(ctx, user.ID, "", a.Now())
	if err != nil {
		return err
	}
	if !alone && !f.Any() { // the second factor was removed a moment ago
		return a.shortPassword()
	}
	if err := tx.SetPassword(ctx, user.ID, hash, a.Now(), notBefore); err != nil {
		return err
	}
	if f.ShortPassword == alone {
		if err := tx.SetShortPassword(ctx, user.ID, !alone); err != nil {
			return err
		}
	}
	if err := tx.DeleteUserDevices(ctx, user.ID); err != nil {
		return err
	}
	if err := tx.DeleteUserPending(ctx, user.ID); err != nil {
		return err
	}
	out.audit(userEvent(by, audit.AuthnPasswordChange, user.User))
	out.changed = append(out.changed, user.ID)
	return nil
}

// errForeign refuses tokens of other issuers: their people have no account here.
var errForeign = &identity.Error{Code: identity.CodeForbidden, Detail: "This needs a session of this gateway."}

// self reads the caller's own rows. A caller with a foreign token has none.
func (a *Accounts) self(ctx context.Context, p *identity.Principal) (store.UserRecord, store.Session, error) {
	var none store.UserRecord
	if p == nil {
		return none, store.Session{}, &identity.Error{Code: identity.CodeLoginRequired, Detail: "Sign in first."}
	}
	user, ok := identity.ParseID(p.UserID)
	id, okSession := identity.ParseID(p.SessionID)
	if !ok || !okSession {
		return none, store.Session{}, errForeign
	}
	record, err := a.Store.UserByID(ctx, user)
	if err != nil {
		return none, store.Session{}, gone(err)
	}
	s, err := a.Store.SessionByID(ctx, id)
	return record, s, gone(err)
}

func gone(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return &identity.Error{Code: identity.CodeSessionRevoked, Detail: "This session has ended. Sign in again."}
	}
	return unavailable(err)
}

// prove checks the caller's own password under the limits of a sign-in.
func (a *Accounts) prove(ctx context.Context, by By, address netip.Addr, user store.UserRecord, password string) error {
	try, err := a.Guard.Begin(ctx, ratelimit.Attempt{Person: personKey(user.ID), Address: address})
	if err != nil {
		a.noteLimited(by, user, err)
		return err
	}
	ok, _, err := a.checkPassword(ctx, user.ID, user.PasswordHash, password)
	if err != nil {
		_ = try.Abandon(context.WithoutCancel(ctx))
		return err
	}
	if !ok || user.Disabled {
		return try.Refuse(a.failed(ctx, by, user, ok, false))
	}
	f, err := a.Factors(ctx, user.ID, by.Host)
	if err != nil || f.Any() {
		// The password alone is not the whole proof: who knows it could have any number of codes by showing it again and
		// again (MF-05, LK-13).
		_ = try.Abandon(context.WithoutCancel(ctx))
		return err
	}
	a.succeed(ctx, try)
	return nil
}

// renewed is the proof of a session whose holder has shown the password again. What a second factor proved, it proved then.
func renewed(s store.Session, now time.Time) store.Proof {
	p := s.Proof()
	p.AuthTime, p.AMR = now, identity.AddAMR(p.AMR, identity.AMRPassword)
	return p
}
