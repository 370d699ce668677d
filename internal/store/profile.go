package store

import (
	"context"
	"errors"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// TimeZone is the name of the zone in which a person wants to read times; "" is that of the device in use.
func (q *Queries) TimeZone(ctx context.Context, user identity.ID) (string, error) {
	var zone string
	err := q.row(ctx, "read time zone", "SELECT time_zone FROM profile_settings WHERE user_id = $1", []any{user.String()},
		&zone)
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return zone, err
}

// SetTimeZone keeps it. ErrNotFound when the user is gone.
func (q *Queries) SetTimeZone(ctx context.Context, user identity.ID, zone string) error {
	if err := storable(zone); err != nil {
		return wrap("set time zone", err)
	}
	_, err := q.exec(ctx, "set time zone", `INSERT INTO profile_settings (user_id, time_zone) VALUES ($1, $2)
		ON CONFLICT (user_id) DO UPDATE SET time_zone = excluded.time_zone`, user.String(), zone)
	return err
}
