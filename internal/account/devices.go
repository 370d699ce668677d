package account

import (
	"context"
	"errors"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// TrustLife is how long a trusted browser is not asked for a second factor (MF-22).
const TrustLife = 30 * 24 * time.Hour

// TrustedDevices lists the browsers that are not asked for a second factor.
func (a *Accounts) TrustedDevices(ctx context.Context, user identity.ID) ([]store.Device, error) {
	list, err := a.Store.TrustedDevices(ctx, user, a.Now())
	return list, store.Unavailable(err)
}

// ForgetDevice ends the trust in one browser, or with a zero id in all. They are not known either any more (MF-22).
func (a *Accounts) ForgetDevice(ctx context.Context, by change.By, id identity.ID) error {
	user, _, err := a.Caller(ctx, by.Principal)
	if err != nil {
		return err
	}
	return a.Run(ctx, func(tx *change.Tx) error {
		e := by.UserEvent(audit.DeviceForgotten, user.User)
		if id.IsZero() {
			e.Details = map[string]string{"devices": "all"}
			tx.Record(e)
			return tx.DeleteUserDevices(ctx, user.ID)
		}
		e.Details = map[string]string{"device": id.String()}
		tx.Record(e)
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
