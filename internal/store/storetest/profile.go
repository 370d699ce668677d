package storetest

import (
	"testing"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// profileSettings: a zone is each person's own and ends with them.
func profileSettings(t *testing.T, b *bench) {
	ada, bob := b.user("ada"), b.user("bob")
	for _, zone := range []string{"Europe/Berlin", "UTC", ""} {
		b.must(b.SetTimeZone(b.ctx, ada.ID, zone))
		if got, err := b.TimeZone(b.ctx, ada.ID); err != nil || got != zone {
			t.Errorf("%q became %q, %v", zone, got, err)
		}
	}
	b.must(b.SetTimeZone(b.ctx, ada.ID, "UTC"))
	if got, err := b.TimeZone(b.ctx, bob.ID); err != nil || got != "" {
		t.Errorf("another user's zone is %q, %v", got, err)
	}
	b.wants(b.SetTimeZone(b.ctx, identity.NewID(), "UTC"), store.ErrNotFound)
	b.wants(b.SetTimeZone(b.ctx, bob.ID, "a\x00b"), store.ErrInvalid)
	b.must(b.DeleteUser(b.ctx, ada.ID))
	if got, err := b.TimeZone(b.ctx, ada.ID); err != nil || got != "" {
		t.Errorf("the zone of a deleted person is %q, %v", got, err)
	}
}
