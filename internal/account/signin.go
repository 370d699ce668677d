package account

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/ratelimit"
	"github.com/truxeio/caddy-truxe/internal/secret"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// ceiling is the hard limit of wrong passwords in a row (NIST SP 800-63B-4 3.2.2, LK-01). Beyond it only a browser
// that the person has signed in from before may still try, so that a stranger cannot lock anybody out for good.
const ceiling = 100

// DeviceLife is how long a browser is remembered as known.
const DeviceLife = 180 * 24 * time.Hour

// SignIn is one try with a password.
type SignIn struct {
	Login    string // user name or e-mail address, any spelling
	Password string
	Address  netip.Addr // zero when the server could not tell
	Device   string     // value of the device cookie, "" without
	Flow     string     // value of the flow cookie, to which a half sign-in of a browser is bound
	Remember bool
	Kind     string // "browser" or "api"
	By       change.By
}

// SignedIn is a fresh session.
type SignedIn struct {
	Secret  string // value of the session cookie
	Device  string // value of the device cookie
	Session store.Session
	User    identity.User

	// Half, when not nil: the password was right and a second step is due. There is no session yet, and all fields above
	// but User are empty (R6). MFAToken names it in the API; a browser is known by its flow cookie.
	Half     *Half
	MFAToken string
	// RecoveryUsed: a recovery code was the second step; RecoveryLeft remain.
	RecoveryUsed bool
	RecoveryLeft int
	// Codes are new recovery codes, to be shown once: made because a factor was set up and there were none.
	Codes []string
}

var errCredentials = &identity.Error{Code: identity.CodeInvalidCredentials, Detail: "Check your username and password."}

// SignIn checks a password and starts a session. Unknown, wrong, disabled and locked are one answer that takes one
// time (PW-16): each of them hashes once, writes one counter and one audit line.
func (a *Accounts) SignIn(ctx context.Context, in SignIn) (SignedIn, error) {
	out, err := a.signIn(ctx, in)
	switch code := identity.CodeOf(err); {
	case err == nil && out.Half != nil:
		a.Metrics.Login(identity.MethodPassword, string(identity.CodeMFARequired))
	case err == nil:
		a.Metrics.Login(identity.MethodPassword, "success")
	case code == identity.CodeInvalidCredentials:
		a.Metrics.Login(identity.MethodPassword, "failure")
	default:
		a.Metrics.Login(identity.MethodPassword, string(code))
	}
	return out, err
}

func (a *Accounts) signIn(ctx context.Context, in SignIn) (SignedIn, error) {
	if err := a.Hasher.Full(); err != nil { // a flood must not cost reads of the database either (R8)
		return SignedIn{}, err
	}
	who, known, err := a.person(ctx, in)
	if err != nil {
		return SignedIn{}, err
	}
	device, err := a.knownDevice(ctx, in.Device, who.user.ID)
	if err != nil {
		return SignedIn{}, err
	}
	attempt := ratelimit.Attempt{Person: who.key, Address: in.Address}
	if device != nil {
		attempt.Device = device.ID.String()
	}
	try, err := a.Guard.Begin(ctx, attempt)
	if err != nil {
		a.noteLimited(in.By, who.user, err)
		return SignedIn{}, err
	}
	ok, stale, err := a.checkPassword(ctx, who.user.ID, who.user.PasswordHash, in.Password)
	if err != nil {
		_ = try.Abandon(context.WithoutCancel(ctx))
		return SignedIn{}, err
	}
	locked := who.user.Failures >= ceiling && device == nil
	if !ok || !known || who.user.Disabled || locked {
		return SignedIn{}, try.Refuse(a.failed(ctx, in.By, who.user, ok, locked))
	}
	if stale {
		a.rehash(ctx, who.user, in.Password)
	}
	out, err := a.afterPassword(ctx, in, who.user, device)
	if err != nil || out.Half != nil {
		// With a second step to come nothing was wrong, and nothing is forgotten before that (LK-13, MF-05).
		_ = try.Abandon(context.WithoutCancel(ctx))
		return out, err
	}
	a.succeed(ctx, try)
	return out, nil
}

func (a *Accounts) succeed(ctx context.Context, try *ratelimit.Try) {
	if err := try.Succeed(context.WithoutCancel(ctx)); err != nil {
		a.Logger.Warn("could not clear the counters of failed sign-ins", "error", err)
	}
}

// afterPassword starts the session, or keeps that its first step is done when a second is due. Both are decided with the
// person's row held, so that no sign-in slips past a factor that is being set up (MF-08).
func (a *Accounts) afterPassword(ctx context.Context, in SignIn, was store.UserRecord, device *store.Device) (SignedIn, error) {
	var out SignedIn
	err := a.Run(ctx, func(tx *change.Tx) error {
		user, err := a.hold(ctx, tx, was)
		if errors.Is(err, store.ErrNotFound) {
			return errCredentials
		}
		if err != nil {
			return err
		}
		now := a.Now()
		f, err := tx.Factors(ctx, user.ID, in.By.Host, now)
		if err != nil {
			return err
		}
		trusted, err := a.trusted(ctx, tx, device)
		if err != nil {
			return err
		}
		if f.Any() && !trusted || !f.Any() && a.mustHave(user.User, f) {
			out, err = a.beginHalf(ctx, tx, in, user.User, f, device)
			return err
		}
		if err := tx.ClearFailures(ctx, user.ID); err != nil {
			return err
		}
		out, err = a.open(ctx, tx, opening{user: user.User, kind: in.Kind, remember: in.Remember, method: identity.MethodPassword, by: in.By,
			proof:  store.Proof{AuthTime: now, AMR: []string{identity.AMRPassword}, ACR: identity.ACRPassword},
			device: device, cookie: in.Device})
		return err
	})
	if err != nil {
		return SignedIn{}, err
	}
	return out, nil
}

// trusted tells whether a known browser is not asked for a second factor, as it stands now (MF-22).
func (a *Accounts) trusted(ctx context.Context, tx *change.Tx, device *store.Device) (bool, error) {
	if device == nil {
		return false, nil
	}
	now := a.Now()
	d, err := tx.DeviceByHash(ctx, device.Hash, now)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && d.UserID == device.UserID && now.Before(d.Trusted), err
}

// person is who a login name stands for, or the name itself when nobody has it.
type person struct {
	key  string // all spellings of one person share it (LK-02)
	user store.UserRecord
}

// personKey is what a person's tries are counted under, on every pathway (LK-03).
func personKey(id identity.ID) string { return "user:" + id.String() }

func (a *Accounts) person(ctx context.Context, in SignIn) (person, bool, error) {
	folded, err := credential.FoldUsername(in.Login)
	if err != nil {
		return person{key: "name:invalid"}, false, nil
	}
	user, err := a.Store.UserByLogin(ctx, folded)
	switch {
	case err == nil:
		return person{key: personKey(user.ID), user: user}, true, nil
	case errors.Is(err, store.ErrNotFound):
		return person{key: "name:" + folded}, false, nil
	}
	return person{}, false, store.Unavailable(err)
}

// knownDevice finds the record behind a device cookie when it belongs to this person (LK-05).
func (a *Accounts) knownDevice(ctx context.Context, value string, user identity.ID) (*store.Device, error) {
	hash, ok := secret.ParseSessionSecret(value)
	if !ok || user.IsZero() {
		return nil, nil
	}
	d, err := a.Store.DeviceByHash(ctx, hash, a.Now())
	if errors.Is(err, store.ErrNotFound) || err == nil && d.UserID != user {
		return nil, nil
	}
	if err != nil {
		return nil, store.Unavailable(err)
	}
	return &d, nil
}

// checkPassword hashes exactly once, even for unknown users.
func (a *Accounts) checkPassword(ctx context.Context, user identity.ID, stored, password string) (ok, stale bool, err error) {
	normal, err := credential.Normalize(password)
	if err != nil { // too long or not UTF-8: it can be nobody's password, and must take as long as any
		stored, normal = "", "not a password"
	}
	if stored == "" {
		return false, false, a.Hasher.VerifyDummy(ctx, normal)
	}
	ok, stale, err = a.Hasher.Verify(ctx, stored, normal)
	if errors.Is(err, credential.ErrEmpty) {
		a.Logger.Warn("the password hash of a user is that of the empty password, with which nobody can sign in; set another password", "user", user.String())
		return false, false, nil
	}
	return ok, stale, err
}

func (a *Accounts) failed(ctx context.Context, by change.By, user store.UserRecord, passwordOK, locked bool) error {
	e := by.Event(audit.AuthnLoginFail, "failure")
	e.Subject = audit.Subject{ID: idText(user.ID), Name: user.Username}
	switch {
	case user.ID.IsZero():
		e.Reason = "unknown_user" // the name is not logged: people type passwords there (AU-03)
	case locked:
		e.Event, e.Reason = audit.AuthnLoginLock, "locked"
	case !passwordOK:
		e.Reason = "wrong_password"
	default:
		e.Reason = "user_disabled"
	}
	err := a.Run(ctx, func(tx *change.Tx) error {
		failures, err := tx.AddFailure(ctx, user.ID)
		if errors.Is(err, store.ErrNotFound) {
			err = nil
		}
		tx.Record(reachingCeiling(e, failures))
		return err
	})
	if err != nil {
		return err
	}
	return errCredentials
}

// noteLimited records a refused try. The first is a row of the audit log and those of the next minute are counted, apart for
// each person whose own limit is reached: a stranger must not fill the log (R14).
func (a *Accounts) noteLimited(by change.By, user store.UserRecord, err error) {
	if identity.CodeOf(err) != identity.CodeRateLimited {
		return
	}
	limits := ratelimit.LimitsOf(err)
	for _, limit := range limits {
		a.Metrics.RateLimited(limit)
	}
	var who audit.Subject
	if slices.Contains(limits, ratelimit.NameLogin) {
		who = audit.Subject{ID: idText(user.ID), Name: user.Username}
	}
	a.Audit.Deny(audit.Denial{Event: audit.AuthnLoginLock, User: who.ID, Reason: string(identity.CodeRateLimited)}, func() audit.Event {
		e := by.Event(audit.AuthnLoginLock, "refused")
		e.Subject, e.Reason = who, string(identity.CodeRateLimited)
		return e
	})
}

// rehash renews an outdated hash in one compare-and-swap (PW-13). Failing to do so does not fail the sign-in.
func (a *Accounts) rehash(ctx context.Context, user store.UserRecord, password string) {
	normal, err := credential.Normalize(password)
	if err == nil {
		var fresh string
		if fresh, err = a.Hasher.Hash(ctx, normal); err == nil {
			_, err = a.Store.RehashPassword(ctx, user.ID, user.PasswordHash, fresh)
		}
	}
	if err != nil {
		a.Logger.Warn("could not renew a password hash", "user", user.ID.String(), "error", err)
	}
}

// reachingCeiling marks the failure after which only known browsers may try.
func reachingCeiling(e audit.Event, failures int) audit.Event {
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
