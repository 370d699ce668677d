package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// UserDetails is a user with their second factors as the command line shows them.
type UserDetails struct {
	UserRow
	MFA             []string `json:"mfa"`
	Passkeys        []string `json:"passkeys"` // name and host
	RecoveryCodes   int      `json:"recovery_codes"`
	TrustedBrowsers int      `json:"trusted_browsers"`
	WrongCodes      int      `json:"wrong_codes"`     // in a row
	Clock           string   `json:"clock,omitempty"` // what the last code told of the phone's clock
}

func adminUsersShow(ctx context.Context, g *Gateway, raw json.RawMessage) (any, error) {
	u, err := userArgument(ctx, g, raw)
	if err != nil {
		return nil, err
	}
	f, err := g.signin.Factors.Of(ctx, u.ID, "")
	if err != nil {
		return nil, err
	}
	out := UserDetails{UserRow: userRow(u), MFA: []string{}, Passkeys: []string{}, RecoveryCodes: f.RecoveryLeft, TrustedBrowsers: f.TrustedDevices, WrongCodes: f.Failures}
	if !f.TOTP.IsZero() {
		out.MFA = append(out.MFA, identity.MethodTOTP)
		if out.Clock, err = g.clockOf(ctx, u.ID); err != nil {
			return nil, err
		}
	}
	passkeys, err := g.signin.Factors.Passkeys(ctx, u.ID)
	if err != nil {
		return nil, err
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

// clockOf says what the last accepted code told of the phone's clock: which step it was of, against when it was used.
func (g *Gateway) clockOf(ctx context.Context, user identity.ID) (string, error) {
	s, err := g.engine.store.TOTP(ctx, user, false, g.now())
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

func adminUsersResetMFA(ctx context.Context, g *Gateway, raw json.RawMessage) (any, error) {
	u, err := userArgument(ctx, g, raw)
	if err != nil {
		return nil, err
	}
	if err := g.signin.Factors.Reset(ctx, byCommandLine, u.ID); err != nil {
		return nil, err
	}
	return said{Message: u.Username + " has no second factor any more; sessions and tokens have ended", ID: u.ID.String()}, nil
}
