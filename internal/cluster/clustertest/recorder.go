// Package clustertest is the conformance suite of cluster.Cluster and the handler that its tests listen with.
package clustertest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/cluster"
)

// Recorder is a FeedHandler that remembers what it was told.
type Recorder struct {
	// Durable stands for SQL: what Resync gives back to be republished after a flush.
	Durable func() []cluster.Event
	// Resync fails while Broken returns true.
	Broken func() bool

	mu      sync.Mutex
	events  []cluster.Event
	reasons []string
	alive   int
	order   []string // "resync", "alive", "apply" as they came
}

// Apply notes the event.
func (r *Recorder) Apply(e cluster.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	r.order = append(r.order, "apply")
}

// Alive counts heartbeats.
func (r *Recorder) Alive() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.alive++
	r.order = append(r.order, "alive")
}

// Resync notes the reason.
func (r *Recorder) Resync(_ context.Context, reason string) ([]cluster.Event, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reasons = append(r.reasons, reason)
	r.order = append(r.order, "resync")
	if r.Broken != nil && r.Broken() {
		return nil, errors.New("sql is away")
	}
	if r.Durable != nil && (reason == cluster.ReasonFlushed || reason == cluster.ReasonEpoch) {
		return r.Durable(), nil
	}
	return nil, nil
}

// Names are the names of all events so far, in order.
func (r *Recorder) Names() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, e := range r.events {
		out = append(out, e.Name)
	}
	return out
}

// Events are all events so far.
func (r *Recorder) Events() []cluster.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// Reasons are those of all Resyncs so far.
func (r *Recorder) Reasons() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.reasons)
}

// Beats is the number of heartbeats so far.
func (r *Recorder) Beats() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.alive
}

// Order is the sequence of calls so far.
func (r *Recorder) Order() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.order)
}

// Follow runs the feed of c into h until the test ends, and waits until it is connected. The returned function stops
// it early.
func Follow(t testing.TB, c cluster.Cluster, h cluster.FeedHandler) (stop func()) {
	t.Helper()
	stop = Begin(t, c, h)
	Eventually(t, "feed connected", 5*time.Second, func() bool { return c.Health().Connected })
	return stop
}

// Begin is Follow without waiting.
func Begin(t testing.TB, c cluster.Cluster, h cluster.FeedHandler) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = c.Run(ctx, h) }()
	var once sync.Once
	stop = func() { once.Do(func() { cancel(); <-done }) }
	t.Cleanup(stop)
	return stop
}

// Eventually fails the test when ok does not hold within d, and tells how long it took.
func Eventually(t testing.TB, what string, d time.Duration, ok func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !ok() {
		if time.Since(began) > d {
			t.Fatalf("%s: not within %s", what, d)
		}
		time.Sleep(2 * time.Millisecond)
	}
	return time.Since(began)
}
