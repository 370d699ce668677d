package account

import (
	"context"
	"errors"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// TrustLife is how long a trusted browser is not asked for a second factor (MF-22).
const TrustLife = 30 * 24 * time.Hour

// TrustedDevices lists the browsers that are not asked for a second factor.
func (a *Accounts) TrustedDevices(ctx context.Context, user identity.ID) ([]store.Device, error) {
	list, err := a.Store.TrustedDevices(ctx, user, a.Now())
	return list, unavailable(err)
}

// ForgetDevice ends the trust in one browser, or with a zero id in all. They are not known either any more (MF-22).
func (a *Accounts) ForgetDevice(ctx context.Context, by By, id identity.ID) error {
	user, _, err := a.self(ctx, by.Principal)
	if err != nil {
		return err
	}
	return a.change(ctx, func(tx *store.Tx, out *effects) error {
		e := userEvent(by, audit.DeviceForgotten, user.User)
		if id.IsZero() {
			e.Details = map[string]string{"devices": "all"}
			out.audit(e)
			return tx.DeleteUserDevices(ctx, user.ID)
		}
		e.Details = map[string]string{"device": id.String()}
		out.audit(e)
		err := tx.DeleteDevice(ctx, user.ID, id)
		if errors.Is(err, store.ErrNotFound) {
			err = &identity.Error{Code: identity.CodeNotFound, Detail: "There is no such browser."}
		}
		return err
	})
}

// DeviceID tells which of a person's devices a device cookie is; zero for none.
func (a *Accounts) DeviceID(ctx context.Context, user identity.ID, cookie string) identity.ID {
	d, err := a.knownDevice(ctx, cookie, user)
	if err != nil || d == nil {
		return identity.ID{}
	}
	return d.ID
}
