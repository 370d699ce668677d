package signin

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/signin/secondfactor"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// PasskeyTry is a sign-in with a passkey alone.
type PasskeyTry struct {
	Answer   json.RawMessage
	Bound    string
	Device   string
	Remember bool
	Kind     string
	Address  netip.Addr
	By       change.By
}

// WithPasskey starts a session: a passkey that verified its user is both steps. Refusals are
// CodeInvalidCredentials, alike for unknown, disabled and wrong.
func (s *SignIns) WithPasskey(ctx context.Context, in PasskeyTry) (SignedIn, error) {
	in.By.Principal = nil
	var out SignedIn
	err := s.passkeys.try(ctx, passkeyTry{want: challenge{For: PasskeySignIn, Host: in.By.Host, Bound: bound(in.Bound)},
		answer: in.Answer, device: in.Device, address: in.Address, by: in.By, event: audit.AuthnLoginFail},
		func(p store.Passkey, factor secondfactor.Verified) (err error) {
			out, err = s.openWithPasskey(ctx, in, p, factor)
			return err
		})
	code := identity.CodeOf(err)
	switch {
	case err == nil:
		s.metrics.Login(identity.MethodPasskey, "success")
		return out, nil
	case code == identity.CodeInvalidCode:
		s.metrics.Login(identity.MethodPasskey, "failure")
		return SignedIn{}, identity.Refuse(identity.CodeInvalidCredentials,
			"This passkey was not accepted. Try again, or sign in with your password.").Because(err)
	}
	s.metrics.Login(identity.MethodPasskey, string(code))
	return SignedIn{}, err
}

var errGone = errors.New("its owner cannot sign in")

func (s *SignIns) openWithPasskey(ctx context.Context, in PasskeyTry, p store.Passkey,
	factor secondfactor.Verified) (SignedIn, error) {
	was, err := s.changes.Store.UserByID(ctx, p.UserID)
	if errors.Is(err, store.ErrNotFound) {
		return SignedIn{}, badPasskey(errGone)
	}
	if err != nil {
		return SignedIn{}, store.Unavailable(err)
	}
	device, err := s.devices.known(ctx, in.Device, was.ID)
	if err != nil {
		return SignedIn{}, err
	}
	var out SignedIn
	err = s.changes.Run(ctx, func(tx *change.Tx) error {
		user, err := lockAndReload(ctx, tx, was)
		if errors.Is(err, store.ErrNotFound) {
			return badPasskey(errGone)
		}
		if err != nil {
			return err
		}
		if err := factor.Use(ctx, tx); err != nil {
			return err
		}
		// The wrong passwords and codes of strangers stay counted: a user who always signs in with a passkey would
		// otherwise give them new attempts all the time.
		out, err = s.opener.open(ctx, tx, completedSignIn{user: user.User, kind: in.Kind, remember: in.Remember,
			method: factor.Method, by: in.By,
			proof: secondfactor.Proven(identity.Proof{}, s.changes.Now(), factor.AMR...), device: device, cookie: in.Device})
		return err
	})
	if err != nil {
		return SignedIn{}, err
	}
	return out, nil
}
