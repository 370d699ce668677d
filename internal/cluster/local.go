package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// maxQueued bounds events published while Run has not finished its first Resync.
const maxQueued = 10_000

// LocalOptions of the in-process twin. The zero value is right for production.
type LocalOptions struct {
	Now      func() time.Time // default time.Now
	Node     string           // default "local"
	Counters int              // default DefaultCounters
	Values   int              // of each kind; default DefaultValues
	Bytes    int              // of each kind; default DefaultValueBytes
}

// Local is the in-process twin: one node that shares with nobody. Publish returns after the handler has applied
// the event, so a revocation holds when its call is answered. A handler must not call Publish.
type Local struct {
	node     string
	counters *Counters
	values   *rooms
	closed   chan struct{}
	close    sync.Once
	health   atomic.Pointer[Health]

	feed    sync.Mutex // held while the handler works
	handler FeedHandler
	live    bool
	queue   []Event
}

// NewLocal makes the in-process twin. It starts nothing.
func NewLocal(o LocalOptions) *Local {
	if o.Node == "" {
		o.Node = "local"
	}
	if o.Values <= 0 {
		o.Values = DefaultValues
	}
	if o.Bytes <= 0 {
		o.Bytes = DefaultValueBytes
	}
	l := &Local{
		node:     o.Node,
		counters: NewCounters(o.Counters, o.Now),
		values:   newRooms(o.Values, o.Bytes, newClock(o.Now)),
		closed:   make(chan struct{}),
	}
	l.health.Store(&Health{Err: errors.New("feed not started")})
	return l
}

// Publish applies the event before it returns. Before Run is in step, events wait for it, at most 10,000.
func (l *Local) Publish(_ context.Context, e Event) error {
	if err := e.check(); err != nil {
		return err
	}
	e.Node = l.node
	l.feed.Lock()
	defer l.feed.Unlock()
	switch {
	case l.live:
		l.handler.Apply(e)
	case len(l.queue) < maxQueued:
		l.queue = append(l.queue, e)
	default:
		return fmt.Errorf("publish before the feed runs: %w", ErrUnavailable)
	}
	return nil
}

// Run registers the handler, lets it read SQL, and is its heartbeat until ctx ends.
func (l *Local) Run(ctx context.Context, h FeedHandler) error {
	l.feed.Lock()
	if l.handler != nil {
		l.feed.Unlock()
		return errors.New("the feed is already running")
	}
	l.handler = h
	l.feed.Unlock()
	defer func() {
		l.feed.Lock()
		l.handler, l.live = nil, false
		l.feed.Unlock()
		l.health.Store(&Health{LastAlive: l.Health().LastAlive, Err: errors.New("feed stopped")})
	}()
	for wait := newBackoff(); ; {
		_, err := h.Resync(ctx, ReasonStart)
		if err == nil {
			break
		}
		l.health.Store(&Health{Err: fmt.Errorf("resync: %w", err)})
		if !wait.sleep(ctx, l.closed) {
			return ctx.Err()
		}
	}
	l.feed.Lock()
	for _, e := range l.queue {
		h.Apply(e)
	}
	l.queue, l.live = nil, true
	l.feed.Unlock()
	beat := time.NewTicker(time.Second)
	defer beat.Stop()
	for {
		l.feed.Lock()
		h.Alive()
		l.feed.Unlock()
		l.health.Store(&Health{Connected: true, LastAlive: time.Now()})
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.closed:
			return nil
		case <-beat.C:
		}
	}
}

// Health is connected from the first Resync on.
func (l *Local) Health() Health { return *l.health.Load() }

// Put stores a copy of the value in memory.
func (l *Local) Put(_ context.Context, key string, data []byte, ttl time.Duration) error {
	if err := checkValue(key, data, ttl); err != nil {
		return err
	}
	l.values.of(key).put(key, data, ttl, false)
	return nil
}

// PutNew stores when absent.
func (l *Local) PutNew(_ context.Context, key string, data []byte, ttl time.Duration) (bool, error) {
	if err := checkValue(key, data, ttl); err != nil {
		return false, err
	}
	return l.values.of(key).put(key, data, ttl, true), nil
}

// Get reads a value.
func (l *Local) Get(_ context.Context, key string) ([]byte, bool, error) {
	data, ok := l.values.of(key).get(key, false)
	return data, ok, checkKey(key)
}

// Pop reads and deletes a value.
func (l *Local) Pop(_ context.Context, key string) ([]byte, bool, error) {
	data, ok := l.values.of(key).get(key, true)
	return data, ok, checkKey(key)
}

// Reserve takes one unit of each bucket or none.
func (l *Local) Reserve(_ context.Context, buckets []Bucket) (Outcome, error) {
	return l.counters.Reserve(buckets)
}

// Refund gives one unit back to each bucket.
func (l *Local) Refund(_ context.Context, buckets []Bucket) error { return l.counters.Refund(buckets) }

// Clear forgets counters.
func (l *Local) Clear(_ context.Context, keys ...string) error { return l.counters.Clear(keys...) }

// Close ends Run.
func (l *Local) Close() error {
	l.close.Do(func() { close(l.closed) })
	return nil
}

var _ Cluster = (*Local)(nil)
