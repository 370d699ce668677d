package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
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

// Local is the in-process twin: what the engines of one process share. There are two of them while a reload replaces
// one. Publish returns after every handler has applied the event, so a revocation holds when its call is answered.
// A handler must not call Publish.
type Local struct {
	node     string
	counters *Counters
	values   *rooms
	closed   chan struct{}
	close    sync.Once
	health   atomic.Pointer[Health]

	feed  sync.Mutex // held while a handler works
	feeds []*localFeed
	queue []Event // published before the first Run
}

// localFeed is one Run.
type localFeed struct {
	handler FeedHandler
	live    bool    // it is in step
	queue   []Event // published before that
}

// NewLocal returns the in-process twin. It starts nothing.
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
	e.Node = cmp.Or(e.Node, l.node)
	l.feed.Lock()
	defer l.feed.Unlock()
	if len(l.feeds) == 0 {
		return enqueue(&l.queue, e)
	}
	var err error
	for _, f := range l.feeds {
		if f.live {
			f.handler.Apply(e)
		} else {
			err = errors.Join(err, enqueue(&f.queue, e))
		}
	}
	return err
}

func enqueue(queue *[]Event, e Event) error {
	if len(*queue) >= maxQueued {
		return fmt.Errorf("publish before the feed runs: %w", ErrUnavailable)
	}
	*queue = append(*queue, e)
	return nil
}

// Run registers the handler, lets it read SQL, and is its heartbeat until ctx ends.
func (l *Local) Run(ctx context.Context, h FeedHandler) error {
	f := &localFeed{handler: h}
	l.feed.Lock()
	f.queue, l.queue = l.queue, nil
	l.feeds = append(l.feeds, f)
	l.feed.Unlock()
	defer l.leave(f)
	for wait := newBackoff(); ; {
		_, err := h.Resync(ctx, ReasonStart)
		if err == nil {
			break
		}
		l.fail(fmt.Errorf("resync: %w", err))
		if !wait.sleep(ctx, l.closed) {
			return ctx.Err()
		}
	}
	l.feed.Lock()
	for _, e := range f.queue {
		h.Apply(e)
	}
	f.queue, f.live = nil, true
	l.feed.Unlock()
	beat := time.NewTicker(time.Second)
	defer beat.Stop()
	for {
		l.feed.Lock()
		h.Alive()
		l.health.Store(&Health{Connected: true, LastAlive: time.Now()})
		l.feed.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.closed:
			return nil
		case <-beat.C:
		}
	}
}

// leave ends a Run. The others go on.
func (l *Local) leave(f *localFeed) {
	l.feed.Lock()
	l.feeds = slices.DeleteFunc(l.feeds, func(other *localFeed) bool { return other == f })
	l.feed.Unlock()
	l.fail(errors.New("feed stopped"))
}

// fail says why there is no feed, unless another Run is in step.
func (l *Local) fail(err error) {
	l.feed.Lock()
	defer l.feed.Unlock()
	if !slices.ContainsFunc(l.feeds, func(f *localFeed) bool { return f.live }) {
		l.health.Store(&Health{LastAlive: l.Health().LastAlive, Err: err})
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

// Refund returns one unit to each bucket.
func (l *Local) Refund(_ context.Context, buckets []Bucket) error { return l.counters.Refund(buckets) }

// Clear forgets counters.
func (l *Local) Clear(_ context.Context, keys ...string) error { return l.counters.Clear(keys...) }

// Close ends Run.
func (l *Local) Close() error {
	l.close.Do(func() { close(l.closed) })
	return nil
}

var _ Cluster = (*Local)(nil)
