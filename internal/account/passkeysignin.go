package account

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
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

// SignInWithPasskey starts a session: a passkey that verified its user is both steps. Refusals are
// CodeInvalidCredentials, alike for unknown, disabled and wrong.
func (a *Accounts) SignInWithPasskey(ctx context.Context, in PasskeyTry) (SignedIn, error) {
	in.By.Principal = nil
	var out SignedIn
	err := a.tryPasskey(ctx, passkeyTry{want: challenge{For: PasskeySignIn, Host: in.By.Host, Bound: bound(in.Bound)}, answer: in.Answer,
		device: in.Device, address: in.Address, by: in.By, event: audit.AuthnLoginFail}, func(p store.Passkey, factor shown) (err error) {
		out, err = a.openWithPasskey(ctx, in, p, factor)
		return err
	})
	code := identity.CodeOf(err)
	switch {
	case err == nil:
		a.Metrics.Login(identity.MethodPasskey, "success")
		return out, nil
	case code == identity.CodeInvalidCode:
		a.Metrics.Login(identity.MethodPasskey, "failure")
		return SignedIn{}, &identity.Error{Code: identity.CodeInvalidCredentials, Detail: "This passkey was not accepted. Try again, or sign in with your password.", Err: err}
	}
	a.Metrics.Login(identity.MethodPasskey, string(code))
	return SignedIn{}, err
}

var errGone = errors.New("its owner cannot sign in")

func (a *Accounts) openWithPasskey(ctx context.Context, in PasskeyTry, p store.Passkey, factor shown) (SignedIn, error) {
	was, err := a.Store.UserByID(ctx, p.UserID)
	if errors.Is(err, store.ErrNotFound) {
		return SignedIn{}, badPasskey(errGone)
	}
	if err != nil {
		return SignedIn{}, store.Unavailable(err)
	}
	device, err := a.knownDevice(ctx, in.Device, was.ID)
	if err != nil {
		return SignedIn{}, err
	}
	var out SignedIn
	err = a.Run(ctx, func(tx *change.Tx) error {
		user, err := a.hold(ctx, tx, was)
		if errors.Is(err, store.ErrNotFound) {
			return badPasskey(errGone)
		}
		if err != nil {
			return err
		}
		if err := factor.use(ctx, tx); err != nil {
			return err
		}
		// The wrong passwords and codes of strangers stay counted: somebody who always uses a passkey would otherwise
		// give them new tries all the time.
		out, err = a.open(ctx, tx, opening{user: user.User, kind: in.Kind, remember: in.Remember, method: factor.method, by: in.By,
			proof: proven(store.Proof{}, a.Now(), factor.amr...), device: device, cookie: in.Device})
		return err
	})
	if err != nil {
		return SignedIn{}, err
	}
	return out, nil
}
