package store

import (
	"context"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// CreateDevice records a browser that a person has signed in from.
func (q *Queries) CreateDevice(ctx context.Context, d Device) error {
	return q.exec(ctx, "record device", `INSERT INTO devices (id, hash, user_id, created, last_used, expires, user_agent) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		d.ID.String(), d.Hash[:], d.UserID.String(), ms(d.Created), ms(d.LastUsed), ms(d.Expires), clean(bounded(d.UserAgent, 512)))
}

// DeviceByHash finds a device that has not expired.
func (q *Queries) DeviceByHash(ctx context.Context, hash [32]byte, now time.Time) (Device, error) {
	var d Device
	var did, uid string
	var created, used, expires int64
	err := q.db.QueryRowContext(ctx, `SELECT id, user_id, created, last_used, expires, user_agent FROM devices WHERE hash = $1 AND expires > $2`,
		hash[:], ms(now)).Scan(&did, &uid, &created, &used, &expires, &d.UserAgent)
	d.ID, d.Hash, d.UserID, d.Created, d.LastUsed, d.Expires = id(did), hash, id(uid), fromMS(created), fromMS(used), fromMS(expires)
	return d, q.wrap("read device", err)
}

// TouchDevice notes a use and moves the end.
func (q *Queries) TouchDevice(ctx context.Context, device identity.ID, used, expires time.Time) error {
	return q.exec(ctx, "touch device", `UPDATE devices SET last_used = $2, expires = $3 WHERE id = $1`, device.String(), ms(used), ms(expires))
}

// DeleteUserDevices forgets all devices of a user (password change, MF-22).
func (q *Queries) DeleteUserDevices(ctx context.Context, user identity.ID) error {
	return q.exec(ctx, "forget devices", `DELETE FROM devices WHERE user_id = $1`, user.String())
}
