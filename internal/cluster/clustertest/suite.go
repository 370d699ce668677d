package clustertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/cluster"
)

// World opens the nodes of one test.
type World struct {
	// Open adds a node to a fresh world per test t. With Shared, further calls for the same t share state.
	Open   func(t *testing.T) cluster.Cluster
	Shared bool
}

// Run checks everything that the interface promises.
func Run(t *testing.T, w World) {
	for name, test := range map[string]func(*testing.T, World){
		"FeedKeepsOrder":                    feedKeepsOrder,
		"FeedResyncsBeforeAlive":            feedResyncsBeforeAlive,
		"FeedStaysCutOffWhileResyncFails":   feedWaitsForResync,
		"SecondRunIsRefused":                secondRun,
		"PublishRefusesWhatNobodyCouldRead": publishRefuses,
		"PopHasOneWinnerOf50":               popRace,
		"PutNewHasOneWinnerOf50":            putNewRace,
		"ValuesExpireAndAreReplaced":        valuesLive,
		"ValuesRefuseNonsense":              valuesRefuse,
		"ReserveRaceIsExact":                reserveRace,
		"ReserveTakesAllOrNothing":          reserveAllOrNothing,
		"ReserveRefillsEvenly":              reserveRefills,
		"RefundNeverExceedsBurst":           refund,
		"ClearForgets":                      clearForgets,
		"ReserveRefusesNonsense":            reserveRefuses,
		"CancelledCallerGetsAnError":        cancelled,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, w) })
	}
}

func ctx(t *testing.T) context.Context {
	c, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func revoke(kind, name string) cluster.Event {
	now := time.Now()
	return cluster.Event{Kind: kind, Name: name, At: now.UnixMilli(), Expires: now.Add(time.Minute).UnixMilli()}
}

func feedKeepsOrder(t *testing.T, w World) {
	a := w.Open(t)
	nodes := []cluster.Cluster{a}
	if w.Shared {
		nodes = append(nodes, w.Open(t))
	}
	var heard []*Recorder
	for _, n := range nodes {
		r := &Recorder{}
		heard = append(heard, r)
		Follow(t, n, r)
	}
	kinds := []string{cluster.KindJTI, cluster.KindSession, cluster.KindUser, cluster.KindChanged}
	var want []string
	for i := range 200 {
		e := revoke(kinds[i%len(kinds)], fmt.Sprintf("name %d \x00ü", i))
		if e.Kind == cluster.KindChanged {
			e.Expires = 0
		}
		want = append(want, e.Name)
		must(t, a.Publish(ctx(t), e))
	}
	must(t, a.Publish(ctx(t), cluster.Event{Kind: cluster.KindKeys, Node: "publisher"}))
	want = append(want, "")
	for i, r := range heard {
		Eventually(t, "all events", 3*time.Second, func() bool { return len(r.Names()) >= len(want) })
		if got := r.Names(); !slices.Equal(got, want) {
			t.Errorf("node %d heard another order: %q", i, got)
		}
		first, sent := r.Events()[0], revoke(cluster.KindJTI, want[0])
		if first.Kind != sent.Kind || first.Node == "" || first.At == 0 || first.Expires < first.At+59_000 {
			t.Errorf("node %d: event changed on the way: %+v", i, first)
		}
		if last := r.Events()[len(want)-1]; last.Node != "publisher" {
			t.Errorf("node %d: the publisher's name is %q", i, last.Node)
		}
	}
}

func feedResyncsBeforeAlive(t *testing.T, w World) {
	r := &Recorder{}
	Follow(t, w.Open(t), r)
	if got := r.Order(); len(got) < 2 || got[0] != "resync" || got[1] != "alive" {
		t.Errorf("want resync, then alive; got %v", got)
	}
	before := r.Beats()
	Eventually(t, "a heartbeat without traffic", 2500*time.Millisecond, func() bool { return r.Beats() > before })
}

func feedWaitsForResync(t *testing.T, w World) {
	var repaired atomic.Bool
	r := &Recorder{Broken: func() bool { return !repaired.Load() }}
	c := w.Open(t)
	if c.Health().Connected {
		t.Error("connected before the feed ran")
	}
	Begin(t, c, r)
	Eventually(t, "resync retried", 5*time.Second, func() bool { return len(r.Reasons()) >= 3 })
	if r.Beats() > 0 || c.Health().Connected || c.Health().Err == nil {
		t.Errorf("alive though SQL could not be read: %+v", c.Health())
	}
	repaired.Store(true)
	Eventually(t, "connected", 3*time.Second, func() bool { return c.Health().Connected && r.Beats() > 0 })
}

func secondRun(t *testing.T, w World) {
	c := w.Open(t)
	stop := Follow(t, c, &Recorder{})
	if err := c.Run(ctx(t), &Recorder{}); err == nil {
		t.Error("a second Run was accepted")
	}
	stop()
	if c.Health().Connected {
		t.Error("still connected after Run ended")
	}
	Follow(t, c, &Recorder{})
}

func publishRefuses(t *testing.T, w World) {
	c := w.Open(t)
	Follow(t, c, &Recorder{})
	for _, e := range []cluster.Event{
		{Kind: "other", Name: "x", Expires: 1},
		{Kind: cluster.KindJTI, Expires: 1},
		{Kind: cluster.KindJTI, Name: "x"},
		{Kind: cluster.KindUser, Name: string(make([]byte, cluster.MaxName+1)), Expires: 1},
		{Kind: cluster.KindKeys, Name: "x"},
	} {
		if err := c.Publish(ctx(t), e); !errors.Is(err, cluster.ErrInvalid) {
			t.Errorf("%+.60v: want ErrInvalid, got %v", e, err)
		}
	}
	must(t, c.Publish(ctx(t), revoke(cluster.KindUser, string(bytes.Repeat([]byte("x"), cluster.MaxName)))))
}

// connect opens the connections that a race needs: on a busy machine fifty of them at once take longer than a call may.
func connect(t *testing.T, c cluster.Cluster) {
	for tries := 0; ; tries++ {
		var wg sync.WaitGroup
		var failed atomic.Int64
		for range 50 {
			wg.Go(func() {
				if _, _, err := c.Get(ctx(t), "connect"); err != nil {
					failed.Add(1)
				}
			})
		}
		wg.Wait()
		switch {
		case failed.Load() == 0:
			return
		case tries == 50:
			t.Fatal("the nodes cannot be reached by 50 callers at once")
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// race runs f 50 times at once on the nodes and returns how many said yes.
func race(t *testing.T, w World, first cluster.Cluster, f func(cluster.Cluster) (bool, error)) int {
	nodes := []cluster.Cluster{first}
	if w.Shared {
		nodes = append(nodes, w.Open(t))
	}
	for _, n := range nodes {
		connect(t, n)
	}
	var wins atomic.Int64
	var wg sync.WaitGroup
	gate := make(chan struct{})
	for i := range 50 {
		wg.Go(func() {
			<-gate
			yes, err := f(nodes[i%len(nodes)])
			if err != nil {
				t.Error(err)
			}
			if yes {
				wins.Add(1)
			}
		})
	}
	close(gate)
	wg.Wait()
	return int(wins.Load())
}

func popRace(t *testing.T, w World) {
	c := w.Open(t)
	for round := range 20 {
		key := fmt.Sprint("ticket", round)
		must(t, c.Put(ctx(t), key, []byte("v"), time.Minute))
		if n := race(t, w, c, func(c cluster.Cluster) (bool, error) {
			v, ok, err := c.Pop(ctx(t), key)
			if ok && string(v) != "v" {
				t.Errorf("popped %q", v)
			}
			return ok, err
		}); n != 1 {
			t.Fatalf("round %d: %d winners", round, n)
		}
	}
}

func putNewRace(t *testing.T, w World) {
	c := w.Open(t)
	if n := race(t, w, c, func(c cluster.Cluster) (bool, error) {
		return c.PutNew(ctx(t), "mark", []byte("v"), time.Minute)
	}); n != 1 {
		t.Fatalf("%d winners", n)
	}
}

func valuesLive(t *testing.T, w World) {
	c := w.Open(t)
	if _, ok, err := c.Get(ctx(t), "k"); ok || err != nil {
		t.Fatalf("absent value: %v %v", ok, err)
	}
	must(t, c.Put(ctx(t), "k", []byte("one"), time.Minute))
	must(t, c.Put(ctx(t), "k", []byte{}, 150*time.Millisecond))
	v, ok, err := c.Get(ctx(t), "k")
	if err != nil || !ok || len(v) != 0 {
		t.Fatalf("replaced value: %q %v %v", v, ok, err)
	}
	if stored, err := c.PutNew(ctx(t), "k", []byte("x"), time.Minute); stored || err != nil {
		t.Fatalf("PutNew over a value: %v %v", stored, err)
	}
	time.Sleep(200 * time.Millisecond)
	if _, ok, _ := c.Get(ctx(t), "k"); ok {
		t.Error("value outlived its time")
	}
	if _, ok, _ := c.Pop(ctx(t), "k"); ok {
		t.Error("expired value popped")
	}
	if stored, err := c.PutNew(ctx(t), "k", []byte("two"), time.Minute); !stored || err != nil {
		t.Fatalf("PutNew after the end: %v %v", stored, err)
	}
	v, _, _ = c.Get(ctx(t), "k")
	if len(v) == 3 {
		v[0] = 'X'
	}
	if v, ok, _ := c.Pop(ctx(t), "k"); !ok || string(v) != "two" {
		t.Errorf("a caller changed the stored value: %q", v)
	}
}

func valuesRefuse(t *testing.T, w World) {
	c := w.Open(t)
	for _, err := range []error{
		c.Put(ctx(t), "", nil, time.Minute),
		c.Put(ctx(t), string(make([]byte, 513)), nil, time.Minute),
		c.Put(ctx(t), "k", make([]byte, cluster.MaxValue+1), time.Minute),
		c.Put(ctx(t), "k", nil, 0),
		c.Put(ctx(t), "k", nil, -time.Minute),
		func() error { _, err := c.PutNew(ctx(t), "k", nil, 0); return err }(),
		func() error { _, _, err := c.Get(ctx(t), ""); return err }(),
		func() error { _, _, err := c.Pop(ctx(t), ""); return err }(),
		c.Clear(ctx(t), ""),
	} {
		if !errors.Is(err, cluster.ErrInvalid) {
			t.Errorf("want ErrInvalid, got %v", err)
		}
	}
	must(t, c.Put(ctx(t), "k", make([]byte, cluster.MaxValue), time.Minute))
}

func cancelled(t *testing.T, w World) {
	if !w.Shared {
		return // the in-process twin never waits
	}
	c := w.Open(t)
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for range 20 {
		if err := c.Put(gone, "k", nil, time.Minute); !errors.Is(err, cluster.ErrUnavailable) {
			t.Fatalf("want ErrUnavailable, got %v", err)
		}
	}
	must(t, c.Put(ctx(t), "k", nil, time.Minute)) // callers who gave up do not open the breaker
}
