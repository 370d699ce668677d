package gateway

import (
	"context"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/revocation/feed"
)

// snapshots are what an engine keeps in memory of the database. The feed says when they are outdated.
type snapshots struct{ *Engine }

// SessionRevoked implements feed.Observer.
func (s snapshots) SessionRevoked(id identity.ID) { s.sessions.Drop(id) }

// UserChanged implements feed.Observer.
func (s snapshots) UserChanged(id identity.ID) {
	s.sessions.DropUser(id)
	s.roles.Drop(id)
	s.watch.UserChanged(id)
}

// KeysChanged implements feed.Observer.
func (s snapshots) KeysChanged() {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.ring.Reload(ctx); err != nil {
			s.log.Warn("could not reload the signing keys", "error", err)
		}
	}()
}

// ChangesMissed implements feed.Observer.
func (s snapshots) ChangesMissed() {
	s.sessions.DropAll()
	s.roles.DropAll()
	s.watch.AllChanged()
	s.KeysChanged()
}

// publishKeys announces to the other nodes that this one has changed the signing keys.
func (e *Engine) publishKeys(ctx context.Context) error {
	return e.feed.Publish(ctx, feed.News{Keys: true})
}
