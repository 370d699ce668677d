package signin

import (
	"context"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// Elsewhere reports that the user's only factors are passkeys of other hosts, with no recovery code left.
const Elsewhere = "elsewhere"

// Methods returns the methods with which the caller can meet ask on this host, best first; or what is missing
// (MethodTOTP for any second factor, MethodPasskey, Elsewhere). A recovery code is for users who have a second factor
// but none that works here: it signed them in, too, and is as strong (MF-13).
func (c *Confirmations) Methods(ctx context.Context, by change.By, ask identity.Assurance,
	host string) (methods []string, missing string, err error) {
	user, _, err := c.changes.Caller(ctx, by.Principal)
	if err != nil {
		return nil, "", err
	}
	f, err := c.changes.Store.Factors(ctx, user.ID, host, c.changes.Now())
	if err != nil {
		return nil, "", store.Unavailable(err)
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

// recoveryConfirms reports whether a recovery code may confirm: only where no other second factor can. Each code is for
// one emergency.
func recoveryConfirms(f store.Factors) bool {
	return f.Any() && f.PasskeysHere == 0 && f.TOTP.IsZero() && f.RecoveryLeft > 0
}
