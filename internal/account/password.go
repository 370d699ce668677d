package account

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/ratelimit"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// Confirm checks the password of somebody who is signed in, before something sensitive. It counts like a sign-in
// (LK-03: all pathways share the counters) and renews the session's secret and its time of authentication (SE-02).
func (a *Accounts) Confirm(ctx context.Context, by By, address netip.Addr, password string) (cookie string, err error) {
	user, session, err := a.self(ctx, by.Principal)
	if err != nil {
		return "", err
	}
	if err := a.prove(ctx, by, address, user, password); err != nil {
		return "", err
	}
	err = a.change(ctx, func(tx *store.Tx, out *effects) error {
		value, err := a.Sessions.Rotate(ctx, tx, session, renewed(session, a.Now()))
		cookie = value
		out.audit(by.event(audit.SessionRenewed, "success"))
		out.changed = append(out.changed, user.ID)
		return err
	})
	return cookie, err
}

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
	hash, err := a.newPassword(ctx, fresh, user.Username, user.Email)
	if err != nil {
		return "", err
	}
	err = a.change(ctx, func(tx *store.Tx, out *effects) error {
		if err := tx.SetPassword(ctx, user.ID, hash, a.Now(), user.NotBefore); err != nil {
			return err
		}
		if err := tx.DeleteUserDevices(ctx, user.ID); err != nil {
			return err
		}
		if !keepOthers {
			if err := a.revokeUser(ctx, tx, out, user.ID, session.ID, "password_change"); err != nil {
				return err
			}
		}
		value, err := a.Sessions.Rotate(ctx, tx, session, renewed(session, a.Now()))
		cookie = value
		e := by.event(audit.AuthnPasswordChange, "success")
		e.Subject = audit.Subject{ID: user.ID.String(), Name: user.Username}
		out.audit(e)
		out.changed = append(out.changed, user.ID)
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
	hash, err := a.newPassword(ctx, fresh, user.Username, user.Email)
	if err != nil {
		return err
	}
	return a.change(ctx, func(tx *store.Tx, out *effects) error {
		e := by.event(audit.AuthnPasswordChange, "success")
		e.Subject = audit.Subject{ID: user.ID.String(), Name: user.Username}
		out.audit(e)
		out.changed = append(out.changed, id)
		if err := tx.SetPassword(ctx, id, hash, a.Now(), a.Now()); err != nil {
			return err
		}
		if err := tx.DeleteUserDevices(ctx, id); err != nil {
			return err
		}
		return a.revokeUser(ctx, tx, out, id, identity.ID{}, "password_set")
	})
}

// self reads the caller's own rows. A caller with a foreign token has none.
func (a *Accounts) self(ctx context.Context, p *identity.Principal) (store.UserRecord, store.Session, error) {
	var none store.UserRecord
	user, ok := identity.ParseID(p.UserID)
	id, okSession := identity.ParseID(p.SessionID)
	if !ok || !okSession {
		return none, store.Session{}, &identity.Error{Code: identity.CodeForbidden, Detail: "This needs a session of this gateway."}
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
	who := person{key: "user:" + user.ID.String(), user: user}
	try, err := a.Guard.Begin(ctx, ratelimit.Attempt{Person: who.key, Address: address})
	if err != nil {
		a.noteLimited(SignIn{By: by}, who, err)
		return err
	}
	ok, _, err := a.checkPassword(ctx, user.PasswordHash, password)
	if err != nil {
		_ = try.Abandon(context.WithoutCancel(ctx))
		return err
	}
	if !ok || user.Disabled {
		return a.failed(ctx, SignIn{By: by}, who, ok, false)
	}
	return try.Succeed(ctx)
}

// renewed is the proof of a session whose holder has shown the password again. What a second factor proved, it proved then.
func renewed(s store.Session, now time.Time) store.Proof {
	p := s.Proof()
	p.AuthTime = now
	return p
}
