package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// enrolTOTP completes a sign-in with the first code of the app that is set up within it (R6). Nothing secret is guessed
// at, whoever shows the code was shown the key: it is counted to the half sign-in only.
func (a *Accounts) enrolTOTP(ctx context.Context, s halfStep) (SignedIn, error) {
	pending, ok, err := a.Store.TryPending(ctx, s.Key, HalfTries, a.Now())
	if err != nil || !ok {
		return SignedIn{}, store.Unavailable(orHalf(err))
	}
	s.pending = pending
	row, step, drift, err := a.checkSetup(ctx, s.user.ID, ofHalf(s.Key), s.Code)
	if errors.Is(err, errWrongCode) && pending.Tries >= HalfTries {
		if over := a.StartOver(ctx, s.Key); over != nil {
			return SignedIn{}, over
		}
	}
	if errors.Is(err, errWrongCode) && drift != 0 {
		return SignedIn{}, &identity.Error{Code: identity.CodeInvalidCode, Detail: "That code didn't match. " + clockWords(drift), Err: err}
	}
	if err != nil {
		return SignedIn{}, err
	}
	factor := shown{method: identity.MethodTOTP, amr: []string{identity.AMROTP}}
	return a.enrolled(ctx, s, factor, func(ctx context.Context, tx *change.Tx, s *halfStep) ([]string, error) {
		return a.activateTOTP(ctx, tx, s.By, s.user.User, s.factors, row, step)
	})
}

// enrolPasskey completes a sign-in with a passkey that is made within it.
func (a *Accounts) enrolPasskey(ctx context.Context, s halfStep) (SignedIn, error) {
	p, err := a.madePasskey(ctx, challenge{For: PasskeyCreate, Host: s.By.Host, Bound: bound(s.Bound), User: s.user.ID.String(), Half: s.Key[:]},
		s.user.User, s.Passkey, s.Name, s.By)
	if err != nil {
		return SignedIn{}, err
	}
	factor := shown{method: identity.MethodPasskey, amr: passkeyAMR(p)}
	return a.enrolled(ctx, s, factor, func(ctx context.Context, tx *change.Tx, s *halfStep) ([]string, error) {
		return a.storePasskey(ctx, tx, s.By, s.user.User, s.factors, p)
	})
}

// enrolled activates a factor within a sign-in and starts its session. In the transaction it is asked again whether the
// person has none: whoever knows only a password must not add one beside those that are there.
func (a *Accounts) enrolled(ctx context.Context, s halfStep, factor shown, activate func(context.Context, *change.Tx, *halfStep) ([]string, error)) (SignedIn, error) {
	factor.use = func(context.Context, *change.Tx) error { return nil }
	s.By.Principal = &identity.Principal{UserID: s.user.ID.String(), Username: s.user.Username} // who did it, for the audit log
	return a.finishWith(ctx, s, factor, func(ctx context.Context, tx *change.Tx, s *halfStep) ([]string, error) {
		if s.factors.Any() {
			return nil, errHalf
		}
		codes, err := activate(ctx, tx, s)
		if err != nil {
			return nil, err
		}
		s.device = nil
		return codes, a.endWithFactors(ctx, tx, s.user.ID, identity.ID{})
	})
}

// clockWords say by how much a phone's clock seems to be off.
func clockWords(drift time.Duration) string {
	way := "fast"
	if drift < 0 {
		way, drift = "slow", -drift
	}
	about := fmt.Sprintf("%d minutes", int(drift.Round(time.Minute)/time.Minute))
	if drift < 90*time.Second {
		about = "a minute"
	}
	return "Your phone's clock looks about " + about + " " + way + ". Turn on automatic time and try again."
}
