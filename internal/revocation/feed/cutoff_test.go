package feed

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/cluster/redistest"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/revocation"
)

// watch joins a stream of its own.
func (r *running) watch(ctx context.Context, p *identity.Principal) (*revocation.Stream, func()) {
	s := &revocation.Stream{Context: ctx}
	r.Join(s, p)
	return s, s.End
}

// open joins a stream and returns a channel that receives why it ended.
func (r *running) open(session string) (ended chan error, done func()) {
	ctx, done := r.watch(context.Background(), bearer("", session, "u", 0))
	ended = make(chan error, 1)
	context.AfterFunc(ctx, func() { ended <- context.Cause(ctx) })
	return ended, done
}

func stays(t *testing.T, what string, d time.Duration, ended chan error) {
	t.Helper()
	select {
	case why := <-ended:
		t.Fatalf("%s ended: %v", what, why)
	case <-time.After(d):
	}
}

func ends(t *testing.T, what string, d time.Duration, ended chan error) {
	t.Helper()
	select {
	case why := <-ended:
		if !errors.Is(why, revocation.ErrCutOff) {
			t.Errorf("%s ended because %v", what, why)
		}
	case <-time.After(d):
		t.Errorf("%s is open after %v", what, d)
	}
}

// R4 SE-17, FAULTS 2 and 10: a stream on a node that is cut off from Redis ends when a new request would be refused: at
// once under `deny`, after the bound under `stale`, while those of a connected node go on.
func TestOpenStreamDoesNotOutliveWhatANewRequestIsRefused(t *testing.T) {
	server := redistest.Start(t)
	proxy := redistest.NewProxy(t, server.Addr())
	l := &ledger{}
	connected := start(t, l, onRedis(t, server.Addr()), func(c *setup) { c.node.Deny = true })
	deny := start(t, l, onRedis(t, proxy.Addr()), func(c *setup) { c.node.Deny = true })
	stale := start(t, l, onRedis(t, proxy.Addr()), func(c *setup) { c.node.Stale = 3 * time.Second })
	within(t, 3*time.Second, "all ready", func() bool { return connected.Ready() && deny.Ready() && stale.Ready() })
	onConnected, done := connected.open("a")
	defer done()
	onDeny, done := deny.open("b")
	defer done()
	onStale, done := stale.open("c")
	defer done()
	stays(t, "a stream of a ready node", 300*time.Millisecond, onDeny)

	proxy.BlackHole(true)
	proxy.Cut()
	cut := time.Now()
	ends(t, "a stream under deny", time.Second, onDeny)
	stays(t, "a stream within the bound", time.Until(cut.Add(1500*time.Millisecond)), onStale)
	if !stale.Ready() {
		t.Error("a new request is refused already, and the stream is open")
	}
	ends(t, "a stream beyond the bound", time.Until(cut.Add(3500*time.Millisecond)), onStale)
	stays(t, "a stream of the connected node", 100*time.Millisecond, onConnected)

	proxy.BlackHole(false)
	proxy.Cut()
	within(t, 4*time.Second, "ready again", func() bool { return deny.Ready() && stale.Ready() })
	again, done := deny.open("b")
	defer done()
	stays(t, "a stream opened after the outage", 400*time.Millisecond, again)
}

// deaf is a feed that can say that it is lost.
type deaf struct {
	cluster.Cluster
	lost atomic.Bool
}

func (d *deaf) Health() cluster.Health {
	if d.lost.Load() {
		return cluster.Health{Err: errDown}
	}
	return d.Cluster.Health()
}

// R4: a request that was judged just before the node was cut off, and is registered just after, is cut too.
func TestStreamRegisteredAfterTheCutIsCutAsWell(t *testing.T) {
	feed := &deaf{Cluster: cluster.NewLocal(cluster.LocalOptions{})}
	n := start(t, &ledger{}, feed, func(c *setup) { c.node.Deny = true })
	within(t, time.Second, "ready", n.Ready)
	early, done := n.open("early")
	defer done()
	stays(t, "a stream of a ready node", 250*time.Millisecond, early)
	feed.lost.Store(true)
	ends(t, "the early stream", time.Second, early)
	late, done := n.open("late")
	defer done()
	ends(t, "the late stream", time.Second, late)
}

// R4: under `deny` a sign of life of the feed does not make a node ready whose cluster still says that it is lost, e.g.
// because Redis takes no writes: it would let requests in and cut them a moment later.
func TestDenyWaitsUntilTheClusterSaysThatItIsBack(t *testing.T) {
	feed := &deaf{Cluster: cluster.NewLocal(cluster.LocalOptions{})}
	n := start(t, &ledger{}, feed, func(c *setup) { c.node.Deny = true })
	within(t, time.Second, "ready", n.Ready)
	feed.lost.Store(true)
	within(t, time.Second, "not ready", func() bool { return !n.Ready() })
	n.MarkAlive()
	if n.Ready() {
		t.Error("ready while the feed is lost")
	}
	feed.lost.Store(false)
	within(t, time.Second, "ready again", n.Ready)
}
