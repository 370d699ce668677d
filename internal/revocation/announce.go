package revocation

import (
	"context"
	"sync"
	"time"

	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// Recorder writes the durable record. A *store.Tx is one.
type Recorder interface {
	AddRevocation(ctx context.Context, r store.Revocation) error
}

// Record writes a revocation within the caller's transaction, beside its audit record. It counts nowhere until the
// caller has committed and calls Announce.
func (n *Node) Record(ctx context.Context, tx Recorder, r store.Revocation) error {
	return tx.AddRevocation(ctx, r)
}

// Announce makes committed revocations count here at once and tells the other nodes. An error, an *identity.Error
// with CodeStateUnavailable, says that they could not be told: the caller must not acknowledge. It is told them again
// until it works, and they read SQL by themselves (FAULTS 8). It goes on when the caller's client has gone away.
func (n *Node) Announce(ctx context.Context, revocations ...store.Revocation) error {
	events := make([]cluster.Event, len(revocations))
	for i, r := range revocations {
		events[i] = event(r)
	}
	return n.Tell(ctx, events...)
}

// AnnounceChange says that these users' rows or roles changed, so that every node forgets its snapshots of them.
func (n *Node) AnnounceChange(ctx context.Context, users ...identity.ID) error {
	events := make([]cluster.Event, len(users))
	for i, id := range users {
		events[i] = cluster.Event{Kind: cluster.KindChanged, Name: id.String(), At: n.cfg.Now().UnixMilli()}
	}
	return n.Tell(ctx, events...)
}

// tellers publish a long list, such as all sessions of all users.
const tellers = 8

// Tell is Announce for events of any kind.
func (n *Node) Tell(ctx context.Context, events ...cluster.Event) error {
	for _, e := range events {
		n.learn(e)
	}
	ctx = context.WithoutCancel(ctx)
	var (
		all   sync.WaitGroup
		mu    sync.Mutex
		first error
	)
	each := max(1, (len(events)+tellers-1)/tellers)
	for len(events) > 0 {
		part := events[:min(each, len(events))]
		events = events[len(part):]
		all.Go(func() {
			if err := n.publish(ctx, part); err != nil {
				mu.Lock()
				defer mu.Unlock()
				first = err
			}
		})
	}
	all.Wait()
	if first != nil {
		return &identity.Error{Code: identity.CodeStateUnavailable, RetryAfter: retryAfter, Err: first}
	}
	return nil
}

const retryAfter = 2 * time.Second

// publish tells events in order. After the first failure the rest is owed: each try may take a second.
func (n *Node) publish(ctx context.Context, events []cluster.Event) error {
	for i, e := range events {
		if err := n.cfg.Feed.Publish(ctx, e); err != nil {
			n.owed.add(events[i:])
			return err
		}
	}
	return nil
}

// maxOwed bounds what waits to be told. What does not fit is found in SQL by the other nodes within reconcileTime.
const maxOwed = 10_000

// owed are events that the shared store has not acknowledged.
type owed struct {
	mu     sync.Mutex
	events []cluster.Event
}

func (o *owed) add(events []cluster.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, events[:min(len(events), maxOwed-len(o.events))]...)
}

func (o *owed) take() []cluster.Event {
	o.mu.Lock()
	defer o.mu.Unlock()
	events := o.events
	o.events = nil
	return events
}

// payOwed tries again. What fails is owed again.
func (n *Node) payOwed(ctx context.Context) {
	events := n.owed.take()
	if len(events) == 0 {
		return
	}
	if err := n.publish(ctx, events); err == nil {
		n.cfg.Logger.Info("revocations that were held back have reached the other nodes", "events", len(events))
	}
}
