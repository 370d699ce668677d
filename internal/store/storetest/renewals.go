package storetest

import (
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// SE-02 R5: a new secret is given to the living browser sessions of one user, once each; the old one finds its session
// until the grace ends.
func renewals(t *testing.T, b *bench) {
	ada, bob := b.user("ada"), b.user("bob")
	s, other := b.session(ada.ID, nil), b.session(bob.ID, nil)
	api := b.session(ada.ID, func(s *store.Session) { s.Kind = "api" })
	ended := b.session(ada.ID, nil)
	_, err := b.EndSession(b.ctx, ended.ID, "logout", now)
	b.must(err)
	grace := now.Add(10 * time.Second)
	wants := func(name string, s store.Session, want bool) {
		t.Helper()
		got, err := b.RenewalWanted(b.ctx, s.SecretHash, now)
		b.must(err)
		if got != want {
			t.Errorf("%s: wanted %v", name, got)
		}
	}
	if ok, err := b.RenewSecret(b.ctx, s, hash("unasked"), now, grace); ok || err != nil {
		t.Errorf("renewed without a request: %v", err)
	}
	for range 2 { // asked twice is asked once
		b.must(b.WantRenewal(b.ctx, ada.ID, "browser", now))
	}
	wants("ada's session", s, true)
	wants("another's session", other, false)
	wants("a program's session", api, false)
	wants("an ended session", ended, false)
	_, _, _, err = b.SessionByOldSecret(b.ctx, s.SecretHash, now)
	b.wants(err, store.ErrNotFound)

	if won := b.race(func(i int) (bool, error) {
		var ok bool
		err := b.Tx(b.ctx, func(tx *store.Tx) (err error) {
			ok, err = tx.RenewSecret(b.ctx, s, hash(string(rune('A'+i))), now, grace)
			return err
		})
		return ok, err
	}); won != 1 {
		t.Errorf("%d renewals won", won)
	}
	fresh, err := b.SessionByID(b.ctx, s.ID)
	b.must(err)
	if fresh.SecretHash == s.SecretHash || !same(fresh.AuthTime, s.AuthTime) || fresh.ACR != s.ACR {
		t.Errorf("renewed session %+v", fresh)
	}
	wants("the new secret", fresh, false)
	_, _, err = b.SessionByHash(b.ctx, s.SecretHash)
	b.wants(err, store.ErrNotFound)
	got, who, until, err := b.SessionByOldSecret(b.ctx, s.SecretHash, grace.Add(-time.Millisecond))
	b.must(err)
	if got.ID != s.ID || who.ID != ada.ID || !same(until, grace) {
		t.Errorf("by the old secret: %+v until %v", got, until)
	}
	_, _, _, err = b.SessionByOldSecret(b.ctx, s.SecretHash, grace)
	b.wants(err, store.ErrNotFound)
	_, _, _, err = b.SessionByOldSecret(b.ctx, hash("guess"), now)
	b.wants(err, store.ErrNotFound)
	_, err = b.EndUserSessions(b.ctx, ada.ID, identity.ID{}, "logout", now)
	b.must(err)
	_, _, _, err = b.SessionByOldSecret(b.ctx, s.SecretHash, now)
	b.wants(err, store.ErrNotFound)
}
