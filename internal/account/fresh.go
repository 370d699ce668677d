package account

import (
	"context"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// Elsewhere is missing to somebody whose only factors are passkeys of other hosts, with no recovery code left.
const Elsewhere = "elsewhere"

// ConfirmMethods gives the methods with which the caller can meet ask on this host, best first; or what is missing
// (MethodTOTP for any second factor, MethodPasskey, Elsewhere). A recovery code is the way of those who have a second
// factor but none that works here: it signed them in, too, and is as strong (MF-13).
func (a *Accounts) ConfirmMethods(ctx context.Context, by change.By, ask identity.Assurance, host string) (methods []string, missing string, err error) {
	user, _, err := a.Caller(ctx, by.Principal)
	if err != nil {
		return nil, "", err
	}
	f, err := a.Factors(ctx, user.ID, host)
	if err != nil {
		return nil, "", err
	}
	if f.PasskeysHere > 0 {
		methods = append(methods, identity.MethodPasskey)
	} else if ask.Passkey {
		return nil, identity.MethodPasskey, nil
	}
	if ask.Passkey {
		return methods, "", nil
	}
	if !f.TOTP.IsZero() {
		methods = append(methods, identity.MethodTOTP)
	}
	if ask.MFA && len(methods) == 0 {
		switch {
		case recoveryConfirms(f):
			return []string{identity.MethodRecovery}, "", nil
		case f.Any():
			return nil, Elsewhere, nil
		}
		return nil, identity.MethodTOTP, nil
	}
	methods = preferred(methods, f.Preferred)
	if !ask.MFA && user.PasswordHash != "" {
		methods = append(methods, identity.MethodPassword)
	}
	return methods, "", nil
}

// recoveryConfirms tells whether a recovery code may confirm: only where no other second factor can. Each code is there
// for one emergency.
func recoveryConfirms(f store.Factors) bool {
	return f.Any() && f.PasskeysHere == 0 && f.TOTP.IsZero() && f.RecoveryLeft > 0
}
