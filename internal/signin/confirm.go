package signin

import (
	"context"
	"encoding/json"
	"net/netip"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// Confirmations prove again, within a session, that it is the user.
type Confirmations struct {
	changes   *change.Changes
	attempts  *attempts
	sessions  *Sessions
	passkeys  *passkeys
	totp      *authenticators
	recovery  *recoveryCodes
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
			verifiedFactor{method: identity.MethodPassword})
	case identity.MethodTOTP, identity.MethodRecovery:
		return c.confirmCode(ctx, in, user, session)
	case identity.MethodPasskey:
		err = c.passkeys.try(ctx, passkeyTry{want: challenge{For: PasskeyConfirm, Host: in.By.Host,
			Bound: bound(session.ID.String()), User: user.ID.String()},
			answer: in.Passkey, owner: user.ID, address: in.Address, by: in.By, event: audit.AuthnMFAFail},
			func(_ store.Passkey, factor verifiedFactor) (err error) {
				proof := proven(session.Proof(), c.changes.Now(), factor.amr...)
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
	var factor verifiedFactor
	var details map[string]string
	locked := false
	if in.Method == identity.MethodTOTP {
		locked = f.Failures >= ceiling
		factor, details, err = c.totp.check(ctx, user.ID, in.Code)
	} else {
		factor, err = c.recovery.check(user.ID, in.Code)
	}
	if err == nil && locked {
		err = errWrongCode
	}
	if err == nil {
		cookie, err = c.confirmed(ctx, in.By, user, session, proven(session.Proof(), c.changes.Now(), factor.amr...), factor)
	}
	switch {
	case err == nil:
		c.attempts.succeed(ctx, try)
		return cookie, nil
	case wrongCode(err):
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
	p store.Proof, factor verifiedFactor) (cookie string, err error) {
	err = c.changes.Run(ctx, func(tx *change.Tx) error {
		now, err := lockAndReload(ctx, tx, user)
		if err != nil {
			return change.Gone(err)
		}
		e := by.Event(audit.SessionRenewed, "success")
		if factor.use != nil {
			if err := factor.use(ctx, tx); err != nil {
				return err
			}
			if factor.method == identity.MethodTOTP { // codes in a row were wrong; this one was not
				if err := tx.ClearFactorFailures(ctx, now.ID); err != nil {
					return err
				}
			}
			e = by.Event(audit.AuthnMFAConfirmed, "success")
			e.Details = map[string]string{"method": factor.method}
		}
		tx.Record(e)
		if factor.method == identity.MethodRecovery { // MF-11
			tx.Record(by.UserEvent(audit.RecoveryUsed, now.User))
		}
		tx.UserChanged(now.ID)
		cookie, err = c.sessions.rotate(ctx, tx, by, session, p)
		return err
	})
	return cookie, err
}
