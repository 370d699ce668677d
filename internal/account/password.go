package account

import (
	"context"
	"net/netip"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/ratelimit"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// ChangePassword sets a new password for somebody who knows the current one. Other sessions end unless keepOthers;
// the session of the caller stays, with a new secret.
func (a *Accounts) ChangePassword(ctx context.Context, by change.By, address netip.Addr, current, fresh string, keepOthers bool) (cookie string, err error) {
	user, session, err := a.Caller(ctx, by.Principal)
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
	hash, alone, err := a.Passwords.Hash(ctx, a.Hasher, fresh, credential.CheckContext{Username: user.Username, Email: user.Email, HasMFA: f.Any()})
	if err != nil {
		return "", err
	}
	err = a.Run(ctx, func(tx *change.Tx) error {
		if err := a.putPassword(ctx, tx, by, user, hash, alone, user.NotBefore); err != nil {
			return err
		}
		if !keepOthers {
			if err := tx.RevokeUser(ctx, user.ID, session.ID, "password_change"); err != nil {
				return err
			}
		}
		cookie, err = a.rotate(ctx, tx, by, session, renewed(session, a.Now()))
		return err
	})
	return cookie, err
}

// SetPassword sets a password for the owner of the machine; every session of the user ends.
func (a *Accounts) SetPassword(ctx context.Context, by change.By, id identity.ID, fresh string) error {
	user, err := a.Store.UserByID(ctx, id)
	if err != nil {
		return store.Unavailable(err)
	}
	f, err := a.Factors(ctx, id, "")
	if err != nil {
		return err
	}
	hash, alone, err := a.Passwords.Hash(ctx, a.Hasher, fresh, credential.CheckContext{Username: user.Username, Email: user.Email, HasMFA: f.Any()})
	if err != nil {
		return err
	}
	return a.Run(ctx, func(tx *change.Tx) error {
		if err := a.putPassword(ctx, tx, by, user, hash, alone, a.Now()); err != nil {
			return err
		}
		return tx.RevokeUser(ctx, id, identity.ID{}, "password_set")
	})
}

// putPassword stores a password. Known and trusted browsers and half sign-ins end with the old one (MF-22).
func (a *Accounts) putPassword(ctx context.Context, tx *change.Tx, by change.By, user store.UserRecord, hash string, alone bool, notBefore time.Time) error {
	if err := tx.LockUser(ctx, user.ID); err != nil {
		return change.Gone(err)
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
	tx.Record(by.UserEvent(audit.AuthnPasswordChange, user.User))
	tx.UserChanged(user.ID)
	return nil
}

// prove checks the caller's own password under the limits of a sign-in.
func (a *Accounts) prove(ctx context.Context, by change.By, address netip.Addr, user store.UserRecord, password string) error {
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
