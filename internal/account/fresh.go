package account

import (
	"context"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// FreshFor is how recently a factor must have been proven to change factors or end sessions (MF-13, SE-14).
const FreshFor = 5 * time.Minute

// CheckFresh asks for a sign-in or confirmation within FreshFor with a factor at least as strong as the caller's best
// one: a second factor where there is one (MF-13). Otherwise CodeStepUpRequired with Ask.
func (a *Accounts) CheckFresh(ctx context.Context, p *identity.Principal) error {
	if p == nil {
		return &identity.Error{Code: identity.CodeLoginRequired, Detail: "Sign in first."}
	}
	user, ok := identity.ParseID(p.UserID)
	if !ok || p.SessionID == "" {
		return errForeign
	}
	f, err := a.Factors(ctx, user, "")
	if err != nil {
		return err
	}
	ask := identity.Assurance{MFA: f.Any(), MaxAge: FreshFor}
	if ask.Unmet(p, a.Now()) == "" {
		return nil
	}
	return &identity.Error{Code: identity.CodeStepUpRequired, Detail: "Confirm it's you first.", Ask: ask}
}

// Elsewhere is missing to somebody whose only factors are passkeys of other hosts, with no recovery code left.
const Elsewhere = "elsewhere"

// ConfirmMethods gives the methods with which the caller can meet ask on this host, best first; or what is missing
// (MethodTOTP for any second factor, MethodPasskey, Elsewhere). A recovery code is the way of those who have a second
// factor but none that works here: it signed them in, too, and is as strong (MF-13).
func (a *Accounts) ConfirmMethods(ctx context.Context, by By, ask identity.Assurance, host string) (methods []string, missing string, err error) {
	user, _, err := a.self(ctx, by.Principal)
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
