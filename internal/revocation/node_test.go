package revocation

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/cluster/redistest"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errDown = errors.New("database is down")

// ledger stands in for SQL: what the nodes of a test share durably.
type ledger struct {
	mu    sync.Mutex
	rows  []store.Revocation
	down  atomic.Bool
	reads atomic.Int64
	rowsN atomic.Int64 // rows handed out
}

func (l *ledger) AddRevocation(_ context.Context, r store.Revocation) error {
	if l.down.Load() {
		return errDown
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows = append(l.rows, r)
	return nil
}

func (l *ledger) Revocations(_ context.Context, now, since time.Time, fn func(store.Revocation) error) error {
	l.reads.Add(1)
	if l.down.Load() {
		return errDown
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.rows {
		if r.Expires.After(now) && !r.At.Before(since) {
			l.rowsN.Add(1)
			if err := fn(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// running is a node of a test with its own feed.
type running struct {
	*Node
	feed cluster.Cluster
	stop func()
}

func start(t *testing.T, l *ledger, feed cluster.Cluster, change func(*Config)) *running {
	t.Helper()
	cfg := Config{Source: l, Feed: feed, Logger: quiet()}
	if change != nil {
		change(&cfg)
	}
	n := New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = n.Run(ctx) }()
	r := &running{Node: n, feed: feed}
	r.stop = sync.OnceFunc(func() { cancel(); <-done; feed.Close() })
	t.Cleanup(r.stop)
	return r
}

func onRedis(t *testing.T, address string) cluster.Cluster {
	t.Helper()
	u := url.URL{Scheme: "redis", Host: address, Path: "/0"}
	o, err := cluster.ParseURL(u.String())
	if err != nil {
		t.Fatal(err)
	}
	c, err := cluster.Open(*o, quiet())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func within(t *testing.T, d time.Duration, what string, ok func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !ok() {
		if time.Since(began) > d {
			t.Fatalf("%s: not within %v", what, d)
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(began)
}

func revoke(kind identity.RevocationKind, name string) store.Revocation {
	now := time.Now()
	return store.Revocation{Kind: kind, Name: name, At: now, Expires: now.Add(time.Hour), Reason: "test"}
}

// revoked records and announces, as a caller does around its commit.
func (r *running) revoked(t *testing.T, l *ledger, revs ...store.Revocation) error {
	t.Helper()
	for _, rev := range revs {
		if err := r.Record(context.Background(), l, rev); err != nil {
			t.Fatal(err)
		}
	}
	return r.Announce(context.Background(), revs...)
}

// JW-13: before SQL was read the copy knows nothing, and nothing it says counts.
func TestNodeThatHasNotReadTheDatabaseIsNotReady(t *testing.T) {
	l := &ledger{}
	l.down.Store(true)
	l.rows = append(l.rows, revoke(identity.RevokeJTI, "old"))
	n := start(t, l, cluster.NewLocal(cluster.LocalOptions{}), nil)
	within(t, time.Second, "tries to read", func() bool { return l.reads.Load() > 0 })
	if n.Ready() || n.State().Ready {
		t.Fatal("ready without having read")
	}
	l.down.Store(false)
	within(t, 2*time.Second, "becomes ready by itself", n.Ready)
	if n.Refused(bearer("old", "", "u", 0)) == "" {
		t.Error("JW-12: a revocation did not survive the restart")
	}
}

// R4: SQL alone is not enough: what was revoked while it was read comes with the feed, which has to be in step first.
func TestNodeIsNotReadyBetweenReadingAndTheFeedsFirstProof(t *testing.T) {
	n := New(Config{Source: &ledger{}, Feed: cluster.NewLocal(cluster.LocalOptions{}), Logger: quiet()})
	if _, err := n.Resync(context.Background(), cluster.ReasonStart); err != nil || n.Ready() || n.State() != (State{}) {
		t.Errorf("ready before the feed is in step: %v %+v", err, n.State())
	}
	n.Alive()
	if !n.Ready() {
		t.Error("control: ready with it")
	}
}

// JW-12, JW-14: on one node a revocation counts when Announce returns.
func TestRevocationCountsAtOnceOnTheNodeThatMadeIt(t *testing.T) {
	l := &ledger{}
	n := start(t, l, cluster.NewLocal(cluster.LocalOptions{}), nil)
	within(t, time.Second, "ready", n.Ready)
	now := time.Now().UnixMilli()
	for kind, p := range map[identity.RevocationKind]*identity.Principal{
		identity.RevokeJTI:     bearer("x", "", "u", now),
		identity.RevokeSession: bearer("", "x", "u", now),
		identity.RevokeUser:    bearer("", "", "x", now-1000),
	} {
		if n.Refused(p) != "" {
			t.Fatal("refused before it was revoked")
		}
		if err := n.revoked(t, l, revoke(kind, "x")); err != nil {
			t.Fatal(err)
		}
		if n.Refused(p) == "" {
			t.Errorf("%v passes after it was revoked", kind)
		}
	}
	if n.Refused(bearer("", "", "x", time.Now().Add(time.Second).UnixMilli())) != "" {
		t.Error("JW-14: a sign-in after the sign-out everywhere must work")
	}
}

// R4, JW-12: revoked on one node, refused on the other well within a second; a change of a user is heard there too.
func TestRevokedOnOneNodeIsRefusedOnTheOtherWithinASecond(t *testing.T) {
	server := redistest.Start(t)
	l := &ledger{}
	var lag atomic.Int64
	heard := make(chan cluster.Event, 100)
	a := start(t, l, onRedis(t, server.Addr()), nil)
	b := start(t, l, onRedis(t, server.Addr()), func(c *Config) {
		c.OnLag = func(d time.Duration) { lag.Add(int64(d) + 1) }
		c.OnEvent = func(e cluster.Event) { heard <- e }
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
		<-heard
	}
	if lag.Load() == 0 {
		t.Error("the lag was not measured")
	}
	id := identity.NewID()
	if err := a.AnnounceChange(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	if e := <-heard; e.Kind != cluster.KindChanged || e.Name != id.String() {
		t.Errorf("heard %+v", e)
	}
}

// R4, FAULTS 7: an emptied Redis, and one restarted without persistence, un-revokes nothing; nodes are ready again by
// themselves and the feed works.
func TestFlushedOrRestartedRedisUnrevokesNothing(t *testing.T) {
	server := redistest.Start(t)
	l := &ledger{}
	resyncs := make(chan string, 100)
	a := start(t, l, onRedis(t, server.Addr()), nil)
	b := start(t, l, onRedis(t, server.Addr()), func(c *Config) { c.OnResync = func(r string) { resyncs <- r } })
	within(t, 3*time.Second, "both ready", func() bool { return a.Ready() && b.Ready() })
	<-resyncs
	first := bearer("first", "", "u", 0)
	if err := a.revoked(t, l, revoke(identity.RevokeJTI, "first")); err != nil {
		t.Fatal(err)
	}
	within(t, time.Second, "refused on b", func() bool { return b.Refused(first) != "" })
	for name, fault := range map[string]func(){"flushed": server.FlushAll, "restarted": server.Restart} {
		// a revocation that only SQL has by the time the feed is back
		l.AddRevocation(context.Background(), revoke(identity.RevokeJTI, name))
		fault()
		within(t, 5*time.Second, name+": b reads SQL again", func() bool { return b.Refused(bearer(name, "", "u", 0)) != "" })
		if a.Refused(first) == "" || b.Refused(first) == "" {
			t.Fatalf("%s: the revocation was lost", name)
		}
		within(t, 5*time.Second, name+": ready", func() bool { return a.Ready() && b.Ready() })
		select {
		case <-resyncs:
		case <-time.After(time.Second):
			t.Fatal("snapshots are not dropped after a gap")
		}
		within(t, 5*time.Second, name+": revoking works again", func() bool {
			return a.Announce(context.Background(), revoke(identity.RevokeJTI, name+"-after")) == nil
		})
		within(t, time.Second, name+": and reaches b", func() bool { return b.Refused(bearer(name+"-after", "", "u", 0)) != "" })
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
		change func(*Config)
		bound  time.Duration
		least  time.Duration
	}{
		"stale": {func(c *Config) { c.Stale = 3 * time.Second }, 3200 * time.Millisecond, 1500 * time.Millisecond},
		"deny":  {func(c *Config) { c.Deny = true }, 2200 * time.Millisecond, 0},
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
				t.Errorf("the connected node must go on: %+v %+v; the other must tell its age: %+v", a.State(), a.feed.Health(), b.State())
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
	deny := start(t, l, onRedis(t, server.Addr()), func(c *Config) { c.Deny = true })
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

// R4: a process that was stopped for longer than its bound is not ready in the moment it goes on.
func TestStoppedProcessIsNotReadyWhenItGoesOn(t *testing.T) {
	l := &ledger{}
	var stopped atomic.Int64
	began := time.Now()
	n := start(t, l, cluster.NewLocal(cluster.LocalOptions{}), func(c *Config) {
		c.Elapsed = func() time.Duration { return time.Since(began) + time.Duration(stopped.Load()) }
	})
	within(t, time.Second, "ready", n.Ready)
	stopped.Store(int64(20 * time.Second)) // as if SIGSTOP had held it
	if n.Ready() {
		t.Error("ready without a sign of life")
	}
	within(t, 2*time.Second, "ready after the next one", n.Ready)
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
// takes it again, without anybody asking.
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
	if n := full.calls.Load(); n > 2*tellers {
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

// R4: a node that died between commit and announcement is made good by the others' comparison with SQL, which is
// partial: it does not read the whole table again.
func TestRevocationThatNobodyAnnouncedIsFoundInTheDatabase(t *testing.T) {
	l := &ledger{}
	old := revoke(identity.RevokeJTI, "old")
	old.At = old.At.Add(-time.Hour)
	l.rows = append(l.rows, old)
	n := start(t, l, cluster.NewLocal(cluster.LocalOptions{}), nil)
	within(t, time.Second, "ready", n.Ready)
	l.rowsN.Store(0)
	l.AddRevocation(context.Background(), revoke(identity.RevokeJTI, "orphan"))
	n.reconcile(context.Background())
	if n.Refused(bearer("orphan", "", "u", 0)) == "" || n.Refused(bearer("old", "", "u", 0)) == "" {
		t.Error("not known")
	}
	if l.rowsN.Load() != 1 {
		t.Errorf("read %d rows", l.rowsN.Load())
	}
	again, err := n.Resync(context.Background(), cluster.ReasonFlushed)
	if err != nil || len(again) != 2 {
		t.Errorf("an emptied Redis gets %d of 2 revocations back: %v", len(again), err)
	}
}

// FAULTS 16: a wall clock that jumps ten years and comes back neither makes the node forget nor changes whether it is
// ready.
func TestClockJumpDoesNotUnrevoke(t *testing.T) {
	const years = 10 * 365 * 24 * time.Hour
	var jump, waited atomic.Int64
	began := time.Now()
	l := &ledger{}
	n := start(t, l, cluster.NewLocal(cluster.LocalOptions{}), func(c *Config) {
		c.Now = func() time.Time { return time.Now().Round(0).Add(time.Duration(jump.Load() + waited.Load())) }
		c.Elapsed = func() time.Duration { return time.Since(began) + time.Duration(waited.Load()) }
	})
	within(t, time.Second, "ready", n.Ready)
	if err := n.revoked(t, l, revoke(identity.RevokeJTI, "x")); err != nil {
		t.Fatal(err)
	}
	p := bearer("x", "", "u", 0)
	for _, d := range []time.Duration{years, -years, 0} {
		jump.Store(int64(d))
		n.copy.Sweep(n.sweepTime())
		if n.Refused(p) == "" || !n.Ready() {
			t.Errorf("clock moved by %v: refused %q, ready %v", d, n.Refused(p), n.Ready())
		}
	}
	jump.Store(int64(years)) // SQL is compared while the clock is wrong, and again when it is right
	n.reconcile(context.Background())
	jump.Store(0)
	l.AddRevocation(context.Background(), revoke(identity.RevokeJTI, "later"))
	n.reconcile(context.Background())
	if n.Refused(bearer("later", "", "u", 0)) == "" {
		t.Error("a clock that was ahead keeps the node from reading SQL")
	}
	waited.Store(int64(2 * time.Hour))
	n.copy.Sweep(n.sweepTime())
	if n.Refused(p) != "" {
		t.Error("control: after two hours by every clock the entry is swept")
	}
}

func startRedis(t *testing.T) string { return redistest.Start(t).Addr() }
