package store

import (
	"context"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

const deviceColumns = "id, hash, user_id, created, last_used, expires, user_agent"

// CreateDevice adds a known browser. ErrNotFound when the user is gone.
func (q *Queries) CreateDevice(ctx context.Context, d Device) error {
	_, err := q.exec(ctx, "add device", "INSERT INTO devices ("+deviceColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7)",
		d.ID.String(), d.Hash[:], d.UserID.String(), ms(d.Created), ms(d.LastUsed), ms(d.Expires), note(d.UserAgent))
	return taken(err, "device")
}

// DeviceByHash reads a device that has not expired.
func (q *Queries) DeviceByHash(ctx context.Context, hash [32]byte, now time.Time) (Device, error) {
	var d Device
	err := q.row(ctx, "read device", "SELECT "+deviceColumns+" FROM devices WHERE hash = $1 AND expires > $2", []any{hash[:], ms(now)},
		scanID{&d.ID}, scanHash{&d.Hash}, scanID{&d.UserID}, scanTime{&d.Created}, scanTime{&d.LastUsed}, scanTime{&d.Expires}, &d.UserAgent)
	return d, err
}

// TouchDevice writes a device's use and its new end. A device that is gone is ErrNotFound.
func (q *Queries) TouchDevice(ctx context.Context, id identity.ID, now, expires time.Time) error {
	return q.mustExec(ctx, "touch device", "UPDATE devices SET last_used = $1, expires = $2 WHERE id = $3", ms(now), ms(expires), id.String())
}

// DeleteUserDevices forgets all devices of a user (MF-22). None is no error.
func (q *Queries) DeleteUserDevices(ctx context.Context, user identity.ID) error {
	_, err := q.exec(ctx, "forget devices", "DELETE FROM devices WHERE user_id = $1", user.String())
	return err
}
