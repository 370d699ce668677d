package revocation

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// Source is the durable record. A *store.Store is one.
type Source interface {
	// Revocations calls fn for each revocation that expires after now and was recorded at or after since.
	Revocations(ctx context.Context, now, since time.Time, fn func(store.Revocation) error) error
}

// Feed is the part of a cluster.Cluster that carries revocations.
type Feed interface {
	Publish(ctx context.Context, e cluster.Event) error
	Run(ctx context.Context, h cluster.FeedHandler) error
	Health() cluster.Health
}

// Config of a Node. Source, Feed and Logger are required.
type Config struct {
	Source Source
	Feed   Feed
	Logger *slog.Logger
	// Deny refuses as soon as the feed is known to be lost. Otherwise the copy is believed for Stale.
	Deny bool
	// Stale is how long the copy is believed after the feed's last sign of life. Default 10 s; less than MinStale is
	// raised to it, since the feed proves itself about once a second.
	Stale time.Duration
	// OnEvent hears of each event once it counts here: revocations that are news, all changes of users and keys.
	// It must not block and not publish.
	OnEvent func(cluster.Event)
	// OnResync is called when changes of users and keys may have been missed: forget every snapshot, reload keys.
	OnResync func(reason string)
	// OnLag hears how long a revocation of another node took to count here.
	OnLag func(time.Duration)
	// Now is the wall clock. Default time.Now.
	Now func() time.Time
	// Elapsed is monotonic time since any fixed moment, immune to steps of the wall clock. Default: since New.
	Elapsed func() time.Duration
}

// MinStale is the least that Config.Stale can be.
const MinStale = 3 * time.Second

// denySilence is how silent the feed may be under Deny, besides what it says about itself: two heartbeats.
const denySilence = 2 * time.Second

const (
	overlap       = 10 * time.Minute // what a partial read repeats: clock skew of nodes and transactions that took long
	upkeepEvery   = 100 * time.Millisecond
	retryEvery    = 250 * time.Millisecond
	reconcileTime = 30 * time.Second
	sweepEvery    = time.Minute
)

// Node is one node's view of what is revoked. It is ready after it has read SQL once and while the feed is alive.
type Node struct {
	cfg     Config
	copy    *Copy
	streams *Streams
	began   time.Time     // wall clock at New
	offset  time.Duration // Elapsed at New

	synced    atomic.Bool
	lost      atomic.Bool   // under Deny: the cluster says that the feed is lost
	alive     atomic.Int64  // elapsed ns at the last proof of life
	readUntil atomic.Int64  // Unix ms: SQL has been read completely up to here
	read      chan struct{} // holds a token while SQL is read: a full read is not repeated beside another
	owed      owed
}

// New makes a node. It starts nothing and is not ready.
func New(cfg Config) *Node {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Stale == 0 {
		cfg.Stale = 10 * time.Second
	}
	cfg.Stale = max(cfg.Stale, MinStale)
	if cfg.Deny {
		cfg.Stale = denySilence
	}
	if cfg.Elapsed == nil {
		base := time.Now()
		cfg.Elapsed = func() time.Duration { return time.Since(base) }
	}
	n := &Node{cfg: cfg, copy: NewCopy(), began: cfg.Now().Round(0), offset: cfg.Elapsed(), read: make(chan struct{}, 1)}
	n.streams = newStreams(n.copy)
	return n
}

// Run keeps the copy fresh and cuts streams until ctx ends. It blocks. Call it once.
func (n *Node) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	var work sync.WaitGroup
	defer n.end()
	defer work.Wait()
	defer stop()
	work.Go(func() { n.streams.run(ctx, n.cfg.Now) })
	work.Go(func() { n.watchFeed(ctx) })
	work.Go(func() { every(ctx, retryEvery, func() { n.payOwed(ctx) }) })
	work.Go(func() { every(ctx, reconcileTime, func() { n.reconcile(ctx) }) })
	work.Go(func() { every(ctx, sweepEvery, func() { n.copy.Sweep(n.sweepTime()) }) })
	for {
		err := n.cfg.Feed.Run(ctx, n)
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		n.cfg.Logger.Error("the revocation feed stopped and is started again", "error", err)
		pause(ctx, time.Second)
	}
}

// end refuses from now on, and cuts what is still open: without the feed, none of it would end at a revocation (R4).
func (n *Node) end() {
	n.alive.Store(0)
	n.streams.cutAll(ErrCutOff)
}

// Refused gives the code with which a principal is refused, "" when nothing speaks against it (see Copy.Refused).
func (n *Node) Refused(p *identity.Principal) identity.Code { return n.copy.Refused(p) }

// State is whether the copy can be believed.
type State struct {
	Ready bool
	Stale time.Duration // since the feed's last proof of life; 0 before the first
}

// Ready is false before SQL was read and the feed then proved to be in step, and when the feed has been silent for too long (JW-13, R4). It reads the
// monotonic clock each time, so a process that was stopped is not ready when it goes on.
func (n *Node) Ready() bool {
	alive := n.alive.Load()
	return alive != 0 && n.synced.Load() && !n.lost.Load() && n.elapsed()-time.Duration(alive) <= n.cfg.Stale
}

// State is Ready with the age of the copy.
func (n *Node) State() State {
	if n.alive.Load() == 0 {
		return State{}
	}
	return State{Ready: n.Ready(), Stale: n.elapsed() - time.Duration(n.alive.Load())}
}

// Join makes a stream, whose Context is set, end when the principal is revoked, when its credential expires, and when the
// node stops being ready (context.Cause: ErrRevoked, ErrExpired, ErrCutOff). Call its End when the request is done.
func (n *Node) Join(s *Stream, p *identity.Principal) { n.streams.open(s, p) }

// Streams is the registry of the streams that joined.
func (n *Node) Streams() *Streams { return n.streams }

// Len is how many revocations this node remembers.
func (n *Node) Len() int { return n.copy.Len() }

func (n *Node) elapsed() time.Duration { return n.cfg.Elapsed() - n.offset }

// sweepTime is the wall clock, but never further than monotonic time has moved since the start: after a clock that
// jumped ahead and came back, what was revoked must still be known (FAULTS 16).
func (n *Node) sweepTime() int64 {
	wall := n.cfg.Now().Round(0)
	if steady := n.began.Add(n.elapsed()); steady.Before(wall) {
		wall = steady
	}
	return wall.UnixMilli()
}

// watchFeed sees a lost feed within a tenth of a second, and logs when the node stops or starts to be ready. While it is
// not ready, nothing stays open that would be refused as a new request (R4): it cuts at each look, not only at the
// first, since a request that was let in before may be registered after it.
func (n *Node) watchFeed(ctx context.Context) {
	was := false
	every(ctx, upkeepEvery, func() {
		h := n.cfg.Feed.Health()
		n.lost.Store(n.cfg.Deny && !h.Connected)
		now := n.Ready()
		if now && !was {
			n.cfg.Logger.Info("revocations are up to date", "known", n.Len())
		}
		if !now && was {
			n.cfg.Logger.Error("cut off from the revocation feed: requests that need it are refused and open ones are cut",
				"error", h.Err, "silent", n.State().Stale, "open", n.streams.Len())
		}
		if !now {
			n.streams.cutAll(ErrCutOff)
		}
		was = now
	})
}

func every(ctx context.Context, d time.Duration, do func()) {
	t := time.NewTicker(d)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			do()
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
