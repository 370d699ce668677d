package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

func sessions(t *testing.T, b *bench) {
	u := b.user("ada")
	s := b.session(u.ID, nil)
	got, who, err := b.SessionByHash(b.ctx, s.SecretHash)
	b.must(err)
	if diff := cmp.Diff(s, got); diff != "" || who.ID != u.ID || who.PasswordHash != u.PasswordHash {
		t.Fatalf("stored session (-want +got):\n%s", diff)
	}
	_, _, err = b.SessionByHash(b.ctx, hash("guess"))
	b.wants(err, store.ErrNotFound)

	fresh := hash("fresh")
	if ok, err := b.RotateSession(b.ctx, s.ID, hash("guess"), fresh, identity.Proof{AuthTime: now, ACR: "2"}); ok ||
		err != nil {
		t.Errorf("rotated without the secret: %v", err)
	}
	won := b.race(func(i int) (bool, error) {
		return b.RotateSession(b.ctx, s.ID, s.SecretHash, hash(string(rune('a'+i))),
			identity.Proof{AuthTime: now.Add(time.Minute), MFATime: now.Add(time.Minute), PasskeyTime: now.Add(time.Second),
				AMR: []string{"pwd", "otp"}, ACR: "2"})
	})
	got, err = b.SessionByID(b.ctx, s.ID)
	if err != nil || won != 1 || !same(got.AuthTime, now.Add(time.Minute)) || got.ACR != "2" || len(got.AMR) != 2 ||
		!same(got.MFATime, now.Add(time.Minute)) || !same(got.PasskeyTime, now.Add(time.Second)) {
		t.Errorf("%d rotations won: %+v %v", won, got, err)
	}
	_, _, err = b.SessionByHash(b.ctx, s.SecretHash)
	b.wants(err, store.ErrNotFound) // SE-02 the old secret is dead

	b.must(b.TouchSessions(b.ctx, []store.Touch{{ID: s.ID, LastSeen: now.Add(30 * time.Minute)},
		{ID: identity.NewID(), LastSeen: now}}))
	b.must(b.TouchSessions(b.ctx, []store.Touch{{ID: s.ID, LastSeen: now.Add(time.Minute)}}))
	if got, _ = b.SessionByID(b.ctx, s.ID); !same(got.LastSeen, now.Add(30*time.Minute)) {
		t.Errorf("last use moved back to %v", got.LastSeen)
	}

	if ok, err := b.EndSession(b.ctx, s.ID, "logout", now); !ok || err != nil {
		t.Errorf("not ended: %v", err)
	}
	if ok, _ := b.EndSession(b.ctx, s.ID, "again", now.Add(time.Hour)); ok {
		t.Error("ended twice")
	}
	_, _, err = b.SessionByHash(b.ctx, got.SecretHash)
	b.wants(err, store.ErrNotFound)
	b.must(b.TouchSessions(b.ctx, []store.Touch{{ID: s.ID, LastSeen: now.Add(2 * time.Hour)}}))
	if ended, err := b.SessionByID(b.ctx, s.ID); err != nil || ended.EndReason != "logout" || !same(ended.EndedAt, now) ||
		!same(ended.LastSeen, got.LastSeen) {
		t.Errorf("%+v %v", ended, err)
	}
	if ok, _ := b.RotateSession(b.ctx, s.ID, got.SecretHash, fresh, identity.Proof{AuthTime: now}); ok {
		t.Error("an ended session got a new secret")
	}
	together(t, b, u.ID)
	listSessions(t, b)
}

func together(t *testing.T, b *bench, user identity.ID) {
	root := b.session(user, nil)
	child := b.session(user, func(s *store.Session) { s.Parent = root.ID; s.Host = "a" })
	other := b.session(user, func(s *store.Session) { s.Parent = root.ID; s.Host = "b" })
	alone := b.session(user, nil)
	got, err := b.SessionsTogether(b.ctx, child.ID)
	b.must(err)
	if len(got) != 3 || got[0] != child.ID {
		t.Errorf("%d sessions of one sign-in", len(got))
	}
	if got, _ := b.SessionsTogether(b.ctx, alone.ID); len(got) != 1 || got[0] != alone.ID {
		t.Errorf("%v", got)
	}
	back, err := b.SessionByID(b.ctx, child.ID)
	if err != nil || back.Parent != root.ID {
		t.Errorf("%+v %v", back, err)
	}
	gone := identity.NewID()
	if got, err := b.SessionsTogether(b.ctx, gone); err != nil || len(got) != 1 {
		t.Errorf("%v %v", got, err)
	}
	ended, err := b.EndUserSessions(b.ctx, user, alone.ID, "password_change", now)
	b.must(err)
	if len(ended) != 3 {
		t.Errorf("%d sessions ended", len(ended))
	}
	if left, err := b.ListSessions(b.ctx, user, now); err != nil || len(left) != 1 || left[0].ID != alone.ID {
		t.Errorf("%v %v", left, err)
	}
	if got, _ := b.SessionsTogether(b.ctx, other.ID); len(got) != 1 {
		t.Errorf("ended sessions are listed: %v", got)
	}
	if ended, err = b.EndUserSessions(b.ctx, user, identity.ID{}, "all", now); err != nil || len(ended) != 1 {
		t.Errorf("%v %v", ended, err)
	}
}

func listSessions(t *testing.T, b *bench) {
	u, v := b.user("list"), b.user("other")
	for i := range 5 {
		b.session(u.ID, func(s *store.Session) { s.Created = now.Add(time.Duration(i/2) * time.Second) })
	}
	b.session(v.ID, nil)
	b.session(u.ID, func(s *store.Session) { s.Expires = now })
	b.session(u.ID, func(s *store.Session) { s.LastSeen = now.Add(-time.Hour) })
	seen := map[identity.ID]bool{}
	cursor := ""
	for {
		page, next, err := b.ListAllSessions(b.ctx, store.SessionFilter{UserID: u.ID, Cursor: cursor, Limit: 2}, now)
		b.must(err)
		for _, s := range page {
			seen[s.ID] = true
		}
		if cursor = next; next == "" {
			break
		}
	}
	if len(seen) != 5 {
		t.Errorf("%d living sessions in pages", len(seen))
	}
	if all, _, err := b.ListAllSessions(b.ctx, store.SessionFilter{}, now); err != nil || len(all) != 6 {
		t.Errorf("%d sessions of all, %v", len(all), err)
	}
	if n, err := b.CountSessions(b.ctx, now); err != nil || n != 6 {
		t.Errorf("%d counted, %v", n, err)
	}
	_, _, err := b.ListAllSessions(b.ctx, store.SessionFilter{Cursor: "bm8"}, now)
	b.wants(err, store.ErrInvalid)
}

// sessionLimit: SE-15, F10.
func sessionLimit(t *testing.T, b *bench) {
	u := b.user("ada")
	var old []store.Session
	for i := range 3 {
		old = append(old, b.session(u.ID,
			func(s *store.Session) { s.LastSeen = now.Add(-time.Duration(i+1) * time.Minute) }))
	}
	expired := b.session(u.ID, func(s *store.Session) { s.LastSeen = now.Add(-2 * time.Hour) })
	browser := b.session(u.ID,
		func(s *store.Session) { s.Kind, s.LastSeen = old[0].Kind+"-other", now.Add(-30*time.Minute) })
	s := old[0]
	s.ID, s.SecretHash = identity.NewID(), hash("next")
	ended, err := b.CreateSession(b.ctx, s, 3)
	b.must(err)
	if len(ended) != 1 || ended[0] != old[2].ID {
		t.Errorf("ended %v, want the longest unused of the living, %v", ended, old[2].ID)
	}
	if got, _ := b.SessionByID(b.ctx, old[2].ID); got.EndReason != "session_limit" {
		t.Errorf("%+v", got)
	}
	if got, _ := b.SessionByID(b.ctx, expired.ID); !got.EndedAt.IsZero() {
		t.Error("an expired session took the place of a living one")
	}
	if got, _ := b.SessionByID(b.ctx, browser.ID); !got.EndedAt.IsZero() {
		t.Error("a session of another kind was ended: a script signs its owner's browser out")
	}
	_, err = b.EndSession(b.ctx, browser.ID, "test", now)
	b.must(err)
	b.race(func(i int) (bool, error) {
		s := s
		s.ID = identity.NewID()
		s.SecretHash = hash(s.ID.String())
		_, err := b.CreateSession(b.ctx, s, 10)
		return true, err
	})
	if left, err := b.ListSessions(b.ctx, u.ID, now); err != nil || len(left) != 10 {
		t.Errorf("%d sessions after %d racing sign-ins: %v", len(left), racers, err)
	}
}

// refresh: RT-01, RT-03, RT-04, RT-05.
func refresh(t *testing.T, b *bench) {
	u := b.user("ada")
	s := b.session(u.ID, nil)
	f := b.family(s)
	token := hash("token")
	b.must(b.AddRefresh(b.ctx, f.ID, token, now))
	b.wants(b.AddRefresh(b.ctx, f.ID, token, now), store.ErrConflict)
	b.wants(b.AddRefresh(b.ctx, identity.NewID(), hash("stray"), now), store.ErrNotFound)

	if use, err := b.ConsumeRefresh(b.ctx, hash("unknown"), now); err != nil || use.Known || use.Won || use.Reused {
		t.Errorf("unknown token: %+v %v", use, err)
	}
	won := b.race(func(i int) (bool, error) {
		use, err := b.ConsumeRefresh(b.ctx, token, now)
		if err == nil && use.Family.ID != f.ID {
			t.Errorf("%+v", use)
		}
		return use.Won, err
	})
	if won != 1 {
		t.Fatalf("%d of %d uses of one refresh token won", won, racers)
	}
	use, err := b.ConsumeRefresh(b.ctx, token, now)
	if b.must(err); use.Won || !use.Known || !use.Reused {
		t.Errorf("second use: %+v", use)
	}
	if diff := cmp.Diff(f, use.Family); diff != "" {
		t.Errorf("family (-want +got):\n%s", diff)
	}

	// What a transaction consumed and then gave up was never used.
	next := hash("next")
	b.must(b.AddRefresh(b.ctx, f.ID, next, now))
	stop := errors.New("stop")
	err = b.Tx(b.ctx, func(tx *store.Tx) error {
		if use, err := tx.ConsumeRefresh(b.ctx, next, now); err != nil || !use.Won {
			t.Errorf("%+v %v", use, err)
		}
		b.must(tx.AddRefresh(b.ctx, f.ID, hash("successor"), now))
		return stop
	})
	b.wants(err, stop)
	_, err = b.FamilyByTokenHash(b.ctx, hash("successor"))
	b.wants(err, store.ErrNotFound)

	if use, err := b.ConsumeRefresh(b.ctx, next, f.Expires); err != nil || use.Won || use.Reused || !use.Known {
		t.Errorf("expired family: %+v %v", use, err)
	}
	if ok, err := b.RevokeFamily(b.ctx, f.ID, "reuse", now); !ok || err != nil {
		t.Errorf("%v", err)
	}
	if ok, _ := b.RevokeFamily(b.ctx, f.ID, "again", now); ok {
		t.Error("revoked twice")
	}
	if use, err := b.ConsumeRefresh(b.ctx, next, now); err != nil || use.Won || use.Reused || !use.Known ||
		!same(use.Family.RevokedAt, now) {
		t.Errorf("revoked family: %+v %v", use, err)
	}
	g, h := b.family(s), b.family(s)
	b.must(b.RevokeFamiliesOfSession(b.ctx, s.ID, "logout", now))
	i := b.family(b.session(u.ID, nil))
	for _, id := range []identity.ID{g.ID, h.ID} {
		if got, err := b.FamilyByID(b.ctx, id); err != nil || got.RevokedAt.IsZero() {
			t.Errorf("%+v %v", got, err)
		}
	}
	if got, _ := b.FamilyByID(b.ctx, i.ID); !got.RevokedAt.IsZero() {
		t.Error("another session's family was revoked")
	}
	b.must(b.RevokeFamiliesOfUser(b.ctx, u.ID, "disabled", now))
	if got, _ := b.FamilyByID(b.ctx, i.ID); got.RevokedAt.IsZero() {
		t.Error("a family of the user is left")
	}
}
