package revocation

import (
	"context"
	"fmt"
	"time"

	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// Apply takes one event of the feed.
func (n *Node) Apply(e cluster.Event) {
	if n.learn(e) && n.cfg.OnLag != nil && isRevocation(e) { // what this node decided itself is not news any more
		n.cfg.OnLag(max(0, n.cfg.Now().Sub(time.UnixMilli(e.At))))
	}
}

// Alive notes that the feed works. Whether it is lost for other reasons, watchFeed says.
func (n *Node) Alive() { n.alive.Store(max(1, int64(n.elapsed()))) }

// Resync reads SQL, completely when this node or the shared store knows nothing, else from a while before the last
// read, and gives back what an emptied store must hold again.
func (n *Node) Resync(ctx context.Context, reason string) ([]cluster.Event, error) {
	emptied := reason == cluster.ReasonFlushed || reason == cluster.ReasonEpoch
	var again []cluster.Event
	err := n.readSQL(ctx, emptied, func(e cluster.Event) {
		if emptied {
			again = append(again, e)
		}
	})
	if err != nil {
		return nil, err
	}
	if n.cfg.OnResync != nil {
		n.cfg.OnResync(reason)
	}
	n.synced.Store(true)
	n.cfg.Logger.Info("revocations were read from the database", "reason", reason, "known", n.Len())
	return again, nil
}

// reconcile catches what the feed never carried, e.g. because the node that recorded it died before it could tell.
func (n *Node) reconcile(ctx context.Context) {
	if !n.synced.Load() {
		return
	}
	if err := n.readSQL(ctx, false, func(cluster.Event) {}); err != nil && ctx.Err() == nil {
		n.cfg.Logger.Warn("could not compare the revocations with the database", "error", err)
	}
}

// readSQL learns what SQL has. Two reads never run at once.
func (n *Node) readSQL(ctx context.Context, all bool, each func(cluster.Event)) error {
	select {
	case n.read <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-n.read }()
	start := n.cfg.Now()
	var since time.Time
	if until := n.readUntil.Load(); until != 0 && until <= start.UnixMilli() && !all { // set back, a clock says nothing: read all
		since = time.UnixMilli(until).Add(-overlap)
	}
	err := n.cfg.Source.Revocations(ctx, start, since, func(r store.Revocation) error {
		e := event(r)
		n.learn(e)
		each(e)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read revocations: %w", err)
	}
	n.readUntil.Store(start.UnixMilli())
	return nil
}

// learn makes an event count on this node and tells whether it was news.
func (n *Node) learn(e cluster.Event) bool {
	if kind, ok := identity.ParseRevocationKind(e.Kind); ok {
		if !n.copy.Put(kind, e.Name, e.At, e.Expires) {
			return false
		}
		n.streams.Check()
	}
	if n.cfg.OnEvent != nil {
		n.cfg.OnEvent(e)
	}
	return true
}

func isRevocation(e cluster.Event) bool {
	_, ok := identity.ParseRevocationKind(e.Kind)
	return ok
}

func event(r store.Revocation) cluster.Event {
	return cluster.Event{Kind: r.Kind.String(), Name: r.Name, At: r.At.UnixMilli(), Expires: r.Expires.UnixMilli()}
}
