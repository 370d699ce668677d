package signin

import (
	"context"
	"fmt"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// Changed is what a change of factors leads to: the session's secret is new (cookie "" for a bearer session), and Codes
// are recovery codes that were created with the first factor.
type Changed struct {
	Cookie string
	Codes  []string
}

// factorChange is a change of the caller's factors, in its transaction, with the user's row locked.
type factorChange struct {
	*change.Tx
	by      change.By
	user    store.UserRecord
	factors store.Factors  // before
	proof   identity.Proof // of the session, after
	codes   []string
}

// change runs a change of the caller's factors. It requires a fresh proof (MF-13). The change, its audit record and
// what ends with it are one transaction; the session continues with a new secret (SE-02).
func (fs *Factors) change(ctx context.Context, by change.By, do func(context.Context,
	*factorChange) error) (Changed, error) {
	was, current, err := fs.changes.Caller(ctx, by.Principal)
	if err != nil {
		return Changed{}, err
	}
	if err := fs.changes.CheckFresh(ctx, by.Principal); err != nil {
		return Changed{}, err
	}
	var done Changed
	err = fs.changes.Run(ctx, func(tx *change.Tx) error {
		done = Changed{}
		user, err := lockAndReload(ctx, tx, was)
		if err != nil {
			return change.Gone(err)
		}
		c := factorChange{Tx: tx, by: by, user: user, proof: current.Proof}
		if c.factors, err = tx.Factors(ctx, user.ID, by.Host, fs.changes.Now()); err != nil {
			return err
		}
		if err := do(ctx, &c); err != nil {
			return err
		}
		if err := fs.endWithFactors(ctx, tx, user.ID, current.ID); err != nil {
			return err
		}
		tx.UserChanged(user.ID)
		done.Codes = c.codes
		done.Cookie, err = fs.sessions.Rotate(ctx, tx, by, current, c.proof)
		return err
	})
	if err != nil {
		return Changed{}, err
	}
	fs.recovery.Show(ctx, current.ID, done.Codes)
	return done, nil
}

// endWithFactors ends what a change of factors ends (MF-22): known and trusted browsers, half sign-ins, remembered
// sessions of other browsers, and those of API clients without a second factor, which would outlive everything.
func (fs *Factors) endWithFactors(ctx context.Context, tx *change.Tx, user, except identity.ID) error {
	if err := tx.DeleteUserDevices(ctx, user); err != nil {
		return err
	}
	if err := tx.DeleteUserPending(ctx, user); err != nil {
		return err
	}
	list, err := tx.ListSessions(ctx, user, fs.changes.Now())
	if err != nil {
		return err
	}
	for _, s := range list {
		if s.ID != except && (s.Remember || s.Kind == session.API && s.MFATime.IsZero()) {
			if err := tx.RevokeSession(ctx, s.ID, "factor_change"); err != nil {
				return err
			}
		}
	}
	return nil
}

// factorEvent is the audit record of a change of factors.
func factorEvent(by change.By, name string, user identity.User, factor string) audit.Event {
	e := by.UserEvent(name, user)
	e.Details = map[string]string{"factor": factor}
	return e
}

// shortPassword refuses a password that was chosen beside a second factor and is too short to be the only one (PW-01).
func shortPassword(p credential.Policy) error {
	return identity.Conflict(fmt.Sprintf("Choose a password of at least %d characters first.", p.LeastAlone()))
}

// mayDrop refuses to remove the last factor of a user who needs one. left is what would remain.
func (fs *Factors) mayDrop(user store.UserRecord, left store.Factors) error {
	switch {
	case user.PasswordHash == "" && left.Passkeys == 0:
		return identity.Conflict("This is your last way to sign in. Add another passkey or a password first.")
	case left.Any():
		return nil
	case fs.mfa.For(user.User):
		return identity.Conflict("You need a second factor here. Set up another one first.")
	case left.ShortPassword:
		return shortPassword(fs.passwords)
	}
	return nil
}

// dropped cleans up after a factor was removed: recovery codes alone are no factor.
func (fs *Factors) dropped(ctx context.Context, tx *change.Tx, user identity.ID, left store.Factors,
	method string) error {
	if left.Preferred == method {
		if err := tx.SetPreferredFactor(ctx, user, ""); err != nil {
			return err
		}
	}
	if left.Any() {
		return nil
	}
	return tx.DeleteRecoveryCodes(ctx, user)
}
