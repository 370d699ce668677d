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
	d := store.Decision{UserID: "ada", Site: "s1", Host: "app.test", Method: "GET", Path: "/x", Address: "192.0.2.1", ACR: "1", Allowed: true, Last: now}
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
