package signin

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/ratelimit"
	"github.com/truxeio/caddy-truxe/internal/signin/secondfactor"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// ceiling is the hard limit of wrong passwords in a row (NIST SP 800-63B-4 3.2.2, LK-01). Beyond it only a browser
// that the user has signed in from before may still try, so that a stranger cannot lock a user out for good.
const ceiling = 100

// attempts reserves attempts before they are checked, and records those that fail (R7).
type attempts struct {
	changes *change.Changes
	guard   *ratelimit.Guard
	metrics Metrics
}

// personKey is the key under which a user's attempts are counted, on every pathway (LK-03).
func personKey(id identity.ID) string { return "user:" + id.String() }

// attempt counts on the device's counter when the device is known, else on the counters of the person and the address.
func attempt(person string, address netip.Addr, device *store.Device) ratelimit.Attempt {
	at := ratelimit.Attempt{Person: person, Address: address}
	if device != nil {
		at.Device = device.ID.String()
	}
	return at
}

// begin reserves an attempt. One that is refused is recorded, with user as its subject.
func (t *attempts) begin(ctx context.Context, by change.By, user store.UserRecord,
	at ratelimit.Attempt) (*ratelimit.Try, error) {
	try, err := t.guard.Begin(ctx, at)
	if err != nil {
		t.recordLimited(by, user, err)
	}
	return try, err
}

func (t *attempts) succeed(ctx context.Context, try *ratelimit.Try) {
	if err := try.Succeed(context.WithoutCancel(ctx)); err != nil {
		t.changes.Logger.Warn("could not clear the counters of failed sign-ins", "error", err)
	}
}

// recordLimited records a refused attempt. The first is a row of the audit log and those of the next minute are
// counted, separately for each user whose own limit is reached: a stranger must not fill the log (R14).
func (t *attempts) recordLimited(by change.By, user store.UserRecord, err error) {
	if identity.CodeOf(err) != identity.CodeRateLimited {
		return
	}
	limits := ratelimit.LimitsOf(err)
	for _, limit := range limits {
		t.metrics.RateLimited(limit)
	}
	var who audit.Subject
	if slices.Contains(limits, ratelimit.NameLogin) {
		who = audit.Subject{ID: idText(user.ID), Name: user.Username}
	}
	t.changes.Audit.Deny(audit.Denial{Event: audit.AuthnLoginLock, User: who.ID, Reason: string(identity.CodeRateLimited)},
		func() audit.Event {
			e := by.Event(audit.AuthnLoginLock, "refused")
			e.Subject, e.Reason = who, string(identity.CodeRateLimited)
			return e
		})
}

// failedPassword records a failed password, and returns the error for the client.
func (t *attempts) failedPassword(ctx context.Context, by change.By, user store.UserRecord, passwordOK,
	locked bool) error {
	e := by.Event(audit.AuthnLoginFail, "failure")
	e.Subject = audit.Subject{ID: idText(user.ID), Name: user.Username}
	switch {
	case user.ID.IsZero():
		e.Reason = "unknown_user" // the name is not logged: users type passwords there (AU-03)
	case locked:
		e.Event, e.Reason = audit.AuthnLoginLock, "locked"
	case !passwordOK:
		e.Reason = "wrong_password"
	default:
		e.Reason = "user_disabled"
	}
	err := t.changes.Run(ctx, func(tx *change.Tx) error {
		failures, err := tx.AddFailure(ctx, user.ID)
		if errors.Is(err, store.ErrNotFound) {
			err = nil
		}
		tx.Record(atCeiling(e, failures))
		return err
	})
	if err != nil {
		return err
	}
	return errCredentials
}

// failedCode records a failed code and counts it. Used codes are not guesses, so they do not count towards the ceiling.
func (t *attempts) failedCode(ctx context.Context, by change.By, user identity.User, method string, cause error,
	locked bool, details map[string]string) error {
	e := by.UserEvent(audit.AuthnMFAFail, user)
	e.Outcome, e.Reason = "failure", "wrong_code"
	switch {
	case locked:
		e.Event, e.Reason = audit.AuthnLoginLock, "locked"
	case errors.Is(cause, secondfactor.ErrUsed):
		e.Reason = "used_code"
	}
	e.Details = map[string]string{"method": method}
	for k, v := range details {
		e.Details[k] = v
	}
	return t.changes.Run(ctx, func(tx *change.Tx) error {
		if errors.Is(cause, secondfactor.ErrUsed) {
			tx.Record(e)
			return nil
		}
		failures, err := tx.AddFactorFailure(ctx, user.ID)
		if errors.Is(err, store.ErrNotFound) { // deleted meanwhile
			err = nil
		}
		tx.Record(atCeiling(e, failures))
		return err
	})
}

// atCeiling marks the failure after which only known browsers may try.
func atCeiling(e audit.Event, failures int) audit.Event {
	if failures == ceiling {
		if e.Details == nil {
			e.Details = map[string]string{}
		}
		e.Details[change.CeilingReached] = "yes"
	}
	return e
}

func idText(id identity.ID) string {
	if id.IsZero() {
		return ""
	}
	return id.String()
}
