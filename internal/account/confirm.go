package account

import (
	"context"
	"encoding/json"
	"net/netip"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// ConfirmStep proves one factor again within a session.
type ConfirmStep struct {
	Method   string // MethodPassword, MethodTOTP, MethodPasskey or, where none of them can, MethodRecovery
	Password string
	Code     string
	Passkey  json.RawMessage
	Address  netip.Addr
	By       change.By
}

// ConfirmWith checks a factor, and renews the session's secret and what it has proven (SE-02). It gives the cookie's new
// value. A bearer session (API) keeps its secret and gets no cookie; its next refresh tells what was proven.
func (a *Accounts) ConfirmWith(ctx context.Context, in ConfirmStep) (cookie string, err error) {
	user, session, err := a.Caller(ctx, in.By.Principal)
	if err != nil {
		return "", err
	}
	if user.Disabled {
		return "", change.Gone(store.ErrNotFound)
	}
	switch in.Method {
	case identity.MethodPassword:
		if err := a.prove(ctx, in.By, in.Address, user, in.Password); err != nil {
			return "", err
		}
		return a.confirmed(ctx, in.By, user, session, renewed(session, a.Now()), shown{method: identity.MethodPassword})
	case identity.MethodTOTP, identity.MethodRecovery:
		return a.confirmCode(ctx, in, user, session)
	case identity.MethodPasskey:
		err = a.tryPasskey(ctx, passkeyTry{want: challenge{For: PasskeyConfirm, Host: in.By.Host, Bound: bound(session.ID.String()), User: user.ID.String()},
			answer: in.Passkey, owner: user.ID, address: in.Address, by: in.By, event: audit.AuthnMFAFail}, func(_ store.Passkey, factor shown) (err error) {
			cookie, err = a.confirmed(ctx, in.By, user, session, proven(session.Proof(), a.Now(), factor.amr...), factor)
			return err
		})
		return cookie, err
	}
	return "", errNoSuchWay
}

var errNoSuchWay = &identity.Error{Code: identity.CodeInvalidRequest, Detail: "There is no such way to confirm."}

// confirmCode counts like the second step of a sign-in (LK-03).
func (a *Accounts) confirmCode(ctx context.Context, in ConfirmStep, user store.UserRecord, session store.Session) (cookie string, err error) {
	f, err := a.Factors(ctx, user.ID, in.By.Host)
	if err != nil {
		return "", err
	}
	if in.Method == identity.MethodRecovery && !recoveryConfirms(f) {
		return "", errNoSuchWay
	}
	try, err := a.Guard.Begin(ctx, attempt(user.ID, in.Address, nil))
	if err != nil {
		a.noteLimited(in.By, user, err)
		return "", err
	}
	var factor shown
	var details map[string]string
	locked := false
	if in.Method == identity.MethodTOTP {
		locked = f.Failures >= ceiling
		factor, details, err = a.checkTOTP(ctx, user.ID, in.Code)
	} else {
		factor, err = a.checkRecovery(user.ID, in.Code)
	}
	if err == nil && locked {
		err = errWrongCode
	}
	if err == nil {
		cookie, err = a.confirmed(ctx, in.By, user, session, proven(session.Proof(), a.Now(), factor.amr...), factor)
	}
	switch {
	case err == nil:
		a.succeed(ctx, try)
		return cookie, nil
	case wrongCode(err):
		try.Fail()
		if noted := a.noteWrongCode(ctx, in.By, user.User, in.Method, err, locked, details); noted != nil {
			return "", noted
		}
		return "", try.Refuse(err)
	default:
		_ = try.Abandon(context.WithoutCancel(ctx))
	}
	return "", err
}

// confirmed uses the factor up and writes what the session stands on now, in one transaction.
func (a *Accounts) confirmed(ctx context.Context, by change.By, user store.UserRecord, session store.Session, p store.Proof, factor shown) (cookie string, err error) {
	err = a.Run(ctx, func(tx *change.Tx) error {
		now, err := a.hold(ctx, tx, user)
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
		cookie, err = a.rotate(ctx, tx, by, session, p)
		return err
	})
	return cookie, err
}

// rotate writes what a session stands on. A cookie gets a new secret (SE-02); a bearer token's session has none that
// anybody holds, and its tokens tell the news from the next refresh on.
func (a *Accounts) rotate(ctx context.Context, tx *change.Tx, by change.By, s store.Session, p store.Proof) (cookie string, err error) {
	if by.Principal.Credential == identity.CredentialCookie {
		return a.Sessions.Rotate(ctx, tx, s, p)
	}
	won, err := tx.RotateSession(ctx, s.ID, s.SecretHash, s.SecretHash, p)
	if err == nil && !won {
		err = change.Gone(store.ErrNotFound)
	}
	return "", err
}
