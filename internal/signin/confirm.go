package signin

import (
	"context"
	"encoding/json"
	"net/netip"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/signin/secondfactor"
	"github.com/truxeio/caddy-truxe/internal/signin/sessions"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// Confirmations prove again, within a session, that it is the user.
type Confirmations struct {
	changes   *change.Changes
	attempts  *attempts
	sessions  *sessions.Sessions
	passkeys  *passkeys
	totp      *secondfactor.Authenticators
	recovery  *secondfactor.RecoveryCodes
	passwords *Passwords
}

// ConfirmStep proves one factor again within a session.
type ConfirmStep struct {
	Method   string // MethodPassword, MethodTOTP, MethodPasskey or, where none of them can, MethodRecovery
	Password string
	Code     string
	Passkey  json.RawMessage
	Address  netip.Addr
	By       change.By
}

// Confirm checks a factor, and renews the session's secret and proof (SE-02). It returns the cookie's new value. A
// bearer session (API) keeps its secret and gets no cookie; its next refresh carries the proof.
func (c *Confirmations) Confirm(ctx context.Context, in ConfirmStep) (cookie string, err error) {
	user, session, err := c.changes.Caller(ctx, in.By.Principal)
	if err != nil {
		return "", err
	}
	if user.Disabled {
		return "", change.Gone(store.ErrNotFound)
	}
	switch in.Method {
	case identity.MethodPassword:
		if err := c.passwords.prove(ctx, in.By, in.Address, user, in.Password); err != nil {
			return "", err
		}
		return c.confirmed(ctx, in.By, user, session, renewed(session, c.changes.Now()),
			secondfactor.Verified{Method: identity.MethodPassword})
	case identity.MethodTOTP, identity.MethodRecovery:
		return c.confirmCode(ctx, in, user, session)
	case identity.MethodPasskey:
		err = c.passkeys.try(ctx, passkeyTry{want: challenge{For: PasskeyConfirm, Host: in.By.Host,
			Bound: bound(session.ID.String()), User: user.ID.String()},
			answer: in.Passkey, owner: user.ID, address: in.Address, by: in.By, event: audit.AuthnMFAFail},
			func(_ store.Passkey, factor secondfactor.Verified) (err error) {
				proof := secondfactor.Proven(session.Proof, c.changes.Now(), factor.AMR...)
				cookie, err = c.confirmed(ctx, in.By, user, session, proof, factor)
				return err
			})
		return cookie, err
	}
	return "", errUnknownMethod
}

var errUnknownMethod = identity.Invalid("There is no such way to confirm.")

// confirmCode counts like the second step of a sign-in (LK-03).
func (c *Confirmations) confirmCode(ctx context.Context, in ConfirmStep, user store.UserRecord,
	session store.Session) (cookie string, err error) {
	f, err := c.changes.Store.Factors(ctx, user.ID, in.By.Host, c.changes.Now())
	if err != nil {
		return "", store.Unavailable(err)
	}
	if in.Method == identity.MethodRecovery && !recoveryConfirms(f) {
		return "", errUnknownMethod
	}
	try, err := c.attempts.begin(ctx, in.By, user, attempt(personKey(user.ID), in.Address, nil))
	if err != nil {
		return "", err
	}
	var factor secondfactor.Verified
	var details map[string]string
	locked := false
	if in.Method == identity.MethodTOTP {
		locked = f.Failures >= ceiling
		factor, details, err = c.totp.Check(ctx, user.ID, in.Code)
	} else {
		factor, err = c.recovery.Check(user.ID, in.Code)
	}
	if err == nil && locked {
		err = secondfactor.ErrWrong
	}
	if err == nil {
		cookie, err = c.confirmed(ctx, in.By, user, session, secondfactor.Proven(session.Proof, c.changes.Now(),
			factor.AMR...), factor)
	}
	switch {
	case err == nil:
		c.attempts.succeed(ctx, try)
		return cookie, nil
	case secondfactor.Refused(err):
		try.Fail()
		if noted := c.attempts.failedCode(ctx, in.By, user.User, in.Method, err, locked, details); noted != nil {
			return "", noted
		}
		return "", try.Refuse(err)
	default:
		_ = try.Abandon(context.WithoutCancel(ctx))
	}
	return "", err
}

// confirmed consumes the factor and writes the new proof of the session, in one transaction.
func (c *Confirmations) confirmed(ctx context.Context, by change.By, user store.UserRecord, session store.Session,
	p identity.Proof, factor secondfactor.Verified) (cookie string, err error) {
	err = c.changes.Run(ctx, func(tx *change.Tx) error {
		now, err := lockAndReload(ctx, tx, user)
		if err != nil {
			return change.Gone(err)
		}
		e := by.Event(audit.SessionRenewed, "success")
		if factor.Use != nil {
			if err := factor.Use(ctx, tx); err != nil {
				return err
			}
			if factor.Method == identity.MethodTOTP { // codes in a row were wrong; this one was not
				if err := tx.ClearFactorFailures(ctx, now.ID); err != nil {
					return err
				}
			}
			e = by.Event(audit.AuthnMFAConfirmed, "success")
			e.Details = map[string]string{"method": factor.Method}
		}
		tx.Record(e)
		if factor.Method == identity.MethodRecovery { // MF-11
			tx.Record(by.UserEvent(audit.RecoveryUsed, now.User))
		}
		tx.UserChanged(now.ID)
		cookie, err = c.sessions.Rotate(ctx, tx, by, session, p)
		return err
	})
	return cookie, err
}
