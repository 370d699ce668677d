package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/cluster/clustertest"
	"github.com/truxeio/caddy-truxe/internal/cluster/redistest"
	"github.com/truxeio/caddy-truxe/test/timebound"
)

func publish(t *testing.T, c cluster.Cluster, name string) {
	t.Helper()
	if err := c.Publish(context.Background(), revocation(name)); err != nil {
		t.Fatal(err)
	}
}

// eachWithin fails when one of n calls takes longer than d; it returns how many failed.
func eachWithin(t *testing.T, n int, d time.Duration, f func() error) (failed int) {
	t.Helper()
	for range n {
		began := time.Now()
		if f() != nil {
			failed++
		}
		timebound.Check(t, "a call", time.Since(began), d)
	}
	return failed
}

// FAULTS 1 Redis is down at start: not connected, never "allowed", and well again by itself.
func TestRedisDownAtStartHealsByItself(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	s.Stop()
	c := open(t, s.URL(), "truxe:")
	r := &clustertest.Recorder{}
	clustertest.Begin(t, c, r)
	b := []cluster.Bucket{{Key: "k", Burst: 5, Window: time.Minute}}
	failed := eachWithin(t, 20, time.Second, func() error {
		out, err := c.Reserve(context.Background(), b)
		if out.Allowed || !errors.Is(err, cluster.ErrUnavailable) {
			t.Errorf("without Redis: %v %v", out, err)
		}
		return err
	})
	if failed != 20 || c.Health().Connected || r.Beats() != 0 {
		t.Errorf("%d failed, %+v, %d beats", failed, c.Health(), r.Beats())
	}
	s.Restart()
	took := clustertest.Eventually(t, "connected", 2*time.Second, func() bool { return c.Health().Connected })
	t.Logf("connected %s after the start", took)
	if out, err := c.Reserve(context.Background(), b); err != nil || !out.Allowed {
		t.Errorf("after the start: %v %v", out, err)
	}
}

// FAULTS 2, 7 Redis is killed and comes back empty: the node notices, reads SQL before it calls the feed alive, and
// fills Redis again, revoked keys included.
func TestKilledRedisIsRefilledFromSQL(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := open(t, s.URL(), "truxe:")
	r := &clustertest.Recorder{Durable: func() []cluster.Event {
		var out []cluster.Event
		for i := range 1200 {
			out = append(out, revocation(fmt.Sprint("durable", i)))
		}
		return out
	}}
	clustertest.Follow(t, c, r)
	publish(t, c, "before")
	clustertest.Eventually(t, "heard", time.Second, func() bool { return slices.Contains(r.Names(), "before") })
	s.Stop()
	took := clustertest.Eventually(t, "seen as lost", 2*time.Second, func() bool { return !c.Health().Connected })
	t.Logf("loss seen after %s", took)
	beats := r.Beats()
	if err := c.Publish(context.Background(), revocation("lost")); !errors.Is(err, cluster.ErrUnavailable) {
		t.Errorf("a revocation was acknowledged without Redis: %v", err)
	}
	time.Sleep(300 * time.Millisecond)
	if r.Beats() > beats {
		t.Error("alive without Redis")
	}
	n := len(r.Order())
	s.Restart()
	took = clustertest.Eventually(t, "connected", 2*time.Second, func() bool { return c.Health().Connected })
	t.Logf("connected %s after the return", took)
	if after := r.Order()[n:]; after[0] != "resync" || !slices.Contains(r.Reasons(), cluster.ReasonFlushed) {
		t.Errorf("order %v, reasons %v", after[:2], r.Reasons())
	}
	for _, i := range []int{0, 600, 1199} {
		name := fmt.Sprint("durable", i)
		if got := s.Do("GET", "truxe:revoked:"+name); got != name {
			t.Errorf("revoked key of %s holds %v", name, got)
		}
	}
	clustertest.Eventually(t, "refill heard by the feed", time.Second,
		func() bool { return slices.Contains(r.Names(), "durable1199") })
}

// FAULTS 7 FLUSHALL under a living connection: noticed within about a second on every node, refilled, counters
// cautious.
func TestFlushedRedisIsRefilledWithinASecond(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	durable := func() []cluster.Event { return []cluster.Event{revocation("durable")} }
	a, b := open(t, s.URL(), "truxe:"), open(t, s.URL(), "truxe:")
	ra, rb := &clustertest.Recorder{Durable: durable}, &clustertest.Recorder{Durable: durable}
	clustertest.Follow(t, a, ra)
	clustertest.Follow(t, b, rb)
	bucket := []cluster.Bucket{{Key: "fresh", Burst: 6, Window: time.Hour}}
	s.FlushAll()
	took := clustertest.Eventually(t, "refilled", 1500*time.Millisecond,
		func() bool { return s.Do("GET", "truxe:revoked:durable") == "durable" })
	t.Logf("refilled after %s", took)
	refilled := func(r *clustertest.Recorder) bool {
		got := r.Reasons()
		last := got[len(got)-1]
		return last == cluster.ReasonFlushed || last == cluster.ReasonEpoch
	}
	clustertest.Eventually(t, "both nodes noticed", 1500*time.Millisecond,
		func() bool { return refilled(ra) && refilled(rb) })
	clustertest.Eventually(t, "connected", time.Second,
		func() bool { return a.Health().Connected && b.Health().Connected })
	n := 0
	for range 10 {
		out, err := a.Reserve(context.Background(), bucket)
		if err != nil {
			t.Fatal(err)
		}
		if out.Allowed {
			n++
		}
	}
	if n != 3 {
		t.Errorf("%d tries right after a flush, want half of 6", n)
	}
	publish(t, a, "later")
	clustertest.Eventually(t, "feed works", time.Second, func() bool { return slices.Contains(rb.Names(), "later") })
}

// FAULTS 4 the feed is dead but silent: no heartbeat is claimed, and SQL is read before the next one.
func TestFrozenRedisIsNotAlive(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := open(t, s.URL(), "truxe:")
	r := &clustertest.Recorder{}
	clustertest.Follow(t, c, r)
	s.Freeze()
	defer s.Thaw()
	time.Sleep(50 * time.Millisecond)
	beats := r.Beats()
	clustertest.Eventually(t, "seen as lost", 2*time.Second, func() bool { return !c.Health().Connected })
	if failed := eachWithin(t, 30, time.Second,
		func() error { _, _, err := c.Get(context.Background(), "k"); return err }); failed != 30 {
		t.Errorf("%d of 30 calls failed", failed)
	}
	time.Sleep(3 * time.Second)
	if r.Beats() > beats {
		t.Error("alive though frozen")
	}
	n := len(r.Order())
	s.Thaw()
	took := clustertest.Eventually(t, "connected", 2*time.Second, func() bool { return c.Health().Connected })
	t.Logf("connected %s after the thaw", took)
	if after := r.Order()[n:]; after[0] != "resync" {
		t.Errorf("alive before resync: %v", after)
	}
}

// FAULTS 4, 10 only one node's way is cut: that one is cut off, the other goes on, and the first catches up.
func TestOneNodeCutOffCatchesUp(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	p := redistest.NewProxy(t, s.Addr())
	cut, whole := open(t, "redis://"+p.Addr(), "truxe:"), open(t, s.URL(), "truxe:")
	rc, rw := &clustertest.Recorder{}, &clustertest.Recorder{}
	clustertest.Follow(t, cut, rc)
	clustertest.Follow(t, whole, rw)
	p.BlackHole(true)
	publish(t, whole, "meanwhile")
	clustertest.Eventually(t, "the other node hears", time.Second,
		func() bool { return slices.Contains(rw.Names(), "meanwhile") })
	clustertest.Eventually(t, "cut off", 4*time.Second, func() bool { return !cut.Health().Connected })
	if !whole.Health().Connected {
		t.Error("the other node suffered")
	}
	time.Sleep(time.Second)
	resyncs := len(rc.Reasons())
	p.BlackHole(false)
	p.Cut()
	clustertest.Eventually(t, "healed", 4*time.Second, func() bool { return cut.Health().Connected })
	if len(rc.Reasons()) <= resyncs {
		t.Error("healed without reading SQL")
	}
	publish(t, cut, "again")
	clustertest.Eventually(t, "both hear", time.Second, func() bool {
		return slices.Contains(rw.Names(), "again") && slices.Contains(rc.Names(), "again")
	})
}

// FAULTS 3 Redis 100 ms away works; a black hole costs no call more than a second and piles nothing up.
func TestSlowRedisWorksAndBlackHoleFailsFast(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	p := redistest.NewProxy(t, s.Addr())
	c := open(t, "redis://"+p.Addr(), "truxe:")
	clustertest.Follow(t, c, &clustertest.Recorder{})
	put := func() error { return c.Put(context.Background(), "k", []byte("v"), time.Minute) }
	p.Delay(100 * time.Millisecond)
	if failed := eachWithin(t, 10, 500*time.Millisecond, put); failed > 0 {
		t.Errorf("%d calls failed at 100 ms", failed)
	}
	p.Delay(0)
	p.BlackHole(true)
	var wg sync.WaitGroup
	began := time.Now()
	for range 200 {
		wg.Go(func() { eachWithin(t, 5, time.Second, put) })
	}
	wg.Wait()
	timebound.Check(t, "1000 calls into a black hole", time.Since(began), 3*time.Second)
	// Open breaker: refused at once.
	if failed := eachWithin(t, 1, 300*time.Millisecond, put); failed != 1 {
		t.Error("a call into a black hole succeeded")
	}
	p.BlackHole(false)
	p.Cut()
	took := clustertest.Eventually(t, "calls work", 2*time.Second, func() bool { return put() == nil })
	t.Logf("calls work %s after the repair", took)
}

// FAULTS 5 entries were trimmed before this node read them: SQL is read before the feed counts as alive.
func TestTrimmedFeedIsAGap(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	p := redistest.NewProxy(t, s.Addr())
	c := open(t, "redis://"+p.Addr(), "truxe:")
	r := &clustertest.Recorder{}
	clustertest.Follow(t, c, r)
	writer := open(t, s.URL(), "truxe:")
	publish(t, writer, "first")
	clustertest.Eventually(t, "heard", time.Second, func() bool { return slices.Contains(r.Names(), "first") })
	// The stream is cut below the reader's feet in one step with the new entries, so no read falls in between.
	s.Do("EVAL",
		`for i=1,5 do redis.call('XADD',KEYS[1],'*','kind','jti','name','gone','at','1','expires','9','node','x') end
		redis.call('XTRIM',KEYS[1],'MAXLEN',0) return 1`, 1, "truxe:revocations")
	clustertest.Eventually(t, "gap seen", 2*time.Second,
		func() bool { return slices.Contains(r.Reasons(), cluster.ReasonGap) })
	if slices.Contains(r.Names(), "gone") {
		t.Error("the test did not make a gap")
	}
	s.Do("XTRIM", "truxe:revocations", "MAXLEN", 0)
	n := len(r.Reasons())
	publish(t, writer, "second")
	clustertest.Eventually(t, "heard", time.Second, func() bool { return slices.Contains(r.Names(), "second") })
	s.Do("XTRIM", "truxe:revocations", "MAXLEN", 0)
	time.Sleep(1500 * time.Millisecond)
	if len(r.Reasons()) != n {
		t.Error("control: trimming what was read is no gap")
	}
	// FAULTS 6 a replica that was behind took over: the stream went backwards.
	s.Do("DEL", "truxe:revocations")
	clustertest.Eventually(t, "backwards seen", 2*time.Second, func() bool { return len(r.Reasons()) > n })
}

// A short loss of the connection loses no event: the stream is read from where the node stopped.
func TestEventsDuringReconnectAreReplayed(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	p := redistest.NewProxy(t, s.Addr())
	c, writer := open(t, "redis://"+p.Addr(), "truxe:"), open(t, s.URL(), "truxe:")
	r := &clustertest.Recorder{}
	clustertest.Follow(t, c, r)
	var want []string
	for i := range 200 {
		if i%20 == 0 {
			p.Cut()
		}
		name := fmt.Sprint(i)
		want = append(want, name)
		publish(t, writer, name)
		time.Sleep(2 * time.Millisecond)
	}
	clustertest.Eventually(t, "in step", 3*time.Second, func() bool { return c.Health().Connected })
	// Whatever was published before a Resync may come from SQL instead; after the last one nothing may be missing.
	publish(t, writer, "end")
	clustertest.Eventually(t, "heard", 2*time.Second, func() bool { return slices.Contains(r.Names(), "end") })
	if !slices.Contains(r.Reasons(), cluster.ReasonReconnect) {
		t.Errorf("reasons %v", r.Reasons())
	}
	var last int
	for _, name := range r.Names() {
		i := slices.Index(want, name)
		if name != "end" && i < last {
			t.Fatalf("%q came twice or out of order", name)
		}
		last = max(last, i)
	}
}
