package signin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/signin/secondfactor"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// enrolTOTP completes a sign-in with the first code of the app that is set up within it (R6). The client has seen the
// key, so there is nothing to guess: the code is counted on the half sign-in only.
func (h *HalfSignIns) enrolTOTP(ctx context.Context, s halfStep) (SignedIn, error) {
	pending, ok, err := h.changes.Store.TryPending(ctx, s.Key, HalfTries, h.changes.Now())
	if err != nil || !ok {
		return SignedIn{}, store.Unavailable(orHalf(err))
	}
	s.pending = pending
	row, step, drift, err := h.totp.CheckSetup(ctx, s.user.ID, secondfactor.OfHalf(s.Key), s.Code)
	if errors.Is(err, secondfactor.ErrWrong) && pending.Tries >= HalfTries {
		if over := h.StartOver(ctx, s.Key); over != nil {
			return SignedIn{}, over
		}
	}
	if errors.Is(err, secondfactor.ErrWrong) && drift != 0 {
		return SignedIn{}, identity.InvalidCode("That code didn't match. " + clockWords(drift)).Because(err)
	}
	if err != nil {
		return SignedIn{}, err
	}
	factor := secondfactor.Verified{Method: identity.MethodTOTP, AMR: []string{identity.AMROTP}}
	return h.enrolled(ctx, s, factor, func(ctx context.Context, tx *change.Tx, s *halfStep) ([]string, error) {
		return h.factors.activateTOTP(ctx, tx, s.By, s.user.User, s.factors, row, step)
	})
}

// enrolPasskey completes a sign-in with a passkey that is created within it.
func (h *HalfSignIns) enrolPasskey(ctx context.Context, s halfStep) (SignedIn, error) {
	p, err := h.passkeys.created(ctx, challenge{For: PasskeyCreate, Host: s.By.Host, Bound: bound(s.Bound),
		User: s.user.ID.String(), Half: s.Key[:]},
		s.user.User, s.Passkey, s.Name, s.By)
	if err != nil {
		return SignedIn{}, err
	}
	factor := secondfactor.Verified{Method: identity.MethodPasskey, AMR: passkeyAMR(p)}
	return h.enrolled(ctx, s, factor, func(ctx context.Context, tx *change.Tx, s *halfStep) ([]string, error) {
		return h.factors.storePasskey(ctx, tx, s.By, s.user.User, s.factors, p)
	})
}

// enrolled activates a factor within a sign-in and starts its session. The transaction checks again that the user has
// no factor: an attacker who knows only the password must not add one beside those that exist.
func (h *HalfSignIns) enrolled(ctx context.Context, s halfStep, factor secondfactor.Verified,
	activate func(context.Context, *change.Tx, *halfStep) ([]string, error)) (SignedIn, error) {
	factor.Use = func(context.Context, *change.Tx) error { return nil }
	// the actor, for the audit log
	s.By.Principal = &identity.Principal{UserID: s.user.ID.String(), Username: s.user.Username}
	return h.finishWith(ctx, s, factor, func(ctx context.Context, tx *change.Tx, s *halfStep) ([]string, error) {
		if s.factors.Any() {
			return nil, errHalf
		}
		codes, err := activate(ctx, tx, s)
		if err != nil {
			return nil, err
		}
		s.device = nil
		return codes, h.factors.endWithFactors(ctx, tx, s.user.ID, identity.ID{})
	})
}

// clockWords says by how much a phone's clock seems to be off.
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

// BeginTOTP is Factors.BeginTOTP for a half sign-in that must enrol (R6).
func (h *HalfSignIns) BeginTOTP(ctx context.Context, key HalfKey, host string) (secondfactor.Setup, error) {
	_, user, f, err := h.read(ctx, key, host)
	if err != nil {
		return secondfactor.Setup{}, err
	}
	if f.Any() { // whoever knows only the password must not see or create a key
		return secondfactor.Setup{}, identity.Invalid("This account has a second factor. Start over.")
	}
	return h.totp.Begin(ctx, user.User, secondfactor.OfHalf(key))
}
