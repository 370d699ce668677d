package account

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// shown is a second factor that was shown and is right. It is used up in the transaction of what it leads to, so that of
// racing uses one wins, on all nodes (R5).
type shown struct {
	method string
	amr    []string // what it adds
	use    func(ctx context.Context, tx *change.Tx) error
}

// What is said of codes (UX section 3). Locked is answered like wrong (R12).
var (
	errWrongCode = &identity.Error{Code: identity.CodeInvalidCode, Detail: "That code didn't match."}
	errUsedCode  = &identity.Error{Code: identity.CodeInvalidCode, Detail: "That code was already used. Wait for the next one."}
)

// typedCode drops what people paste along with a code. Anything else but six ASCII digits is refused (MF-04).
func typedCode(s string) string {
	if len(s) > 32 {
		return ""
	}
	return strings.NewReplacer(" ", "", "-", "").Replace(s)
}

// checkTOTP checks a code of the authenticator app. details are for the log: what the code tells of the phone's clock.
func (a *Accounts) checkTOTP(ctx context.Context, user identity.ID, typed string) (s shown, details map[string]string, err error) {
	now := a.Now()
	row, err := a.Store.TOTP(ctx, user, false, now)
	if errors.Is(err, store.ErrNotFound) {
		return s, nil, errWrongCode
	}
	if err != nil {
		return s, nil, store.Unavailable(err)
	}
	key, _, err := a.openTOTP(row)
	if err != nil {
		return s, nil, err
	}
	code := typedCode(typed)
	step, ok, used := key.Match(code, now, row.Step)
	switch {
	case used:
		return s, nil, errUsedCode
	case !ok:
		if drift, ok := key.Drift(code, now); ok { // never told to the client: it would be an oracle
			details = map[string]string{"clock": drift.String()}
		}
		return s, details, errWrongCode
	}
	return shown{method: identity.MethodTOTP, amr: []string{identity.AMROTP}, use: func(ctx context.Context, tx *change.Tx) error {
		won, err := tx.AcceptTOTPStep(ctx, row.ID, step, now)
		if err == nil && !won {
			err = errUsedCode
		}
		return err
	}}, nil, nil
}

// checkRecovery reads a recovery code; whether it is one of the person's is decided where it is used.
func (a *Accounts) checkRecovery(user identity.ID, typed string) (shown, error) {
	code, ok := credential.ParseRecoveryCode(typed)
	if !ok {
		return shown{}, errWrongCode
	}
	hash := credential.RecoveryHash(a.Keyed, user.String(), code)
	return shown{method: identity.MethodRecovery, amr: []string{identity.AMRRecovery}, use: func(ctx context.Context, tx *change.Tx) error {
		won, err := tx.UseRecoveryCode(ctx, user, hash, a.Now())
		if err == nil && !won {
			err = errWrongCode
		}
		return err
	}}, nil
}

// wrongCode tells refusals of a code from everything else that can go wrong.
func wrongCode(err error) bool { return errors.Is(err, errWrongCode) || errors.Is(err, errUsedCode) }

// noteWrongCode writes a wrong code down and counts it. Used codes are not guesses, so they do not count towards the
// ceiling.
func (a *Accounts) noteWrongCode(ctx context.Context, by change.By, user identity.User, method string, cause error, locked bool, details map[string]string) error {
	e := by.UserEvent(audit.AuthnMFAFail, user)
	e.Outcome, e.Reason = "failure", "wrong_code"
	switch {
	case locked:
		e.Event, e.Reason = audit.AuthnLoginLock, "locked"
	case errors.Is(cause, errUsedCode):
		e.Reason = "used_code"
	}
	e.Details = map[string]string{"method": method}
	for k, v := range details {
		e.Details[k] = v
	}
	return a.Run(ctx, func(tx *change.Tx) error {
		if errors.Is(cause, errUsedCode) {
			tx.Record(e)
			return nil
		}
		failures, err := tx.AddFactorFailure(ctx, user.ID)
		if errors.Is(err, store.ErrNotFound) { // deleted meanwhile
			err = nil
		}
		tx.Record(reachingCeiling(e, failures))
		return err
	})
}

// proven adds factors that were shown now to what a sign-in stands on (MF-21).
func proven(p store.Proof, now time.Time, methods ...string) store.Proof {
	p.AuthTime, p.MFATime, p.ACR = now, now, max(p.ACR, identity.ACRMFA)
	for _, m := range methods {
		if m == identity.AMRUser { // a passkey that verified its user
			p.PasskeyTime, p.ACR = now, identity.ACRPasskey
		}
	}
	p.AMR = identity.AddAMR(identity.AddAMR(p.AMR, methods...), identity.AMRMFA)
	return p
}
