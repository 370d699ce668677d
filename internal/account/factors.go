package account

import (
	"context"
	"slices"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// MFARule says who must have a second factor (`mfa required [for role <role...>]`). The zero value: nobody.
type MFARule struct {
	Required bool
	Roles    []string // empty with Required: everybody
}

// For tells whether a person must have a second factor.
func (m MFARule) For(u identity.User) bool {
	return m.Required && (len(m.Roles) == 0 || slices.ContainsFunc(m.Roles, u.HasRole))
}

// Factors is what a person has beside the password, as seen from a host.
func (a *Accounts) Factors(ctx context.Context, user identity.ID, host string) (store.Factors, error) {
	f, err := a.Store.Factors(ctx, user, host, a.Now())
	return f, store.Unavailable(err)
}

// mustHave tells whether a person must have a second factor: by the rule, or because the password was chosen beside one
// and is too short to stand alone (PW-01), as after a reset of the factors.
func (a *Accounts) mustHave(u identity.User, f store.Factors) bool {
	return a.MFA.For(u) || f.ShortPassword
}

// secondSteps are the methods that complete a sign-in, best first: the person's own choice, then by strength. Passkeys
// count on the host they were made for only.
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

// enrolable are the factors that can be set up on a host.
func (a *Accounts) enrolable(host string) []string {
	list := []string{identity.MethodTOTP}
	if _, err := a.relyingParty(host); err == nil {
		list = append(list, identity.MethodPasskey)
	}
	return list
}

// relyingParty is whom passkeys of a host are made for.
func (a *Accounts) relyingParty(host string) (credential.RelyingParty, error) {
	var origins []string
	if a.Origins != nil {
		origins = a.Origins(host)
	}
	if !credential.PasskeysPossible(host) {
		return credential.RelyingParty{}, &identity.Error{Code: identity.CodeInvalidRequest, Detail: "Passkeys need a host name: open this site by its name, not by an address."}
	}
	if len(origins) == 0 {
		return credential.RelyingParty{}, &identity.Error{Code: identity.CodeInvalidRequest, Detail: "Passkeys cannot be used on this host."}
	}
	return credential.RelyingParty{Host: host, Origins: origins, Name: a.Brand}, nil
}

// SetPreferred keeps the method that is asked for first; "" is the best one.
func (a *Accounts) SetPreferred(ctx context.Context, by change.By, method string) error {
	if method != "" && method != identity.MethodTOTP && method != identity.MethodPasskey {
		return &identity.Error{Code: identity.CodeInvalidRequest, Detail: "There is no such way to sign in."}
	}
	user, _, err := a.Caller(ctx, by.Principal)
	if err != nil {
		return err
	}
	return a.Run(ctx, func(tx *change.Tx) error {
		e := by.UserEvent(audit.AuthnMFAChanged, user.User)
		e.Details = map[string]string{"preferred": method}
		tx.Record(e)
		return tx.SetPreferredFactor(ctx, user.ID, method)
	})
}
