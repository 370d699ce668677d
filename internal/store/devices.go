package store

import (
	"context"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

const deviceColumns = "id, hash, user_id, created, last_used, expires, user_agent, trusted"

// CreateDevice adds a known browser. ErrNotFound when the user is gone.
func (q *Queries) CreateDevice(ctx context.Context, d Device) error {
	_, err := q.exec(ctx, "add device", "INSERT INTO devices ("+deviceColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		d.ID.String(), d.Hash[:], d.UserID.String(), ms(d.Created), ms(d.LastUsed), ms(d.Expires), note(d.UserAgent),
		ms(d.Trusted))
	return taken(err, "device")
}

// DeviceByHash reads a device that has not expired.
func (q *Queries) DeviceByHash(ctx context.Context, hash [32]byte, now time.Time) (Device, error) {
	var d Device
	err := q.row(ctx, "read device", "SELECT "+deviceColumns+" FROM devices WHERE hash = $1 AND expires > $2",
		[]any{hash[:], ms(now)}, deviceDest(&d)...)
	return d, err
}

func deviceDest(d *Device) []any {
	return []any{scanID{&d.ID}, scanHash{&d.Hash}, scanID{&d.UserID}, scanTime{&d.Created}, scanTime{&d.LastUsed},
		scanTime{&d.Expires}, &d.UserAgent,
		scanTime{&d.Trusted}}
}

// TrustedDevices returns the browsers of a user that are not asked for a second factor, latest use first.
func (q *Queries) TrustedDevices(ctx context.Context, user identity.ID, now time.Time) ([]Device, error) {
	return q.devices(ctx, user, now, now)
}

// UserDevices returns the known browsers of a user, trusted or not, latest use first.
func (q *Queries) UserDevices(ctx context.Context, user identity.ID, now time.Time) ([]Device, error) {
	return q.devices(ctx, user, now, time.UnixMilli(-1))
}

func (q *Queries) devices(ctx context.Context, user identity.ID, now, trustedAfter time.Time) ([]Device, error) {
	var out []Device
	err := q.rows(ctx, reading, "read devices", "SELECT "+deviceColumns+
		` FROM devices WHERE user_id = $1 AND trusted > $2 AND expires > $3
		ORDER BY last_used DESC, id LIMIT 200`, []any{user.String(), ms(trustedAfter), ms(now)}, func(scan scanner) error {
		var d Device
		err := scan(deviceDest(&d)...)
		out = append(out, d)
		return err
	})
	return out, err
}

// TrustDevice lets a known browser of a person skip the second factor until a time.
func (q *Queries) TrustDevice(ctx context.Context, user, id identity.ID, until time.Time) error {
	return q.mustExec(ctx, "trust device", "UPDATE devices SET trusted = $1 WHERE id = $2 AND user_id = $3", ms(until),
		id.String(), user.String())
}

// DeleteDevice forgets a browser of a person; ErrNotFound for another person's.
func (q *Queries) DeleteDevice(ctx context.Context, user, id identity.ID) error {
	return q.mustExec(ctx, "forget device", "DELETE FROM devices WHERE id = $1 AND user_id = $2", id.String(),
		user.String())
}

// TouchDevice writes a device's use and its new end. A device that is gone is ErrNotFound.
func (q *Queries) TouchDevice(ctx context.Context, id identity.ID, now, expires time.Time) error {
	return q.mustExec(ctx, "touch device", "UPDATE devices SET last_used = $1, expires = $2 WHERE id = $3", ms(now),
		ms(expires), id.String())
}

// DeleteUserDevices forgets all devices of a user (MF-22). None is no error.
func (q *Queries) DeleteUserDevices(ctx context.Context, user identity.ID) error {
	_, err := q.exec(ctx, "forget devices", "DELETE FROM devices WHERE user_id = $1", user.String())
	return err
}
