package feed

import (
	"context"
	"fmt"
	"time"

	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// handler is the feed as the cluster calls it.
type handler struct{ *Feed }

// Apply takes one event of the feed. What this node published itself was applied before it was published.
func (h handler) Apply(e cluster.Event) {
	if e.Node == h.name {
		return
	}
	if h.apply(e) && h.cfg.OnLag != nil && isRevocation(e) {
		h.cfg.OnLag(max(0, h.cfg.Now().Sub(time.UnixMilli(e.At))))
	}
}

// Alive notes that the feed works. Whether it is lost for other reasons, watch finds out.
func (h handler) Alive() { h.cfg.Node.MarkAlive() }

// Resync reads SQL, completely when this node or the shared store knows nothing, else from a while before the last
// read, and returns what an emptied store must hold again.
func (h handler) Resync(ctx context.Context, reason string) ([]cluster.Event, error) {
	emptied := reason == cluster.ReasonFlushed || reason == cluster.ReasonEpoch
	var again []cluster.Event
	err := h.readSQL(ctx, emptied, func(e cluster.Event) {
		if emptied {
			again = append(again, e)
		}
	})
	if err != nil {
		return nil, err
	}
	h.cfg.Observer.ChangesMissed()
	h.cfg.Node.MarkRead()
	h.cfg.Logger.Info("revocations were read from the database", "reason", reason, "known", h.cfg.Node.Len())
	return again, nil
}

// reconcile finds revocations that the feed never carried, e.g. because the node that recorded one died before it could
// publish it.
func (f *Feed) reconcile(ctx context.Context) {
	if f.readUntil.Load() == 0 {
		return
	}
	if err := f.readSQL(ctx, false, func(cluster.Event) {}); err != nil && ctx.Err() == nil {
		f.cfg.Logger.Warn("could not compare the revocations with the database", "error", err)
	}
}

// overlap is what a partial read repeats: clock skew of nodes and transactions that took long.
const overlap = 10 * time.Minute

// readSQL applies what SQL has. Two reads never run at once.
func (f *Feed) readSQL(ctx context.Context, all bool, each func(cluster.Event)) error {
	select {
	case f.reading <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-f.reading }()
	start := f.cfg.Now()
	var since time.Time
	// A clock that was set back says nothing: read all.
	if until := f.readUntil.Load(); until != 0 && until <= start.UnixMilli() && !all {
		since = time.UnixMilli(until).Add(-overlap)
	}
	err := f.cfg.Source.Revocations(ctx, start, since, func(r store.Revocation) error {
		e := revoked(r)
		f.apply(e)
		each(e)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read revocations: %w", err)
	}
	f.readUntil.Store(start.UnixMilli())
	return nil
}

// apply applies an event on this node and reports whether it was news.
func (f *Feed) apply(e cluster.Event) bool {
	if kind, ok := identity.ParseRevocationKind(e.Kind); ok && !f.cfg.Node.Add(kind, e.Name, e.At, e.Expires) {
		return false
	}
	id, ours := identity.ParseID(e.Name)
	switch {
	case e.Kind == cluster.KindKeys:
		f.cfg.Observer.KeysChanged()
	case e.Kind == cluster.KindSession && ours:
		f.cfg.Observer.SessionRevoked(id)
	case (e.Kind == cluster.KindUser || e.Kind == cluster.KindChanged) && ours:
		f.cfg.Observer.UserChanged(id)
	}
	return true
}

func isRevocation(e cluster.Event) bool {
	_, ok := identity.ParseRevocationKind(e.Kind)
	return ok
}

func revoked(r store.Revocation) cluster.Event {
	return cluster.Event{Kind: r.Kind.String(), Name: r.Name, At: r.At.UnixMilli(), Expires: r.Expires.UnixMilli()}
}
