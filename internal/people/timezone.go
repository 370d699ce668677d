package people

import (
	"context"
	"strings"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// TimeZone returns the zone in which a user wants to read times; "" is that of the device in use.
func (d *Directory) TimeZone(ctx context.Context, user identity.ID) (string, error) {
	zone, err := d.Changes.Store.TimeZone(ctx, user)
	return zone, store.Unavailable(err)
}

// SetTimeZone sets the zone in which the caller wants to read times: a name of the IANA database, or "". Any other is
// CodeInvalidRequest. Users of managed accounts may set one too: it is a display preference.
func (d *Directory) SetTimeZone(ctx context.Context, by change.By, zone string) error {
	zone = strings.TrimSpace(zone)
	if !zoneExists(zone) {
		return identity.Invalid("Choose a time zone from the list, such as Europe/Berlin.")
	}
	user, _, err := d.Changes.Caller(ctx, by.Principal)
	if err != nil {
		return err
	}
	return d.Changes.Run(ctx, func(tx *change.Tx) error {
		e := by.UserEvent(audit.UserUpdated, user.User)
		e.Details = map[string]string{"time_zone": zone}
		tx.Record(e)
		return change.Gone(tx.SetTimeZone(ctx, user.ID, zone))
	})
}

// zoneExists reports whether a name is one of the IANA database; "" is. Names with other characters are not looked up:
// they could be paths. "Local" is the server's own zone.
func zoneExists(name string) bool {
	if name == "" {
		return true
	}
	plain := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '/' || c == '_' || c == '-' ||
			c == '+'
	}
	if len(name) > 64 || name == "Local" || strings.IndexFunc(name, func(c rune) bool { return !plain(c) }) >= 0 ||
		strings.HasPrefix(name, "/") {
		return false
	}
	_, err := time.LoadLocation(name)
	return err == nil
}
