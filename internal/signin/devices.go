package signin

import (
	"context"
	"errors"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// Devices are the browsers that users have signed in from.
type Devices struct {
	changes *change.Changes
}

// DeviceLife is how long a browser is remembered as known.
const DeviceLife = 180 * 24 * time.Hour

// TrustLife is how long a trusted browser is not asked for a second factor (MF-22).
const TrustLife = 30 * 24 * time.Hour

// Trusted returns the browsers that are not asked for a second factor.
func (d *Devices) Trusted(ctx context.Context, user identity.ID) ([]store.Device, error) {
	list, err := d.changes.Store.TrustedDevices(ctx, user, d.changes.Now())
	return list, store.Unavailable(err)
}

// Forget ends the trust in one browser, or with a zero id in all. They are no longer known either (MF-22).
func (d *Devices) Forget(ctx context.Context, by change.By, id identity.ID) error {
	user, _, err := d.changes.Caller(ctx, by.Principal)
	if err != nil {
		return err
	}
	return d.changes.Run(ctx, func(tx *change.Tx) error {
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
			err = identity.NotFound("There is no such browser.")
		}
		return err
	})
}

// ID returns the id of the user's device with this device cookie; zero for none.
func (d *Devices) ID(ctx context.Context, user identity.ID, cookie string) identity.ID {
	known, err := d.known(ctx, cookie, user)
	if err != nil || known == nil {
		return identity.ID{}
	}
	return known.ID
}

// known returns the record of a device cookie if it belongs to this user, else nil (LK-05).
func (d *Devices) known(ctx context.Context, value string, user identity.ID) (*store.Device, error) {
	hash, ok := session.ParseSecret(value)
	if !ok || user.IsZero() {
		return nil, nil
	}
	found, err := d.changes.Store.DeviceByHash(ctx, hash, d.changes.Now())
	if errors.Is(err, store.ErrNotFound) || err == nil && found.UserID != user {
		return nil, nil
	}
	if err != nil {
		return nil, store.Unavailable(err)
	}
	return &found, nil
}

// trusted reports whether a known browser is still trusted, and so not asked for a second factor (MF-22).
func (d *Devices) trusted(ctx context.Context, tx *change.Tx, device *store.Device) (bool, error) {
	if device == nil {
		return false, nil
	}
	now := d.changes.Now()
	found, err := tx.DeviceByHash(ctx, device.Hash, now)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && found.UserID == device.UserID && now.Before(found.Trusted), err
}

// remember stores the browser as known, and as trusted where its user wants that (MF-22).
func (d *Devices) remember(ctx context.Context, tx *change.Tx, o completedSignIn, started identity.ID) (string, error) {
	now := d.changes.Now()
	value, id := o.cookie, identity.ID{}
	known := o.device != nil
	if known {
		id = o.device.ID
		err := tx.TouchDevice(ctx, id, now, now.Add(DeviceLife))
		if known = !errors.Is(err, store.ErrNotFound); known && err != nil { // forgotten meanwhile: it becomes a new one
			return "", err
		}
	}
	if !known {
		fresh, hash := session.NewSecret()
		value, id = fresh, identity.NewID()
		if err := tx.CreateDevice(ctx, store.Device{ID: id, Hash: hash, UserID: o.user.ID, Created: now, LastUsed: now,
			Expires:   now.Add(DeviceLife),
			UserAgent: o.by.UserAgent}); err != nil {
			return "", err
		}
	}
	if !o.trust {
		return value, nil
	}
	e := o.by.UserEvent(audit.DeviceTrusted, o.user)
	e.Actor, e.Session = audit.Actor{ID: o.user.ID.String(), Name: o.user.Username}, started.String()
	tx.Record(e)
	return value, tx.TrustDevice(ctx, o.user.ID, id, now.Add(TrustLife))
}
