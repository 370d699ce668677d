package console

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// UserDetails is a user with their second factors.
type UserDetails struct {
	UserRow
	MFA             []string `json:"mfa"`
	Passkeys        []string `json:"passkeys"` // name and host
	RecoveryCodes   int      `json:"recovery_codes"`
	TrustedBrowsers int      `json:"trusted_browsers"`
	WrongCodes      int      `json:"wrong_codes"`     // in a row
	Clock           string   `json:"clock,omitempty"` // of the phone, by the last accepted code
}

// ShowUser returns one user.
func (c *Console) ShowUser(ctx context.Context, in UserArg) (UserDetails, error) {
	u, err := findUser(ctx, c.Store, in.User)
	if err != nil {
		return UserDetails{}, err
	}
	f, err := c.SignIn.Factors.Of(ctx, u.ID, "")
	if err != nil {
		return UserDetails{}, err
	}
	out := UserDetails{UserRow: userRow(u), MFA: []string{}, Passkeys: []string{}, RecoveryCodes: f.RecoveryLeft,
		TrustedBrowsers: f.TrustedDevices, WrongCodes: f.Failures}
	if !f.TOTP.IsZero() {
		out.MFA = append(out.MFA, identity.MethodTOTP)
		if out.Clock, err = c.phoneClock(ctx, u.ID); err != nil {
			return UserDetails{}, err
		}
	}
	passkeys, err := c.SignIn.Factors.Passkeys(ctx, u.ID)
	if err != nil {
		return UserDetails{}, err
	}
	if len(passkeys) > 0 {
		out.MFA = append(out.MFA, identity.MethodPasskey)
	}
	for _, p := range passkeys {
		text := p.Name + " on " + p.Host
		if p.Suspect {
			text += " (may have been copied)"
		}
		out.Passkeys = append(out.Passkeys, text)
	}
	return out, nil
}

// phoneClock says how far off the phone's clock was at the last accepted code: its time step against when it was used.
func (c *Console) phoneClock(ctx context.Context, user identity.ID) (string, error) {
	s, err := c.Store.TOTP(ctx, user, false, c.Now())
	if errors.Is(err, store.ErrNotFound) || err == nil && (s.Step < 0 || s.LastUsed.IsZero()) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	const step = 30 * time.Second
	drift := time.Duration(s.Step-s.LastUsed.Unix()/int64(step/time.Second)) * step
	switch {
	case drift < 0:
		return fmt.Sprintf("phone's clock about %d s slow", int(-drift/time.Second)), nil
	case drift > 0:
		return fmt.Sprintf("phone's clock about %d s fast", int(drift/time.Second)), nil
	}
	return "phone's clock is right", nil
}

// ResetMFA removes all second factors of a user, and ends sessions and tokens.
func (c *Console) ResetMFA(ctx context.Context, by change.By, in UserArg) (Message, error) {
	u, err := findUser(ctx, c.Store, in.User)
	if err != nil {
		return Message{}, err
	}
	if err := c.SignIn.Factors.Reset(ctx, by, u.ID); err != nil {
		return Message{}, err
	}
	return Message{Message: u.Username + " has no second factor any more; sessions and tokens have ended",
		ID: u.ID.String()}, nil
}
