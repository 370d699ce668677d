package change_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/change/changetest"
	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/revocation"
	"github.com/truxeio/caddy-truxe/internal/revocation/feed"
	"github.com/truxeio/caddy-truxe/internal/store"
	"github.com/truxeio/caddy-truxe/internal/store/storetest"
	"github.com/truxeio/caddy-truxe/internal/token"
	"github.com/truxeio/caddy-truxe/test/timebound"
)

// refusing is a cluster that takes no news while it is full, like a Redis out of memory.
type refusing struct {
	cluster.Cluster
	full atomic.Bool
}

func (r *refusing) Publish(ctx context.Context, e cluster.Event) error {
	if r.full.Load() {
		return cluster.ErrUnavailable
	}
	return r.Cluster.Publish(ctx, e)
}

// otherNode receives what another node publishes.
type otherNode struct{ calls chan string }

func (o otherNode) SessionRevoked(id identity.ID) { o.calls <- "session " + id.String() }
func (o otherNode) UserChanged(id identity.ID)    { o.calls <- "user " + id.String() }
func (o otherNode) KeysChanged()                  { o.calls <- "keys" }
func (o otherNode) ChangesMissed()                { o.calls <- "missed" }

func (o otherNode) wants(t *testing.T, call string) {
	t.Helper()
	select {
	case got := <-o.calls:
		if got != call {
			t.Fatalf("the other node received %q, not %q", got, call)
		}
	case <-time.After(timebound.Limit(time.Second)):
		t.Fatalf("the other node did not receive %q within a second", call)
	}
}

// R4, FAULTS 8: a lost role, a revoked session and a rotation of keys that could not be published are not acknowledged,
// and reach the other node within a second of the end of the fault.
func TestChangeThatCouldNotBePublishedReachesTheOtherNodeAfterTheFault(t *testing.T) {
	local := cluster.NewLocal(cluster.LocalOptions{})
	t.Cleanup(func() { _ = local.Close() })
	redis := &refusing{Cluster: local}
	rig := changetest.New(t, storetest.Fresh(t, "sqlite"), changetest.Options{Cluster: redis})
	c, log := rig.Changes, slog.New(slog.DiscardHandler)
	ring, err := token.OpenRing(t.Context(), c.Store, rig.Box,
		token.RingConfig{Access: changetest.Access, Logger: log, Now: c.Now,
			OnChange: func(ctx context.Context) error { return c.Feed.Publish(ctx, feed.News{Keys: true}) }})
	changetest.Must(t, err)
	other := otherNode{make(chan string, 100)}
	news := feed.New(feed.Config{Source: c.Store, Cluster: local, Node: revocation.New(revocation.Config{}),
		Observer: other, Logger: log})
	run, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = news.Run(run) }()
	t.Cleanup(func() { stop(); <-ended })
	other.wants(t, "missed")

	user, session := identity.NewID(), identity.NewID()
	for call, do := range map[string]func() error{
		"user " + user.String(): func() error {
			return c.Run(t.Context(), func(tx *change.Tx) error { tx.UserChanged(user); return nil })
		},
		"session " + session.String(): func() error {
			return c.Run(t.Context(), func(tx *change.Tx) error { return tx.RevokeSession(t.Context(), session, "test") })
		},
		"keys": func() error { _, err := c.RotateKeys(t.Context(), change.By{Via: "cli"}, ring); return err },
	} {
		redis.full.Store(true)
		changetest.Wants(t, do(), identity.CodeStateUnavailable)
		redis.full.Store(false)
		other.wants(t, call)
	}
	rows, err := c.Store.Keys(t.Context())
	changetest.Must(t, err)
	if len(rows) != 2 {
		t.Errorf("%d keys", len(rows))
	}
	var recorded int
	changetest.Must(t, c.Store.Revocations(t.Context(), c.Now(), time.Time{},
		func(store.Revocation) error { recorded++; return nil }))
	if recorded != 1 {
		t.Errorf("%d revocations in the database", recorded)
	}
}
