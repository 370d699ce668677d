package signin

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/signin/sessions"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// Passwords checks, changes and sets passwords.
type Passwords struct {
	changes  *change.Changes
	policy   credential.Policy
	hasher   *credential.Hasher
	attempts *attempts
	sessions *sessions.Sessions
}

// CheckFresh asks a user who has a second factor to have proven it recently before the password changes. For others the
// current password, which Change checks, is proof enough.
func (p *Passwords) CheckFresh(ctx context.Context, of *identity.Principal) error {
	err := p.changes.CheckFresh(ctx, of)
	var known *identity.Error
	if errors.As(err, &known) && known.Code == identity.CodeStepUpRequired && !known.Ask.MFA && !known.Ask.Passkey {
		return nil
	}
	return err
}

// Change sets a new password for a user who knows the current one. Other sessions end unless keepOthers; the session of
// the caller stays, with a new secret.
func (p *Passwords) Change(ctx context.Context, by change.By, address netip.Addr, current, fresh string,
	keepOthers bool) (cookie string, err error) {
	user, session, err := p.changes.Caller(ctx, by.Principal)
	if err != nil {
		return "", err
	}
	if err := p.prove(ctx, by, address, user, current); err != nil {
		return "", err
	}
	f, err := p.changes.Store.Factors(ctx, user.ID, by.Host, p.changes.Now())
	if err != nil {
		return "", store.Unavailable(err)
	}
	hash, alone, err := p.policy.Hash(ctx, p.hasher, fresh,
		credential.CheckContext{Username: user.Username, Email: user.Email, HasMFA: f.Any()})
	if err != nil {
		return "", err
	}
	err = p.changes.Run(ctx, func(tx *change.Tx) error {
		if err := p.put(ctx, tx, by, user, hash, alone, user.NotBefore); err != nil {
			return err
		}
		if !keepOthers {
			if err := tx.RevokeUser(ctx, user.ID, session.ID, "password_change"); err != nil {
				return err
			}
		}
		cookie, err = p.sessions.Rotate(ctx, tx, by, session, renewed(session, p.changes.Now()))
		return err
	})
	return cookie, err
}

// put stores a password. Known and trusted browsers and half sign-ins end with the old one (MF-22). user is as it was
// when the old password was proven: of racing changes one wins (R5), since the others have proven a password that is
// gone.
func (p *Passwords) put(ctx context.Context, tx *change.Tx, by change.By, user store.UserRecord, hash string,
	alone bool, notBefore time.Time) error {
	if err := tx.LockUser(ctx, user.ID); err != nil {
		return change.Gone(err)
	}
	now, err := tx.UserByID(ctx, user.ID)
	if err != nil {
		return change.Gone(err)
	}
	if !now.PasswordChanged.Equal(user.PasswordChanged) {
		return errCredentials
	}
	f, err := tx.Factors(ctx, user.ID, "", p.changes.Now())
	if err != nil {
		return err
	}
	if !alone && !f.Any() { // the second factor was removed meanwhile
		return shortPassword(p.policy)
	}
	if err := tx.SetPassword(ctx, user.ID, hash, p.changes.Now(), notBefore); err != nil {
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
func (p *Passwords) prove(ctx context.Context, by change.By, address netip.Addr, user store.UserRecord,
	password string) error {
	try, err := p.attempts.begin(ctx, by, user, attempt(personKey(user.ID), address, nil))
	if err != nil {
		return err
	}
	ok, _, err := p.check(ctx, user.ID, user.PasswordHash, password)
	if err != nil {
		_ = try.Abandon(context.WithoutCancel(ctx))
		return err
	}
	if !ok || user.Disabled {
		return try.Refuse(p.attempts.failedPassword(ctx, by, user, ok, false))
	}
	f, err := p.changes.Store.Factors(ctx, user.ID, by.Host, p.changes.Now())
	if err != nil || f.Any() {
		// The password alone is not the whole proof: an attacker who knows it could try any number of codes by proving it
		// again and again (MF-05, LK-13).
		_ = try.Abandon(context.WithoutCancel(ctx))
		return store.Unavailable(err)
	}
	p.attempts.succeed(ctx, try)
	return nil
}

// check hashes exactly once, even for unknown users.
func (p *Passwords) check(ctx context.Context, user identity.ID, stored, password string) (ok, stale bool, err error) {
	normal, err := credential.Normalize(password)
	if err != nil { // too long or not UTF-8: no user can have it, and it must take as long as any
		stored, normal = "", "not a password"
	}
	if stored == "" {
		return false, false, p.hasher.VerifyDummy(ctx, normal)
	}
	ok, stale, err = p.hasher.Verify(ctx, stored, normal)
	if errors.Is(err, credential.ErrEmpty) {
		p.changes.Logger.Warn("the password hash of a user is that of the empty password, with which the user cannot sign in; set another password", "user", user.String())
		return false, false, nil
	}
	return ok, stale, err
}

// rehash renews an outdated hash in one compare-and-swap (PW-13). Failing to do so does not fail the sign-in.
func (p *Passwords) rehash(ctx context.Context, user store.UserRecord, password string) {
	normal, err := credential.Normalize(password)
	if err == nil {
		var fresh string
		if fresh, err = p.hasher.Hash(ctx, normal); err == nil {
			_, err = p.changes.Store.RehashPassword(ctx, user.ID, user.PasswordHash, fresh)
		}
	}
	if err != nil {
		p.changes.Logger.Warn("could not renew a password hash", "user", user.ID.String(), "error", err)
	}
}

// renewed returns the proof of a session whose user has proven the password again. The second factor keeps its time.
func renewed(s store.Session, now time.Time) identity.Proof {
	p := s.Proof
	p.AuthTime, p.AMR = now, identity.AddAMR(p.AMR, identity.AMRPassword)
	return p
}
