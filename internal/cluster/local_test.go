package cluster_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/cluster/clustertest"
)

func TestLocalKeepsThePromises(t *testing.T) {
	clustertest.Run(t, clustertest.World{Open: func(*testing.T) cluster.Cluster {
		return cluster.NewLocal(cluster.LocalOptions{})
	}})
}

// R4 a revocation holds when the call that made it returns.
func TestLocalPublishIsAppliedBeforeItReturns(t *testing.T) {
	c := cluster.NewLocal(cluster.LocalOptions{})
	e := cluster.Event{Kind: cluster.KindSession, Name: "before", At: 1, Expires: time.Now().Add(time.Hour).UnixMilli()}
	if err := c.Publish(context.Background(), e); err != nil {
		t.Fatal(err)
	}
	r := &clustertest.Recorder{}
	clustertest.Follow(t, c, r)
	e.Name = "during"
	if err := c.Publish(context.Background(), e); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(r.Names()); got != "[before during]" {
		t.Errorf("heard %s", got)
	}
}

// OP-06 a flood of sign-in flows grows memory to the cap only; the oldest give way.
func TestFloodOfValuesStaysBounded(t *testing.T) {
	ctx := context.Background()
	c := cluster.NewLocal(cluster.LocalOptions{Values: 100, Bytes: 1 << 20})
	for i := range 1000 {
		if err := c.Put(ctx, fmt.Sprint("flow", i), []byte("x"), time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for i := range 1000 {
		if _, ok, _ := c.Get(ctx, fmt.Sprint("flow", i)); ok {
			if n++; i < 900 {
				t.Fatalf("flow %d outlived younger ones", i)
			}
		}
	}
	if n != 100 {
		t.Errorf("%d values kept, want 100", n)
	}
	for i := range 20 { // the bound in bytes holds too
		if err := c.Put(ctx, fmt.Sprint("big", i), make([]byte, 300<<10), time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	n = 0
	for i := range 20 {
		if _, ok, _ := c.Get(ctx, fmt.Sprint("big", i)); ok {
			n++
		}
	}
	if n != 3 {
		t.Errorf("%d values of 300 KB in 1 MB", n)
	}
}

// ED-08 OP-06 a flood of one kind of values pushes out none of another kind, and the kinds together are bounded.
func TestFloodOfOneKindPushesOutNoOther(t *testing.T) {
	ctx := context.Background()
	c := cluster.NewLocal(cluster.LocalOptions{Values: 100})
	for _, key := range []string{"ticket:1", "used:1", "codes:1"} {
		if err := c.Put(ctx, key, []byte("x"), time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 1000 {
		if err := c.Put(ctx, fmt.Sprint("way:", i), []byte("x"), time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"ticket:1", "used:1", "codes:1", "way:999"} {
		if _, ok, err := c.Get(ctx, key); !ok || err != nil {
			t.Errorf("%s was pushed out (%v)", key, err)
		}
	}
	kept := 0
	for kind := range 50 {
		for i := range 100 {
			_ = c.Put(ctx, fmt.Sprintf("kind%d:%d", kind, i), []byte("x"), time.Hour)
		}
	}
	for kind := range 50 {
		for i := range 100 {
			if _, ok, _ := c.Get(ctx, fmt.Sprintf("kind%d:%d", kind, i)); ok {
				kept++
			}
		}
	}
	if kept > 800 {
		t.Errorf("%d values of made-up kinds are kept", kept)
	}
	if _, ok, _ := c.Get(ctx, "ticket:1"); !ok {
		t.Error("made-up kinds pushed a ticket out")
	}
}

// OP-06, FAULTS 31 a million fresh names neither grow the table beyond its cap nor free a throttled person.
func TestKeyFloodCannotEvictThrottledVictim(t *testing.T) {
	c := cluster.NewCounters(1600, nil)
	bucket := func(name string) []cluster.Bucket {
		return []cluster.Bucket{{Key: name, Burst: 5, Window: 5 * time.Minute}}
	}
	for range 5 {
		if out, _ := c.Reserve(bucket("victim")); !out.Allowed {
			t.Fatal("refused below the limit")
		}
	}
	for i := range 1_000_000 {
		if out, err := c.Reserve(bucket(fmt.Sprint("stranger", i))); err != nil || !out.Allowed {
			t.Fatalf("a real person's first try was refused during the flood: %v %v", out, err)
		}
	}
	if n := c.Len(); n > 1600 || n < 1000 {
		t.Errorf("%d buckets kept, cap is 1600", n)
	}
	if out, _ := c.Reserve(bucket("victim")); out.Allowed {
		t.Error("the flood freed the throttled bucket")
	}
}

// A refused try leaves nothing behind, so refused floods cost no memory.
func TestRefusedTriesCostNoMemory(t *testing.T) {
	c := cluster.NewCounters(0, nil)
	address := cluster.Bucket{Key: "address", Burst: 1, Window: time.Hour}
	for i := range 1000 {
		if _, err := c.Reserve([]cluster.Bucket{{Key: fmt.Sprint("name", i), Burst: 5, Window: time.Hour},
			address}); err != nil {
			t.Fatal(err)
		}
	}
	if n := c.Len(); n != 2 {
		t.Errorf("%d buckets after one allowed try", n)
	}
}

// Full buckets leave by themselves: after a quiet window the table shrinks as it is used.
func TestFullBucketsLeave(t *testing.T) {
	now := time.Now()
	c := cluster.NewCounters(0, func() time.Time { return now })
	for i := range 10_000 {
		_, _ = c.Reserve([]cluster.Bucket{{Key: fmt.Sprint(i), Burst: 5, Window: time.Minute}})
	}
	now = now.Add(time.Hour)
	for i := range 15_000 {
		_, _ = c.Reserve([]cluster.Bucket{{Key: fmt.Sprint("later", i), Burst: 5, Window: time.Minute}})
		now = now.Add(13 * time.Second)
	}
	if n := c.Len(); n > 200 {
		t.Errorf("%d buckets kept", n)
	}
}

// LK-12 a clock that steps frees no client early and locks none for the length of the step.
func TestClockStepsDoNotFreeOrPanic(t *testing.T) {
	wall := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC) // without a monotonic reading: the worst case
	c := cluster.NewCounters(0, func() time.Time { return wall })
	b := []cluster.Bucket{{Key: "person", Burst: 5, Window: 5 * time.Minute}}
	try := func() bool {
		t.Helper()
		out, err := c.Reserve(b)
		if err != nil {
			t.Fatal(err)
		}
		return out.Allowed
	}
	for range 5 {
		try()
	}
	wall = wall.Add(-time.Hour)
	if try() {
		t.Error("a step back freed the person")
	}
	wall = wall.Add(59 * time.Second)
	if try() {
		t.Error("freed before the interval had passed")
	}
	wall = wall.Add(2 * time.Second)
	if !try() {
		t.Error("still locked after a real minute: the step back was added to the lock")
	}
	if try() {
		t.Error("more than one event came back")
	}
	wall = wall.Add(100 * 365 * 24 * time.Hour)
	for i := range 5 {
		if !try() {
			t.Errorf("try %d after a step forward refused", i)
		}
	}
	if try() {
		t.Error("a step forward gave more than one burst")
	}
	wall = time.Time{}
	if try() {
		t.Error("a step to year 1 freed the person")
	}
}

// Reserves over several buckets in any order never wait for each other for ever.
func TestReservesDoNotDeadlock(t *testing.T) {
	c := cluster.NewCounters(0, nil)
	done := make(chan struct{})
	go func() {
		defer close(done)
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := range 2000 {
					a, b := fmt.Sprint((i+g)%40), fmt.Sprint((i*7+g*3)%40+100)
					x := cluster.Bucket{Key: a, Burst: 1000, Window: time.Hour}
					y := cluster.Bucket{Key: b, Burst: 1000, Window: time.Hour}
					if g%2 == 0 {
						x, y = y, x
					}
					_, _ = c.Reserve([]cluster.Bucket{x, y})
					_ = c.Refund([]cluster.Bucket{y, x})
				}
			})
		}
		wg.Wait()
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("deadlock")
	}
}

func BenchmarkReserve(b *testing.B) {
	c := cluster.NewCounters(0, nil)
	buckets := []cluster.Bucket{{Key: "site|user", Burst: 1_000_000, Window: time.Hour}}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = c.Reserve(buckets)
	}
}

// ED-07 R4 while a reload replaces an engine, two run in one process: what one of them publishes is applied by both
// before the call returns, and the one that stays goes on when the other ends.
func TestTwoEnginesOfOneProcessHearEachOther(t *testing.T) {
	c := cluster.NewLocal(cluster.LocalOptions{})
	e := cluster.Event{Kind: cluster.KindSession, Name: "a", At: 1, Expires: time.Now().Add(time.Hour).UnixMilli()}
	old, fresh := &clustertest.Recorder{}, &clustertest.Recorder{}
	stop := clustertest.Follow(t, c, old)
	clustertest.Follow(t, c, fresh)
	clustertest.Eventually(t, "the new engine to be in step", 5*time.Second, func() bool { return fresh.Beats() > 0 })
	if err := c.Publish(context.Background(), e); err != nil {
		t.Fatal(err)
	}
	stop()
	if h := c.Health(); !h.Connected {
		t.Errorf("the feed is lost with the old engine: %v", h.Err)
	}
	e.Name = "b"
	if err := c.Publish(context.Background(), e); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(old.Names(), fresh.Names()); got != "[a] [a b]" {
		t.Errorf("heard %s", got)
	}
}
