// Package feed carries news between the nodes: revocations, changed users and changed signing keys.
//
// There is one path for every change: commit it, apply it on this node, publish it to the others, and publish again
// what could not be published. SQL is the durable record. It is read at start, after every gap of the feed and every
// half minute, so that neither an emptied nor a refusing Redis un-revokes anything (R4).
package feed

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/revocation"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// Source is the durable record. A *store.Store is one.
type Source interface {
	// Revocations calls fn for each revocation that expires after now and was recorded at or after since.
	Revocations(ctx context.Context, now, since time.Time, fn func(store.Revocation) error) error
}

// Cluster is the part of a cluster.Cluster that carries news.
type Cluster interface {
	Publish(ctx context.Context, e cluster.Event) error
	Run(ctx context.Context, h cluster.FeedHandler) error
	Health() cluster.Health
}

// Observer keeps in memory what the database says about sessions, users and keys. Its methods drop or reload that. They
// must neither block nor publish.
type Observer interface {
	// SessionRevoked is called when a session was revoked.
	SessionRevoked(id identity.ID)
	// UserChanged is called when a user's row or roles changed, or everything of the user was revoked.
	UserChanged(id identity.ID)
	// KeysChanged is called when another node changed the signing keys.
	KeysChanged()
	// ChangesMissed is called when any of these may have been missed.
	ChangesMissed()
}

// Config of a Feed. All but OnLag and Now is required.
type Config struct {
	Source   Source
	Cluster  Cluster
	Node     *revocation.Node
	Observer Observer
	Logger   *slog.Logger
	// OnLag receives how long a revocation of another node took to count here.
	OnLag func(time.Duration)
	// Now is the wall clock. Default time.Now.
	Now func() time.Time
}

const (
	watchEvery     = 100 * time.Millisecond
	retryEvery     = 250 * time.Millisecond
	reconcileEvery = 30 * time.Second
)

// Feed is one node's end of the feed. All methods are safe for concurrent use.
type Feed struct {
	cfg       Config
	name      string        // in what this feed publishes: such news was applied here before
	readUntil atomic.Int64  // Unix ms: SQL has been read completely up to here; 0 before the first time
	reading   chan struct{} // holds a token while SQL is read: a full read is not repeated beside another
	unsent    unsent
}

// New creates a feed. It starts nothing.
func New(cfg Config) *Feed {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Feed{cfg: cfg, name: identity.NewID().String(), reading: make(chan struct{}, 1)}
}

// Run keeps the node fresh and its streams cut until ctx ends; then the node refuses. It blocks. Call it once.
func (f *Feed) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	var work sync.WaitGroup
	defer f.cfg.Node.Stop()
	defer work.Wait()
	defer stop()
	work.Go(func() { f.cfg.Node.Run(ctx) })
	work.Go(func() { f.watch(ctx) })
	work.Go(func() { every(ctx, retryEvery, func() { f.retryUnsent(ctx) }) })
	work.Go(func() { every(ctx, reconcileEvery, func() { f.reconcile(ctx) }) })
	for {
		err := f.cfg.Cluster.Run(ctx, handler{f})
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		f.cfg.Logger.Error("the revocation feed stopped and is started again", "error", err)
		pause(ctx, time.Second)
	}
}

// watch finds a lost feed within a tenth of a second, and logs when the node stops or starts to be ready. While it is
// not ready, nothing stays open that would be refused as a new request (R4). It cuts each time, not only the first,
// since a request that was let in before may be registered after it.
func (f *Feed) watch(ctx context.Context) {
	node, was := f.cfg.Node, false
	every(ctx, watchEvery, func() {
		h := f.cfg.Cluster.Health()
		node.MarkLost(!h.Connected)
		now := node.Ready()
		if now && !was {
			f.cfg.Logger.Info("revocations are up to date", "known", node.Len())
		}
		if !now && was {
			f.cfg.Logger.Error("cut off from the revocation feed: requests that need it are refused and open ones are cut",
				"error", h.Err, "silent", node.State().Stale, "open", node.Streams().Len())
		}
		if !now {
			node.Streams().CutAll(revocation.ErrCutOff)
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
