package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/truxeio/caddy-truxe/internal/store"
)

// decisions: of the same person, site and request the latest stays; what is old goes.
func decisions(t *testing.T, b *bench) {
	d := store.Decision{UserID: "ada", Site: "s1", Host: "app.test", Method: "GET", Path: "/x", Address: "192.0.2.1",
		ACR: "1", Allowed: true, Last: now}
	read := func(since time.Time) []store.Decision {
		var got []store.Decision
		b.must(b.Decisions(b.ctx, since, func(d store.Decision) error { got = append(got, d); return nil }))
		return got
	}
	later := d
	later.Address, later.ACR, later.Allowed, later.Last, later.Client = "192.0.2.2", "2", false, now.Add(time.Hour), "cli"
	other := d
	other.UserID, other.Last = "https://idp.test|1", now.Add(-time.Hour)
	bad := d
	bad.Path = "/\x00"
	b.must(b.RecordDecisions(b.ctx, []store.Decision{d, bad, other}))
	b.must(b.RecordDecisions(b.ctx, []store.Decision{later}))
	sameTime := cmp.Comparer(func(a, b time.Time) bool { return same(a, b) })
	if diff := cmp.Diff([]store.Decision{later, other}, read(time.Unix(0, 0)), sameTime); diff != "" {
		t.Error(diff)
	}
	if got := read(now); len(got) != 1 {
		t.Errorf("%d since now", len(got))
	}
	u := b.user("ada")
	own := d
	own.UserID, own.Last = u.ID.String(), now.Add(-2*time.Hour)
	b.must(b.RecordDecisions(b.ctx, []store.Decision{own}))
	if got, err := b.DecisionsOf(b.ctx, own.UserID, 10); err != nil ||
		cmp.Diff([]store.Decision{own}, got, sameTime) != "" {
		t.Errorf("%v %v", got, err)
	}
	b.must(b.DeleteUser(b.ctx, u.ID))
	if got, err := b.DecisionsOf(b.ctx, own.UserID, 10); err != nil || len(got) != 0 {
		t.Errorf("after the person is deleted: %v %v", got, err)
	}
	var many []store.Decision
	for i := range 5 {
		m := d
		m.Path, m.Last = fmt.Sprint("/", i), now.Add(-31*24*time.Hour)
		many = append(many, m)
	}
	b.must(b.RecordDecisions(b.ctx, many))
	_, err := b.Purge(b.ctx, now)
	b.must(err)
	if got := read(time.Unix(0, 0)); len(got) != 2 {
		t.Errorf("%d are left", len(got))
	}
}
