package signin

import (
	"context"
	"slices"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/signin/secondfactor"
	"github.com/truxeio/caddy-truxe/internal/signin/sessions"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// Factors changes the second factors of users.
type Factors struct {
	changes   *change.Changes
	mfa       MFARule
	passwords credential.Policy
	passkeys  *passkeys
	totp      *secondfactor.Authenticators
	recovery  *secondfactor.RecoveryCodes
	sessions  *sessions.Sessions
}

// Of returns the factors that a user has beside the password, as seen from a host.
func (fs *Factors) Of(ctx context.Context, user identity.ID, host string) (store.Factors, error) {
	f, err := fs.changes.Store.Factors(ctx, user, host, fs.changes.Now())
	return f, store.Unavailable(err)
}

// MFARule says who must have a second factor (`mfa required [for role <role...>]`). The zero value: no user.
type MFARule struct {
	Required bool
	Roles    []string // empty with Required: all users
}

// For reports whether a user must have a second factor.
func (m MFARule) For(u identity.User) bool {
	return m.Required && (len(m.Roles) == 0 || slices.ContainsFunc(m.Roles, u.HasRole))
}

// Required reports whether the configuration requires a second factor of a user.
func (fs *Factors) Required(u identity.User) bool { return fs.mfa.For(u) }

// mustHave reports whether a user must have a second factor: by the rule, or because the password was chosen beside one
// and is too short to be the only factor (PW-01), as after a reset of the factors.
func (fs *Factors) mustHave(u identity.User, f store.Factors) bool {
	return fs.mfa.For(u) || f.ShortPassword
}

// secondSteps returns the methods that complete a sign-in, best first: the user's own choice, then by strength.
// Passkeys count on the host they were created for only.
func secondSteps(f store.Factors) []string {
	var list []string
	if f.PasskeysHere > 0 {
		list = append(list, identity.MethodPasskey)
	}
	if !f.TOTP.IsZero() {
		list = append(list, identity.MethodTOTP)
	}
	if f.RecoveryLeft > 0 {
		list = append(list, identity.MethodRecovery)
	}
	return preferred(list, f.Preferred)
}

// preferred puts one method first, if it is there.
func preferred(list []string, method string) []string {
	if i := slices.Index(list, method); i > 0 {
		list = slices.Insert(slices.Delete(list, i, i+1), 0, method)
	}
	return list
}

// enrolable returns the factors that can be set up on a host.
func (fs *Factors) enrolable(host string) []string {
	list := []string{identity.MethodTOTP}
	if _, err := fs.passkeys.relyingParty(host); err == nil {
		list = append(list, identity.MethodPasskey)
	}
	return list
}

// SetPreferred sets the method that is asked for first; "" is the best one.
func (fs *Factors) SetPreferred(ctx context.Context, by change.By, method string) error {
	if method != "" && method != identity.MethodTOTP && method != identity.MethodPasskey {
		return identity.Invalid("There is no such way to sign in.")
	}
	user, _, err := fs.changes.Caller(ctx, by.Principal)
	if err != nil {
		return err
	}
	return fs.changes.Run(ctx, func(tx *change.Tx) error {
		e := by.UserEvent(audit.AuthnMFAChanged, user.User)
		e.Details = map[string]string{"preferred": method}
		tx.Record(e)
		return tx.SetPreferredFactor(ctx, user.ID, method)
	})
}
