package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

func revocations(t *testing.T, b *bench) {
	read := func(at, since time.Time) map[string]store.Revocation {
		got := map[string]store.Revocation{}
		b.must(b.Revocations(b.ctx, at, since,
			func(r store.Revocation) error { got[r.Kind.String()+":"+r.Name] = r; return nil }))
		return got
	}
	before := time.Now()
	for _, kind := range []identity.RevocationKind{identity.RevokeJTI, identity.RevokeSession, identity.RevokeUser} {
		b.must(b.AddRevocation(b.ctx, store.Revocation{Kind: kind, Name: "same name", At: now, Expires: now.Add(time.Hour),
			Reason: "test"}))
	}
	b.must(b.AddRevocation(b.ctx, store.Revocation{Kind: identity.RevokeUser, Name: "same name", At: now.Add(time.Minute),
		Expires: now.Add(time.Minute)}))
	b.must(b.AddRevocation(b.ctx, store.Revocation{Kind: identity.RevokeUser, Name: "same name", At: now.Add(-time.Minute),
		Expires: now.Add(-time.Minute)}))
	got := read(now, time.Time{})
	if u := got["user:same name"]; len(got) != 3 || !same(u.At, now.Add(time.Minute)) ||
		!same(u.Expires, now.Add(time.Hour)) || u.Created.Before(before.Add(-time.Second)) {
		t.Errorf("%+v", got)
	}
	if n, err := b.CountRevocations(b.ctx, now); n != 3 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	if got := read(now.Add(time.Hour), time.Time{}); len(got) != 0 {
		t.Errorf("expired ones are read: %v", got)
	}
	if got := read(now, time.Now().Add(time.Hour)); len(got) != 0 {
		t.Errorf("older ones than asked for: %v", got)
	}
	if got := read(now, before.Add(-time.Second)); len(got) != 3 {
		t.Errorf("%d since", len(got))
	}
	stop := errors.New("stop")
	b.wants(b.Revocations(b.ctx, now, time.Time{}, func(store.Revocation) error { return stop }), stop)
	b.wants(b.AddRevocation(b.ctx, store.Revocation{Kind: 9, Name: "x"}), store.ErrInvalid)
	b.wants(b.AddRevocation(b.ctx, store.Revocation{Kind: identity.RevokeJTI}), store.ErrInvalid)
}

func keys(t *testing.T, b *bench) {
	k := store.KeyRecord{KID: "one", Sealed: []byte{0, 1, 255}, PublicDER: []byte{2, 0}, Source: "generated", Created: now,
		Activates: now.Add(time.Hour)}
	b.must(b.InsertKey(b.ctx, k))
	b.wants(b.InsertKey(b.ctx, k), store.ErrConflict)
	k.Sealed, k.Retires, k.Expires = []byte("again"), now.Add(2*time.Hour), now.Add(3*time.Hour)
	b.must(b.UpdateKey(b.ctx, k))
	got, err := b.Keys(b.ctx)
	b.must(err)
	if diff := cmp.Diff([]store.KeyRecord{k}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	b.must(b.DeleteKey(b.ctx, "one"))
	b.wants(b.DeleteKey(b.ctx, "one"), store.ErrNotFound)
	b.wants(b.UpdateKey(b.ctx, k), store.ErrNotFound)
}

func devices(t *testing.T, b *bench) {
	u := b.user("ada")
	d := store.Device{ID: identity.NewID(), Hash: hash("device"), UserID: u.ID, Created: now, LastUsed: now,
		Expires: now.Add(time.Hour), UserAgent: "Agent/1"}
	b.must(b.CreateDevice(b.ctx, d))
	b.must(b.TouchDevice(b.ctx, d.ID, now.Add(time.Minute), now.Add(2*time.Hour)))
	got, err := b.DeviceByHash(b.ctx, d.Hash, now.Add(time.Hour))
	b.must(err)
	d.LastUsed, d.Expires = now.Add(time.Minute), now.Add(2*time.Hour)
	if diff := cmp.Diff(d, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	_, err = b.DeviceByHash(b.ctx, d.Hash, now.Add(2*time.Hour))
	b.wants(err, store.ErrNotFound)
	b.must(b.DeleteUserDevices(b.ctx, u.ID))
	_, err = b.DeviceByHash(b.ctx, d.Hash, now)
	b.wants(err, store.ErrNotFound)
	b.wants(b.TouchDevice(b.ctx, d.ID, now, now), store.ErrNotFound)
	d.UserID = identity.NewID()
	b.wants(b.CreateDevice(b.ctx, d), store.ErrNotFound)
}

func oneTimes(t *testing.T, b *bench) {
	o := store.OneTime{Kind: "setup", Hash: hash("code"), Subject: "first", Created: now, Expires: now.Add(time.Hour)}
	b.must(b.PutOneTime(b.ctx, o))
	for name, try := range map[string]func() (bool, error){
		"wrong code": func() (bool, error) {
			_, ok, err := b.ConsumeOneTime(b.ctx, "setup", hash("guess"), now)
			return ok, err
		},
		"other kind": func() (bool, error) { _, ok, err := b.ConsumeOneTime(b.ctx, "reset", o.Hash, now); return ok, err },
		"too late": func() (bool, error) {
			_, ok, err := b.ConsumeOneTime(b.ctx, "setup", o.Hash, o.Expires)
			return ok, err
		},
		"peek late": func() (bool, error) { return b.PeekOneTime(b.ctx, "setup", o.Hash, o.Expires) },
	} {
		if ok, err := try(); ok || err != nil {
			t.Errorf("%s: %v %v", name, ok, err)
		}
	}
	if ok, err := b.PeekOneTime(b.ctx, "setup", o.Hash, now); !ok || err != nil {
		t.Errorf("peek: %v %v", ok, err)
	}
	won := b.race(func(int) (bool, error) {
		got, ok, err := b.ConsumeOneTime(b.ctx, "setup", o.Hash, now)
		if ok && !cmp.Equal(o, got) {
			t.Errorf("%+v", got)
		}
		return ok, err
	})
	if won != 1 {
		t.Errorf("a one-time code worked %d times", won)
	}
	b.must(b.PutOneTime(b.ctx, o))
	b.must(b.DeleteOneTimes(b.ctx, "setup"))
	if ok, _ := b.PeekOneTime(b.ctx, "setup", o.Hash, now); ok {
		t.Error("a deleted code works")
	}
}

func meta(t *testing.T, b *bench) {
	_, err := b.Meta(b.ctx, "epoch")
	b.wants(err, store.ErrNotFound)
	held := make([]string, racers)
	b.race(func(i int) (bool, error) {
		v, err := b.SetMetaOnce(b.ctx, "epoch", fmt.Sprint(i))
		held[i] = v
		return true, err
	})
	got, err := b.Meta(b.ctx, "epoch")
	b.must(err)
	for _, v := range held {
		if v != got {
			t.Fatalf("nodes disagree: %q and %q", v, got)
		}
	}
	b.must(b.SetMeta(b.ctx, "epoch", "new"))
	b.must(b.SetMeta(b.ctx, "other", "x"))
	if got, _ := b.Meta(b.ctx, "epoch"); got != "new" {
		t.Errorf("%q", got)
	}
}

func auditRows(t *testing.T, b *bench) {
	if _, found, err := b.LastAudit(b.ctx); found || err != nil {
		t.Errorf("%v %v", found, err)
	}
	row := func(seq int64) store.AuditRow {
		return store.AuditRow{Seq: seq, Time: now.Add(time.Duration(seq) * time.Second), Event: fmt.Sprint("event", seq%2),
			Outcome: "success", ActorID: fmt.Sprint("actor", seq%3),
			SubjectID: fmt.Sprint("actor", seq%2), IP: "192.0.2.1", Reference: fmt.Sprint("R-", seq),
			Line: []byte(fmt.Sprintf(`{"seq":%d}`, seq)), Hash: hash(fmt.Sprint(seq))}
	}
	b.race(func(int) (bool, error) { // appended by many at once, numbered without a gap
		return true, b.Tx(b.ctx, func(tx *store.Tx) error {
			seq, head, err := tx.AuditHead(b.ctx)
			if err != nil {
				return err
			}
			if seq > 0 && head != hash(fmt.Sprint(seq)) {
				return fmt.Errorf("head of %d has another hash", seq)
			}
			return tx.AppendAuditRows(b.ctx, row(seq+1))
		})
	})
	var walked int64
	b.must(b.WalkAudit(b.ctx, 1, func(r store.AuditRow) error {
		walked++
		if diff := cmp.Diff(row(walked), r); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		return nil
	}))
	if walked != racers {
		t.Fatalf("%d rows", walked)
	}
	b.wants(b.AppendAuditRows(b.ctx, row(racers)), store.ErrConflict)
	b.wants(b.AppendAuditRows(b.ctx, row(racers+2)), store.ErrConflict)
	last, found, err := b.LastAudit(b.ctx)
	if seq, _, headErr := b.AuditHead(b.ctx); err != nil || headErr != nil || !found || last.Seq != racers ||
		seq != racers {
		t.Errorf("last %d head %d: %v %v", last.Seq, seq, err, headErr)
	}
	for name, c := range map[string]struct {
		filter store.AuditFilter
		want   int
		first  int64
	}{
		"all, newest first": {store.AuditFilter{}, racers, racers},
		"page":              {store.AuditFilter{Before: 11, Limit: 5}, 5, 10},
		"follow":            {store.AuditFilter{After: 45, Ascending: true}, 5, 46},
		"event":             {store.AuditFilter{Event: "event1", Ascending: true}, 25, 1},
		"actor":             {store.AuditFilter{ActorID: "actor0", Ascending: true}, 16, 3},
		"subject":           {store.AuditFilter{SubjectID: "actor0"}, 25, 50},
		"person":            {store.AuditFilter{PersonID: "actor2", Ascending: true}, 17, 2},
		"reference":         {store.AuditFilter{Reference: "R-7"}, 1, 7},
		"time": {store.AuditFilter{Since: now.Add(10 * time.Second), Until: now.Add(12 * time.Second),
			Ascending: true}, 3, 10},
		"nothing": {store.AuditFilter{IP: "' OR '1'='1"}, 0, 0},
	} {
		got, err := b.ListAudit(b.ctx, c.filter)
		if err != nil || len(got) != c.want || c.want > 0 && got[0].Seq != c.first {
			t.Errorf("%s: %d rows %v", name, len(got), err)
		}
	}
}

func transactions(t *testing.T, b *bench) {
	stop, committed := errors.New("stop"), 0
	err := b.Tx(b.ctx, func(tx *store.Tx) error {
		tx.AfterCommit(func() { committed++ })
		b.must(tx.SetMeta(b.ctx, "k", "v"))
		return stop
	})
	if _, missing := b.Meta(b.ctx, "k"); !errors.Is(err, stop) || !errors.Is(missing, store.ErrNotFound) ||
		committed != 0 {
		t.Errorf("an abandoned transaction left something: %v %v %d", err, missing, committed)
	}
	func() {
		defer func() { _ = recover() }()
		_ = b.Tx(b.ctx, func(tx *store.Tx) error { b.must(tx.SetMeta(b.ctx, "k", "v")); panic("bug") })
	}()
	b.must(b.Tx(b.ctx, func(tx *store.Tx) error {
		tx.AfterCommit(func() { committed++ })
		return tx.SetMeta(b.ctx, "k", "v")
	}))
	if committed != 1 {
		t.Errorf("after commit ran %d times", committed)
	}
	n, inside := 0, 0
	b.race(func(int) (bool, error) { // Lock: one at a time
		return true, b.Tx(b.ctx, func(tx *store.Tx) error {
			if err := tx.Lock(b.ctx, "suite"); err != nil {
				return err
			}
			if inside++; inside != 1 {
				t.Error("two hold one lock")
			}
			n++
			inside--
			return nil
		})
	})
	if n < racers {
		t.Errorf("%d of %d", n, racers)
	}
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	b.wants(b.Tx(ctx, func(*store.Tx) error { return nil }), context.Canceled)
	b.must(b.Ping(b.ctx))
	if b.SchemaVersion() < 1 {
		t.Error("no schema version")
	}

	// A lock held by a caller that does not release it: an answer within two seconds, not a hang (FAULTS 11, 14).
	held, release := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- b.Tx(b.ctx, func(tx *store.Tx) error {
			if err := tx.Lock(b.ctx, "suite"); err != nil {
				return err
			}
			close(held)
			<-release
			return nil
		})
	}()
	<-held
	start, begun := time.Now(), false
	err = b.Tx(b.ctx, func(tx *store.Tx) error { begun = true; return tx.Lock(b.ctx, "suite") })
	if took := time.Since(start); !errors.Is(err, store.ErrUnavailable) || took > 1900*time.Millisecond ||
		took < 500*time.Millisecond {
		t.Errorf("waited %v: %v", took, err)
	}
	if errors.Is(err, store.ErrNoTurn) == begun { // on SQLite the one writer is the holder's, on PostgreSQL the row
		t.Errorf("begun: %v, but %v", begun, err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Logf("the holder: %v", err)
	}
	b.must(b.Tx(b.ctx, func(tx *store.Tx) error { return tx.Lock(b.ctx, "suite") }))
}

// purge: F26, and nothing that still counts goes.
func purge(t *testing.T, b *bench) {
	const day = 24 * time.Hour
	at := now.Add(30 * day)
	u := b.user("ada")
	gone := []store.Session{
		b.session(u.ID, func(s *store.Session) { s.Expires = at.Add(-8 * day) }),
		b.session(u.ID, func(s *store.Session) { s.Expires = at.Add(day) }), // unused for longer than idle
		b.session(u.ID, func(s *store.Session) { s.Expires, s.LastSeen = at.Add(day), at }),
	}
	_, err := b.EndSession(b.ctx, gone[2].ID, "logout", at.Add(-7*day))
	b.must(err)
	stays := []store.Session{
		b.session(u.ID, func(s *store.Session) { s.Expires, s.LastSeen = at.Add(day), at }),
		b.session(u.ID, func(s *store.Session) { s.Expires, s.LastSeen = at.Add(day), at }),
	}
	_, err = b.EndSession(b.ctx, stays[1].ID, "logout", at.Add(-6*day))
	b.must(err)
	old, live := b.family(stays[0]), store.Family{ID: identity.NewID(), SessionID: stays[0].ID, UserID: u.ID, Created: now,
		Expires: at.Add(day)}
	b.must(b.CreateFamily(b.ctx, live))
	b.must(b.AddRefresh(b.ctx, old.ID, hash("old"), now))
	b.must(b.AddRefresh(b.ctx, live.ID, hash("live"), now))
	for i := range 450 { // more than a batch
		b.must(b.AddRevocation(b.ctx, store.Revocation{Kind: identity.RevokeJTI, Name: fmt.Sprint("old", i), At: now,
			Expires: at}))
	}
	b.must(b.AddRevocation(b.ctx, store.Revocation{Kind: identity.RevokeJTI, Name: "live", At: now,
		Expires: at.Add(time.Millisecond)}))
	for i, expires := range []time.Time{at, at.Add(day)} {
		b.must(b.CreateDevice(b.ctx, store.Device{ID: identity.NewID(), Hash: hash(fmt.Sprint(i)), UserID: u.ID, Created: now,
			LastUsed: now, Expires: expires}))
		b.must(b.PutOneTime(b.ctx, store.OneTime{Kind: "setup", Hash: hash(fmt.Sprint(i)), Created: now, Expires: expires}))
	}
	b.oldMails(u.ID, at)
	n, err := b.Purge(b.ctx, at)
	b.must(err)
	if n != 3+1+450+1+1+2 {
		t.Errorf("%d rows purged", n)
	}
	for _, s := range gone {
		_, err := b.SessionByID(b.ctx, s.ID)
		b.wants(err, store.ErrNotFound)
	}
	for _, s := range stays {
		_, err := b.SessionByID(b.ctx, s.ID)
		b.must(err)
	}
	_, err = b.FamilyByTokenHash(b.ctx, hash("old"))
	b.wants(err, store.ErrNotFound)
	_, err = b.FamilyByTokenHash(b.ctx, hash("live"))
	b.must(err)
	if n, err := b.CountRevocations(b.ctx, now); n != 1 || err != nil {
		t.Errorf("%d revocations left: %v", n, err)
	}
	if n, err := b.Purge(b.ctx, at); n != 0 || err != nil {
		t.Errorf("purged again: %d %v", n, err)
	}
}
