package revocation

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Config of a Node. The zero value is right for production.
type Config struct {
	// Deny refuses as soon as the feed is known to be lost. Otherwise the copy is believed for Stale.
	Deny bool
	// Stale is how long the copy is believed after the feed's last sign of life. Default 10 s; less than MinStale is
	// raised to it, since the feed proves itself about once a second.
	Stale time.Duration
	// Now is the wall clock. Default time.Now.
	Now func() time.Time
	// Elapsed is monotonic time since any fixed moment, immune to steps of the wall clock. Default: since New.
	Elapsed func() time.Duration
}

// MinStale is the least that Config.Stale can be.
const MinStale = 3 * time.Second

// denySilence is how silent the feed may be under Deny, besides what it says about itself: two heartbeats.
const denySilence = 2 * time.Second

const sweepEvery = time.Minute

// Node is what this node knows of revocations, the open streams that it applies to, and whether it may still be
// believed. It is ready after SQL was read once and while the feed is alive. Requests ask it; package feed feeds it.
type Node struct {
	cfg     Config
	copy    *Copy
	streams *Streams
	began   time.Time     // wall clock at New
	offset  time.Duration // Elapsed at New

	read  atomic.Bool  // SQL has been read completely
	lost  atomic.Bool  // under Deny: the cluster says that the feed is lost
	alive atomic.Int64 // elapsed ns at the last proof of life; 0 before the first and after Stop
}

// New creates a node. It starts nothing and is not ready.
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
	n := &Node{cfg: cfg, copy: NewCopy(), began: cfg.Now().Round(0), offset: cfg.Elapsed()}
	n.streams = newStreams(n.copy)
	return n
}

// Run cuts streams that are revoked or expired and sweeps the copy until ctx ends. It blocks. Call it once.
func (n *Node) Run(ctx context.Context) {
	var work sync.WaitGroup
	work.Go(func() { n.streams.run(ctx, n.cfg.Now) })
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			work.Wait()
			return
		case <-sweep.C:
			n.Sweep()
		}
	}
}

// Refused returns the code with which a principal is refused, "" when nothing speaks against it (see Copy.Refused).
func (n *Node) Refused(p *identity.Principal) identity.Code { return n.copy.Refused(p) }

// State is whether the copy can be believed.
type State struct {
	Ready bool
	Stale time.Duration // since the feed's last proof of life; 0 before the first
}

// Ready is false before SQL was read and the feed then proved to be in step, and when the feed has been silent for too
// long (JW-13, R4). It reads the monotonic clock each time, so a process that was stopped is not ready when it goes on.
func (n *Node) Ready() bool {
	alive := n.alive.Load()
	return alive != 0 && n.read.Load() && !n.lost.Load() && n.elapsed()-time.Duration(alive) <= n.cfg.Stale
}

// State is Ready with the age of the copy.
func (n *Node) State() State {
	if n.alive.Load() == 0 {
		return State{}
	}
	return State{Ready: n.Ready(), Stale: n.elapsed() - time.Duration(n.alive.Load())}
}

// Join ends a stream, whose Context is set, when the principal is revoked, when its credential expires, and when the
// node stops being ready (context.Cause: ErrRevoked, ErrExpired, ErrCutOff). Call its End when the request is done.
func (n *Node) Join(s *Stream, p *identity.Principal) { n.streams.join(s, p) }

// Streams is the registry of the streams that joined.
func (n *Node) Streams() *Streams { return n.streams }

// Len is how many revocations this node remembers.
func (n *Node) Len() int { return n.copy.Len() }

// Add applies a revocation on this node and reports whether it was news. At and expires are Unix ms, as for Copy.Put.
func (n *Node) Add(kind identity.RevocationKind, name string, at, expires int64) bool {
	if !n.copy.Put(kind, name, at, expires) {
		return false
	}
	n.streams.wakeUp()
	return true
}

// MarkRead notes that everything in SQL has been added.
func (n *Node) MarkRead() { n.read.Store(true) }

// MarkAlive notes that the feed works now.
func (n *Node) MarkAlive() { n.alive.Store(max(1, int64(n.elapsed()))) }

// MarkLost notes whether the cluster says that the feed is lost. It matters under Deny only.
func (n *Node) MarkLost(lost bool) { n.lost.Store(n.cfg.Deny && lost) }

// Stop refuses from now on and cuts what is still open: without the feed, none of it would end at a revocation (R4).
func (n *Node) Stop() {
	n.alive.Store(0)
	n.streams.CutAll(ErrCutOff)
}

// Sweep forgets revocations that have expired.
func (n *Node) Sweep() { n.copy.Sweep(n.sweepTime()) }

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
