package signin

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/signin/secondfactor"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// SecondStep completes a half sign-in.
type SecondStep struct {
	Key     HalfKey
	Method  string          // identity.MethodTOTP, MethodRecovery or MethodPasskey
	Code    string          // of TOTP and recovery, as typed
	Passkey json.RawMessage // the browser's answer to BeginPasskey with PasskeySecond (Enrol: PasskeyCreate)
	Bound   string          // what the challenge was bound to, as in PasskeyBegin
	// Enrol: the code or passkey is of the factor that is being set up within this sign-in (R6).
	Enrol   bool
	Name    string // of a passkey that is created
	Trust   bool   // do not ask this browser again for TrustLife
	Device  string // value of the device cookie
	Address netip.Addr
	By      change.By
}

// halfStep is a second step with what is known of its half sign-in.
type halfStep struct {
	SecondStep
	pending store.PendingSignIn
	user    store.UserRecord
	factors store.Factors
	device  *store.Device
}

// Complete takes the second step: of racing calls one wins and starts the session. A wrong or used code is
// CodeInvalidCode, with words that fit the page; too many tries CodeRateLimited; a half sign-in that is gone or has no
// tries left CodeLoginRequired.
func (h *HalfSignIns) Complete(ctx context.Context, in SecondStep) (SignedIn, error) {
	out, err := h.complete(ctx, in)
	method := in.Method
	switch method {
	case identity.MethodTOTP, identity.MethodRecovery, identity.MethodPasskey:
	default:
		method = "other"
	}
	switch code := identity.CodeOf(err); {
	case err == nil:
		h.metrics.Login(method, "success")
	case code == identity.CodeInvalidCode:
		h.metrics.Login(method, "failure")
	default:
		h.metrics.Login(method, string(code))
	}
	return out, err
}

func (h *HalfSignIns) complete(ctx context.Context, in SecondStep) (SignedIn, error) {
	in.By.Principal = nil // a user who was signed in here before has no part in it
	s := halfStep{SecondStep: in}
	var err error
	if s.pending, s.user, s.factors, err = h.read(ctx, in.Key, in.By.Host); err != nil {
		return SignedIn{}, err
	}
	if in.Enrol == s.factors.Any() {
		// An attacker who knows only the password must not add a factor beside those that exist.
		return SignedIn{}, identity.Invalid("This step does not fit this sign-in. Start over.")
	}
	if s.device, err = h.devices.known(ctx, in.Device, s.user.ID); err != nil {
		return SignedIn{}, err
	}
	switch {
	case in.Enrol && in.Method == identity.MethodTOTP:
		return h.enrolTOTP(ctx, s)
	case in.Enrol && in.Method == identity.MethodPasskey:
		return h.enrolPasskey(ctx, s)
	case in.Method == identity.MethodPasskey:
		return h.secondPasskey(ctx, s)
	case !in.Enrol && (in.Method == identity.MethodTOTP || in.Method == identity.MethodRecovery):
		return h.secondCode(ctx, s)
	}
	return SignedIn{}, identity.Invalid("There is no such second step.")
}

// secondCode checks a code. It is counted before it is checked, on the user (whatever number of half sign-ins they
// have, MF-05) and on this half sign-in.
func (h *HalfSignIns) secondCode(ctx context.Context, s halfStep) (SignedIn, error) {
	try, err := h.attempts.begin(ctx, s.By, s.user, attempt(personKey(s.user.ID), s.Address, s.device))
	if err != nil {
		return SignedIn{}, err
	}
	out, err := h.tryCode(ctx, s)
	switch {
	case err == nil:
		h.attempts.succeed(ctx, try) // the whole sign-in is done (LK-13)
	case secondfactor.Refused(err):
		return out, try.Refuse(err)
	default:
		_ = try.Abandon(context.WithoutCancel(ctx))
	}
	return out, err
}

func (h *HalfSignIns) tryCode(ctx context.Context, s halfStep) (SignedIn, error) {
	pending, ok, err := h.changes.Store.TryPending(ctx, s.Key, HalfTries, h.changes.Now())
	if err != nil {
		return SignedIn{}, store.Unavailable(err)
	}
	if !ok {
		return SignedIn{}, errHalf
	}
	s.pending = pending
	var factor secondfactor.Verified
	var details map[string]string
	// Recovery codes have too many bits to be guessed, and are the way out for a user whom a stranger with the password
	// has locked out: the ceiling is that of the app's codes (LK-01, LK-05).
	locked := false
	if s.Method == identity.MethodTOTP {
		locked = s.factors.Failures >= ceiling && s.device == nil
		factor, details, err = h.totp.Check(ctx, s.user.ID, s.Code)
	} else {
		factor, err = h.recovery.Check(s.user.ID, s.Code)
	}
	if err == nil && locked {
		err = secondfactor.ErrWrong
	}
	var out SignedIn
	if err == nil {
		out, err = h.finish(ctx, s, factor)
	}
	if !secondfactor.Refused(err) {
		return out, err
	}
	if noted := h.attempts.failedCode(ctx, s.By, s.user.User, s.Method, err, locked, details); noted != nil {
		return SignedIn{}, noted
	}
	if pending.Tries >= HalfTries {
		if over := h.StartOver(ctx, s.Key); over != nil { // it would take no further code either
			return SignedIn{}, over
		}
	}
	return SignedIn{}, err
}

// finish consumes the factor and the half sign-in, and starts the session, in one transaction.
func (h *HalfSignIns) finish(ctx context.Context, s halfStep, factor secondfactor.Verified) (SignedIn, error) {
	return h.finishWith(ctx, s, factor, func(context.Context, *change.Tx, *halfStep) ([]string, error) {
		return nil,
			nil
	})
}

// finishWith is finish with also in the same transaction, which may return new recovery codes.
func (h *HalfSignIns) finishWith(ctx context.Context, s halfStep, factor secondfactor.Verified,
	also func(context.Context, *change.Tx, *halfStep) ([]string, error)) (SignedIn, error) {
	var out SignedIn
	var codes []string
	err := h.changes.Run(ctx, func(tx *change.Tx) error {
		s := s // the transaction may run again
		user, err := lockAndReload(ctx, tx, s.user)
		if errors.Is(err, store.ErrNotFound) {
			return errHalf
		}
		if err != nil {
			return err
		}
		if won, err := tx.EndPending(ctx, s.Key); err != nil || !won {
			return orHalf(err)
		}
		if s.factors, err = tx.Factors(ctx, user.ID, s.By.Host, h.changes.Now()); err != nil {
			return err
		}
		if err := factor.Use(ctx, tx); err != nil {
			return err
		}
		if codes, err = also(ctx, tx, &s); err != nil {
			return err
		}
		for _, clear := range []func(context.Context, identity.ID) error{tx.ClearFailures, tx.ClearFactorFailures} {
			if err := clear(ctx, user.ID); err != nil {
				return err
			}
		}
		out, err = h.opener.open(ctx, tx, completedSignIn{user: user.User, kind: s.pending.Kind,
			remember: s.pending.Remember, method: factor.Method, by: s.By,
			proof: secondfactor.Proven(identity.Proof{AMR: s.pending.AMR}, h.changes.Now(), factor.AMR...), device: s.device,
			cookie: s.Device,
			trust:  s.Trust})
		if err != nil || factor.Method != identity.MethodRecovery {
			return err
		}
		out.RecoveryUsed, out.RecoveryLeft = true, max(0, s.factors.RecoveryLeft-1)
		e := s.By.UserEvent(audit.RecoveryUsed, user.User)
		e.Actor, e.Session = audit.Actor{ID: user.ID.String(), Name: user.Username}, out.Session.ID.String()
		tx.Record(e)
		return nil
	})
	if err != nil {
		return SignedIn{}, err
	}
	if len(codes) > 0 {
		out.Codes = codes
		h.recovery.Show(ctx, out.Session.ID, codes)
	}
	return out, nil
}

func orHalf(err error) error {
	if err != nil {
		return err
	}
	return errHalf
}

// secondPasskey completes a half sign-in with a passkey of its user.
func (h *HalfSignIns) secondPasskey(ctx context.Context, s halfStep) (SignedIn, error) {
	var out SignedIn
	err := h.passkeys.try(ctx, passkeyTry{want: challenge{For: PasskeySecond, Host: s.By.Host, Bound: bound(s.Bound),
		User: s.user.ID.String(), Half: s.Key[:]},
		answer: s.Passkey, owner: s.user.ID, device: s.Device, address: s.Address, by: s.By, event: audit.AuthnMFAFail},
		func(_ store.Passkey, factor secondfactor.Verified) (err error) {
			out, err = h.finish(ctx, s, factor)
			return err
		})
	return out, err
}
