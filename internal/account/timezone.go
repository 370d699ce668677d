package account

import (
	"context"
	"strings"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// TimeZone is the zone in which somebody wants to read times; "" is that of the device in use.
func (a *Accounts) TimeZone(ctx context.Context, user identity.ID) (string, error) {
	zone, err := a.Store.TimeZone(ctx, user)
	return zone, store.Unavailable(err)
}

// SetTimeZone keeps the zone in which the caller wants to read times: a name of the IANA database, or "". Any other is
// CodeInvalidRequest. A managed account may have one too: it is how one looks at the pages, not what one is.
func (a *Accounts) SetTimeZone(ctx context.Context, by change.By, zone string) error {
	zone = strings.TrimSpace(zone)
	if !zoneExists(zone) {
		return &identity.Error{Code: identity.CodeInvalidRequest, Detail: "Choose a time zone from the list, such as Europe/Berlin."}
	}
	user, _, err := a.Caller(ctx, by.Principal)
	if err != nil {
		return err
	}
	return a.Run(ctx, func(tx *change.Tx) error {
		e := by.UserEvent(audit.UserUpdated, user.User)
		e.Details = map[string]string{"time_zone": zone}
		tx.Record(e)
		return change.Gone(tx.SetTimeZone(ctx, user.ID, zone))
	})
}

// zoneExists tells whether a name is one of the IANA database; "" is. Names with other characters than these are not
// looked up: they could be paths. "Local" is the server's own.
func zoneExists(name string) bool {
	if name == "" {
		return true
	}
	plain := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '/' || c == '_' || c == '-' || c == '+'
	}
	if len(name) > 64 || name == "Local" || strings.IndexFunc(name, func(c rune) bool { return !plain(c) }) >= 0 || strings.HasPrefix(name, "/") {
		return false
	}
	_, err := time.LoadLocation(name)
	return err == nil
}
