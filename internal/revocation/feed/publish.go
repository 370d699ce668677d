package feed

import (
	"context"
	"errors"
	"sync"

	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// News is what a committed transaction changed that nodes keep in memory.
type News struct {
	// Revoked are revocations that the transaction recorded.
	Revoked []store.Revocation
	// Users are those whose rows or roles changed.
	Users []identity.ID
	// Keys says that the signing keys changed. The ring that changed them has loaded them already.
	Keys bool
}

// Publish applies committed news on this node at once and publishes it to the other nodes. An error, an
// *identity.Error with CodeStateUnavailable, says that it did not reach the shared store: the caller must not
// acknowledge the change. It is published again until that works, and revocations are found in SQL as well (FAULTS 8).
// Publish goes on when the caller's client has gone away.
func (f *Feed) Publish(ctx context.Context, news News) error {
	events := f.events(news)
	for _, e := range events {
		if e.Kind != cluster.KindKeys {
			f.apply(e)
		}
	}
	if err := f.send(context.WithoutCancel(ctx), events); err != nil {
		return identity.Unavailable(err)
	}
	return nil
}

func (f *Feed) events(news News) []cluster.Event {
	now := f.cfg.Now().UnixMilli()
	events := make([]cluster.Event, 0, len(news.Revoked)+len(news.Users)+1)
	for _, r := range news.Revoked {
		events = append(events, revoked(r))
	}
	for _, id := range news.Users {
		events = append(events, cluster.Event{Kind: cluster.KindChanged, Name: id.String(), At: now})
	}
	if news.Keys {
		events = append(events, cluster.Event{Kind: cluster.KindKeys, At: now})
	}
	for i := range events {
		events[i].Node = f.name
	}
	return events
}

// senders is how many goroutines publish a long list, such as all sessions of all users.
const senders = 8

// send publishes events. Their order does not matter: a node keeps the latest of each name, or reads the database anew.
func (f *Feed) send(ctx context.Context, events []cluster.Event) error {
	var (
		all   sync.WaitGroup
		mu    sync.Mutex
		first error
	)
	each := max(1, (len(events)+senders-1)/senders)
	for len(events) > 0 {
		part := events[:min(each, len(events))]
		events = events[len(part):]
		all.Go(func() {
			if err := f.sendPart(ctx, part); err != nil {
				mu.Lock()
				defer mu.Unlock()
				first = err
			}
		})
	}
	all.Wait()
	return first
}

// sendPart publishes one event after the other. After the first failure the rest is unsent, since each call may take a
// second. An invalid event is dropped: no later try can succeed.
func (f *Feed) sendPart(ctx context.Context, events []cluster.Event) error {
	var invalid error
	for i, e := range events {
		err := f.cfg.Cluster.Publish(ctx, e)
		switch {
		case errors.Is(err, cluster.ErrInvalid):
			invalid = err
		case err != nil:
			f.unsent.add(events[i:])
			return err
		}
	}
	return invalid
}

// maxUnsent bounds the revocations that wait to be published. The other nodes find further ones in SQL within
// reconcileEvery. Changed users and keys have no such record, so all of them wait, one event each.
const maxUnsent = 10_000

// unsent are events that the shared store has not acknowledged, by what they are about.
type unsent struct {
	mu     sync.Mutex
	events map[subject]cluster.Event
}

type subject struct{ kind, name string }

func (u *unsent) add(events []cluster.Event) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.events == nil {
		u.events = map[subject]cluster.Event{}
	}
	for _, e := range events {
		about := subject{e.Kind, e.Name}
		old, waiting := u.events[about]
		if !waiting && len(u.events) >= maxUnsent && isRevocation(e) {
			continue
		}
		e.At, e.Expires = max(e.At, old.At), max(e.Expires, old.Expires)
		u.events[about] = e
	}
}

func (u *unsent) take() []cluster.Event {
	u.mu.Lock()
	defer u.mu.Unlock()
	events := make([]cluster.Event, 0, len(u.events))
	for _, e := range u.events {
		events = append(events, e)
	}
	u.events = nil
	return events
}

// retryUnsent publishes again what the shared store has not acknowledged. One event shows whether it works now.
func (f *Feed) retryUnsent(ctx context.Context) {
	events := f.unsent.take()
	if len(events) == 0 {
		return
	}
	if f.sendPart(ctx, events[:1]) != nil {
		f.unsent.add(events[1:])
		return
	}
	if f.send(ctx, events[1:]) == nil {
		f.cfg.Logger.Info("news that was held back has reached the other nodes", "events", len(events))
	}
}
