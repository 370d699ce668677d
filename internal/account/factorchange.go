package account

import (
	"context"
	"errors"
	"fmt"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// Changed is what a change of factors leads to: the session's secret is new (cookie "" for a bearer session), and Codes
// are recovery codes that were made with the first factor.
type Changed struct {
	Cookie string
	Codes  []string
}

// factorChange is a change of one's own factors, in its transaction, with the person's row held.
type factorChange struct {
	*change.Tx
	by      change.By
	user    store.UserRecord
	factors store.Factors // before
	proof   store.Proof   // of the session, after
	codes   []string
}

// changeFactors runs a change of one's own factors: a fresh proof first (MF-13), then the change, its audit record and
// what ends with it in one transaction; the session goes on with a new secret (SE-02).
func (a *Accounts) changeFactors(ctx context.Context, by change.By, do func(context.Context, *factorChange) error) (Changed, error) {
	was, current, err := a.Caller(ctx, by.Principal)
	if err != nil {
		return Changed{}, err
	}
	if err := a.CheckFresh(ctx, by.Principal); err != nil {
		return Changed{}, err
	}
	var done Changed
	err = a.Run(ctx, func(tx *change.Tx) error {
		done = Changed{}
		user, err := a.hold(ctx, tx, was)
		if err != nil {
			return change.Gone(err)
		}
		c := factorChange{Tx: tx, by: by, user: user, proof: current.Proof()}
		if c.factors, err = tx.Factors(ctx, user.ID, by.Host, a.Now()); err != nil {
			return err
		}
		if err := do(ctx, &c); err != nil {
			return err
		}
		if err := a.endWithFactors(ctx, tx, user.ID, current.ID); err != nil {
			return err
		}
		tx.UserChanged(user.ID)
		done.Codes = c.codes
		done.Cookie, err = a.rotate(ctx, tx, by, current, c.proof)
		return err
	})
	if err != nil {
		return Changed{}, err
	}
	a.showCodes(ctx, current.ID, done.Codes)
	return done, nil
}

// endWithFactors ends what a change of factors ends (MF-22): known and trusted browsers, half sign-ins, sessions that were
// to be kept on other browsers, and those of API clients without a second factor, which would outlive everything.
func (a *Accounts) endWithFactors(ctx context.Context, tx *change.Tx, user, except identity.ID) error {
	if err := tx.DeleteUserDevices(ctx, user); err != nil {
		return err
	}
	if err := tx.DeleteUserPending(ctx, user); err != nil {
		return err
	}
	list, err := tx.ListSessions(ctx, user, a.Now())
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

// shortPassword says that a password was chosen beside a second factor and cannot stand alone (PW-01).
func (a *Accounts) shortPassword() error {
	return &identity.Error{Code: identity.CodeConflict, Detail: fmt.Sprintf("Choose a password of at least %d characters first.", a.Passwords.LeastAlone())}
}

// mayDrop refuses to take the last factor from somebody who needs one. left is what would remain.
func (a *Accounts) mayDrop(user store.UserRecord, left store.Factors) error {
	switch {
	case user.PasswordHash == "" && left.Passkeys == 0:
		return &identity.Error{Code: identity.CodeConflict, Detail: "This is your last way to sign in. Add another passkey or a password first."}
	case left.Any():
		return nil
	case a.MFA.For(user.User):
		return &identity.Error{Code: identity.CodeConflict, Detail: "You need a second factor here. Set up another one first."}
	case left.ShortPassword:
		return a.shortPassword()
	}
	return nil
}

// dropped clears up after a factor was removed: recovery codes alone are no factor.
func (a *Accounts) dropped(ctx context.Context, tx *change.Tx, user identity.ID, left store.Factors, method string) error {
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

// firstCodes makes recovery codes when a person has none left.
func (a *Accounts) firstCodes(ctx context.Context, tx *change.Tx, user identity.ID, f store.Factors) ([]string, error) {
	if f.RecoveryLeft > 0 {
		return nil, nil
	}
	return a.makeCodes(ctx, tx, user)
}

func (a *Accounts) makeCodes(ctx context.Context, tx *change.Tx, user identity.ID) ([]string, error) {
	if len(a.Keyed) < 32 {
		return nil, errors.New("recovery codes need a key of 32 bytes")
	}
	codes := credential.NewRecoveryCodes()
	hashes := make([][32]byte, len(codes))
	for i, text := range codes {
		code, ok := credential.ParseRecoveryCode(text)
		if !ok {
			return nil, errors.New("a new recovery code is none")
		}
		hashes[i] = credential.RecoveryHash(a.Keyed, user.String(), code)
	}
	return codes, tx.ReplaceRecoveryCodes(ctx, user, hashes, a.Now())
}
