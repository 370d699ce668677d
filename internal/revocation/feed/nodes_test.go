package feed

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/cluster/redistest"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// R4, JW-12: revoked on one node, refused on the other well within a second; a change of a user is heard there too.
func TestRevokedOnOneNodeIsRefusedOnTheOtherWithinASecond(t *testing.T) {
	server := redistest.Start(t)
	l := &ledger{}
	var lag atomic.Int64
	a := start(t, l, onRedis(t, server.Addr()), nil)
	b := start(t, l, onRedis(t, server.Addr()), func(c *setup) {
		c.feed.OnLag = func(d time.Duration) { lag.Add(int64(d) + 1) }
	})
	within(t, 3*time.Second, "both ready", func() bool { return a.Ready() && b.Ready() })
	for i := range 20 {
		name := strconv.Itoa(i)
		p := bearer(name, "", "u", 0)
		if b.Refused(p) != "" {
			t.Fatal("refused before it was revoked")
		}
		if err := a.revoked(t, l, revoke(identity.RevokeJTI, name)); err != nil {
			t.Fatal(err)
		}
		within(t, time.Second, "refused on the other node", func() bool { return b.Refused(p) != "" })
	}
	if lag.Load() == 0 {
		t.Error("the lag was not measured")
	}
	b.observed.wants(t, "missed", time.Second)
	for call, news := range everyNews() {
		if err := a.Publish(context.Background(), news); err != nil {
			t.Fatal(err)
		}
		b.observed.wants(t, call, time.Second)
	}
}

// R4, FAULTS 7: an emptied Redis, and one restarted without persistence, un-revokes nothing; nodes are ready again by
// themselves and the feed works.
func TestFlushedOrRestartedRedisUnrevokesNothing(t *testing.T) {
	server := redistest.Start(t)
	l := &ledger{}
	a := start(t, l, onRedis(t, server.Addr()), nil)
	b := start(t, l, onRedis(t, server.Addr()), nil)
	within(t, 3*time.Second, "both ready", func() bool { return a.Ready() && b.Ready() })
	b.observed.wants(t, "missed", time.Second)
	first := bearer("first", "", "u", 0)
	if err := a.revoked(t, l, revoke(identity.RevokeJTI, "first")); err != nil {
		t.Fatal(err)
	}
	within(t, time.Second, "refused on b", func() bool { return b.Refused(first) != "" })
	for name, fault := range map[string]func(){"flushed": server.FlushAll, "restarted": server.Restart} {
		// a revocation that only SQL has by the time the feed is back
		if err := l.AddRevocation(context.Background(), revoke(identity.RevokeJTI, name)); err != nil {
			t.Fatal(err)
		}
		fault()
		within(t, 5*time.Second, name+": b reads SQL again", func() bool { return b.Refused(bearer(name, "", "u", 0)) != "" })
		if a.Refused(first) == "" || b.Refused(first) == "" {
			t.Fatalf("%s: the revocation was lost", name)
		}
		within(t, 5*time.Second, name+": ready", func() bool { return a.Ready() && b.Ready() })
		b.observed.wants(t, "missed", time.Second) // snapshots are dropped after a gap
		within(t, 5*time.Second, name+": revoking works again", func() bool {
			return a.Publish(context.Background(), News{Revoked: []store.Revocation{revoke(identity.RevokeJTI,
				name+"-after")}}) == nil
		})
		within(t, time.Second, name+": and reaches b",
			func() bool { return b.Refused(bearer(name+"-after", "", "u", 0)) != "" })
	}
	late := start(t, l, onRedis(t, server.Addr()), nil)
	within(t, 3*time.Second, "a new node is ready", late.Ready)
	if late.Refused(first) == "" {
		t.Error("a new node does not know the revocation")
	}
}

// R4, FAULTS 4 and 10, JW-13: a node that is cut off refuses within its bound although nothing is closed, the other
// goes on, and what was revoked meanwhile is refused when it is back.
func TestNodeCutOffFromRedisStopsBeingReadyAndHeals(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*setup)
		bound  time.Duration
		least  time.Duration
	}{
		"stale": {func(c *setup) { c.node.Stale = 3 * time.Second }, 3200 * time.Millisecond, 1500 * time.Millisecond},
		"deny":  {func(c *setup) { c.node.Deny = true }, 2200 * time.Millisecond, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			proxy := redistest.NewProxy(t, server.Addr())
			l := &ledger{}
			a := start(t, l, onRedis(t, server.Addr()), tc.change)
			b := start(t, l, onRedis(t, proxy.Addr()), tc.change)
			within(t, 3*time.Second, "both ready", func() bool { return a.Ready() && b.Ready() })
			proxy.BlackHole(true)
			p := bearer("while away", "", "u", 0)
			if err := a.revoked(t, l, revoke(identity.RevokeJTI, "while away")); err != nil {
				t.Fatal(err)
			}
			took := within(t, tc.bound, "b stops being ready", func() bool { return !b.Ready() })
			if took < tc.least {
				t.Errorf("stopped after %v already: the bound is not used", took)
			}
			if !a.Ready() || b.State().Stale == 0 {
				t.Errorf("the connected node must go on: %+v %+v; the other must know its age: %+v", a.State(), a.feed.Health(),
					b.State())
			}
			proxy.BlackHole(false)
			proxy.Cut()
			within(t, 4*time.Second, "b is ready again", func() bool {
				if b.Ready() && b.Refused(p) == "" {
					t.Fatal("ready before it knows what was revoked meanwhile")
				}
				return b.Ready()
			})
		})
	}
}

// JW-13, FAULTS 2: when Redis dies, `on_loss deny` refuses at once, while `stale` judges by its copy.
func TestDenyStopsAtOnceWhenRedisDies(t *testing.T) {
	server := redistest.Start(t)
	l := &ledger{}
	deny := start(t, l, onRedis(t, server.Addr()), func(c *setup) { c.node.Deny = true })
	stale := start(t, l, onRedis(t, server.Addr()), nil)
	within(t, 3*time.Second, "both ready", func() bool { return deny.Ready() && stale.Ready() })
	server.Stop()
	within(t, time.Second, "deny", func() bool { return !deny.Ready() })
	if !stale.Ready() {
		t.Error("stale 10s must go on judging by its copy")
	}
	server.Restart()
	within(t, 2*time.Second, "normal within two seconds of the return", deny.Ready)
}

// refusing is a feed that works for readers and refuses writers, like a Redis out of memory.
type refusing struct {
	cluster.Cluster
	full  atomic.Bool
	calls atomic.Int64
}

func (r *refusing) Publish(ctx context.Context, e cluster.Event) error {
	r.calls.Add(1)
	if r.full.Load() {
		return cluster.ErrUnavailable
	}
	return r.Cluster.Publish(ctx, e)
}

// FAULTS 8, R4: what Redis refuses is not acknowledged, counts here at once, and reaches the other node when Redis
// takes it again, without another call.
func TestRevocationThatRedisRefusesIsNotAcknowledgedButEnforced(t *testing.T) {
	server := redistest.Start(t)
	l := &ledger{}
	full := &refusing{Cluster: onRedis(t, server.Addr())}
	a := start(t, l, full, nil)
	b := start(t, l, onRedis(t, server.Addr()), nil)
	within(t, 3*time.Second, "both ready", func() bool { return a.Ready() && b.Ready() })
	full.full.Store(true)
	var revs []store.Revocation
	for i := range 100 {
		revs = append(revs, revoke(identity.RevokeSession, strconv.Itoa(i)))
	}
	err := a.revoked(t, l, revs...)
	if identity.CodeOf(err) != identity.CodeStateUnavailable || !errors.Is(err, cluster.ErrUnavailable) {
		t.Fatalf("acknowledged: %v", err)
	}
	if n := full.calls.Load(); n > 2*senders {
		t.Errorf("%d calls to a server that refuses", n)
	}
	last := bearer("", "99", "u", 0)
	if a.Refused(last) == "" {
		t.Error("not refused where it was revoked")
	}
	full.full.Store(false)
	within(t, time.Second, "all reach the other node", func() bool {
		for _, r := range revs {
			if b.Refused(bearer("", r.Name, "u", 0)) == "" {
				return false
			}
		}
		return true
	})
}
