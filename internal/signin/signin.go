package signin

import (
	"context"
	"errors"
	"net/netip"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/signin/sessions"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// SignIns signs users in with the first step of a sign-in, a password or a passkey.
type SignIns struct {
	changes   *change.Changes
	metrics   Metrics
	attempts  *attempts
	devices   *Devices
	opener    *opener
	passkeys  *passkeys
	passwords *Passwords
	factors   *Factors
	halves    *HalfSignIns
}

// PasswordTry is one try with a password.
type PasswordTry struct {
	Login    string // user name or e-mail address, any spelling
	Password string
	Address  netip.Addr // zero when the server could not tell
	Device   string     // value of the device cookie, "" without
	Flow     string     // value of the flow cookie, to which a half sign-in of a browser is bound
	Remember bool
	Kind     string // session.Browser or session.API
	By       change.By
}

// SignedIn is a fresh session.
type SignedIn struct {
	sessions.Opened
	Device string // value of the device cookie

	// Half, when not nil: the password was right and a second step is due. There is no session yet, and all fields above
	// but User are empty (R6). MFAToken names it in the API; a browser is known by its flow cookie.
	Half     *Half
	MFAToken string
	// RecoveryUsed: a recovery code was the second step; RecoveryLeft remain.
	RecoveryUsed bool
	RecoveryLeft int
	// Codes are new recovery codes, to be shown once: a factor was set up and there were none.
	Codes []string
}

var errCredentials = identity.Refuse(identity.CodeInvalidCredentials, "Check your username and password.")

// WithPassword checks a password and starts a session. Unknown, wrong, disabled and locked are one answer that takes
// one time (PW-16): each of them hashes once, writes one counter and one audit line.
func (s *SignIns) WithPassword(ctx context.Context, in PasswordTry) (SignedIn, error) {
	out, err := s.withPassword(ctx, in)
	switch code := identity.CodeOf(err); {
	case err == nil && out.Half != nil:
		s.metrics.Login(identity.MethodPassword, string(identity.CodeMFARequired))
	case err == nil:
		s.metrics.Login(identity.MethodPassword, "success")
	case code == identity.CodeInvalidCredentials:
		s.metrics.Login(identity.MethodPassword, "failure")
	default:
		s.metrics.Login(identity.MethodPassword, string(code))
	}
	return out, err
}

func (s *SignIns) withPassword(ctx context.Context, in PasswordTry) (SignedIn, error) {
	if err := s.passwords.hasher.Full(); err != nil { // a flood must not cost reads of the database either (R8)
		return SignedIn{}, err
	}
	who, known, err := s.candidate(ctx, in)
	if err != nil {
		return SignedIn{}, err
	}
	device, err := s.devices.known(ctx, in.Device, who.user.ID)
	if err != nil {
		return SignedIn{}, err
	}
	try, err := s.attempts.begin(ctx, in.By, who.user, attempt(who.key, in.Address, device))
	if err != nil {
		return SignedIn{}, err
	}
	ok, stale, err := s.passwords.check(ctx, who.user.ID, who.user.PasswordHash, in.Password)
	if err != nil {
		_ = try.Abandon(context.WithoutCancel(ctx))
		return SignedIn{}, err
	}
	locked := who.user.Failures >= ceiling && device == nil
	if !ok || !known || who.user.Disabled || locked {
		return SignedIn{}, try.Refuse(s.attempts.failedPassword(ctx, in.By, who.user, ok, locked))
	}
	if stale {
		s.passwords.rehash(ctx, who.user, in.Password)
	}
	out, err := s.afterPassword(ctx, in, who.user, device)
	if err != nil || out.Half != nil {
		// The second step is due: no failure was made, and the counters are not cleared before it is done (LK-13, MF-05).
		_ = try.Abandon(context.WithoutCancel(ctx))
		return out, err
	}
	s.attempts.succeed(ctx, try)
	return out, nil
}

// afterPassword starts the session, or stores that its first step is done when a second is due. Both are decided with
// the user's row locked, so that no sign-in slips past a factor that is being set up (MF-08).
func (s *SignIns) afterPassword(ctx context.Context, in PasswordTry, was store.UserRecord,
	device *store.Device) (SignedIn, error) {
	var out SignedIn
	err := s.changes.Run(ctx, func(tx *change.Tx) error {
		user, err := lockAndReload(ctx, tx, was)
		if errors.Is(err, store.ErrNotFound) {
			return errCredentials
		}
		if err != nil {
			return err
		}
		now := s.changes.Now()
		f, err := tx.Factors(ctx, user.ID, in.By.Host, now)
		if err != nil {
			return err
		}
		trusted, err := s.devices.trusted(ctx, tx, device)
		if err != nil {
			return err
		}
		if f.Any() && !trusted || !f.Any() && s.factors.mustHave(user.User, f) {
			out, err = s.halves.begin(ctx, tx, in, user.User, f, device)
			return err
		}
		if err := tx.ClearFailures(ctx, user.ID); err != nil {
			return err
		}
		out, err = s.opener.open(ctx, tx, completedSignIn{user: user.User, kind: in.Kind, remember: in.Remember,
			method: identity.MethodPassword, by: in.By,
			proof:  identity.Proof{AuthTime: now, AMR: []string{identity.AMRPassword}, ACR: identity.ACRPassword},
			device: device, cookie: in.Device})
		return err
	})
	if err != nil {
		return SignedIn{}, err
	}
	return out, nil
}

// candidate is the user of a login name, or the name itself when no user has it.
type candidate struct {
	key  string // all spellings of one user share it (LK-02)
	user store.UserRecord
}

func (s *SignIns) candidate(ctx context.Context, in PasswordTry) (candidate, bool, error) {
	folded, err := credential.FoldUsername(in.Login)
	if err != nil {
		return candidate{key: "name:invalid"}, false, nil //nolint:nilerr // an unknown user
	}
	user, err := s.changes.Store.UserByLogin(ctx, folded)
	switch {
	case err == nil:
		return candidate{key: personKey(user.ID), user: user}, true, nil
	case errors.Is(err, store.ErrNotFound):
		return candidate{key: "name:" + folded}, false, nil
	}
	return candidate{}, false, store.Unavailable(err)
}
