package gateway

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/revocation"
	"github.com/truxeio/caddy-truxe/internal/store"
)

const (
	// streamsAgain is after how long streams are looked at once more: one may have been judged before the change and joined
	// after it.
	streamsAgain = 300 * time.Millisecond
	// changesTime bounds the reading of rows for one batch. Streams of users whose row was not read by then end (R1).
	changesTime = 2 * time.Second
	// maxChanges bounds the changed users that wait. Beyond it all streams are looked at.
	maxChanges = 100_000
)

// userSet is users whose rows or roles have changed.
type userSet struct {
	ids map[string]struct{} // text of identity.ID
	all bool
}

func (s *userSet) empty() bool { return len(s.ids) == 0 && !s.all }

func (s *userSet) has(id string) bool {
	_, ok := s.ids[id]
	return ok || s.all
}

func (s *userSet) add(id string) {
	if len(s.ids) >= maxChanges {
		s.ids, s.all = nil, true
	}
	if s.all {
		return
	}
	if s.ids == nil {
		s.ids = map[string]struct{}{}
	}
	s.ids[id] = struct{}{}
}

func (s *userSet) merge(other userSet) {
	if other.all {
		s.ids, s.all = nil, true
	}
	for id := range other.ids {
		s.add(id)
	}
}

// changes collects changed users for one worker, so that a burst of them costs a few walks over the open streams and not one
// for each.
type changes struct {
	mu      sync.Mutex
	waiting userSet
	wake    chan struct{}
}

func newChanges() *changes { return &changes{wake: make(chan struct{}, 1)} }

func (c *changes) add(id identity.ID) {
	c.mu.Lock()
	c.waiting.add(id.String())
	c.mu.Unlock()
	c.ring()
}

// addAll is for changes that may have been missed.
func (c *changes) addAll() {
	c.mu.Lock()
	c.waiting = userSet{all: true}
	c.mu.Unlock()
	c.ring()
}

func (c *changes) ring() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *changes) take() userSet {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.waiting
	c.waiting = userSet{}
	return taken
}

// followChanges ends the streams of users who lost a role, at once and once more after streamsAgain, until ctx ends.
func (e *Engine) followChanges(ctx context.Context) {
	var due, next userSet // due is looked at when the ticker fires, next one tick later
	again := time.NewTicker(streamsAgain)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.changes.wake:
			now := e.changes.take()
			e.endStreams(ctx, &now)
			next.merge(now)
		case <-again.C:
			e.endStreams(ctx, &due)
			due, next = next, userSet{}
		}
	}
}

// endStreams ends the open streams of users who have lost a role since they were opened: a request that lasts was judged
// once, by roles that are no more (AZ-08). Who is only given one keeps them. When the roles cannot be read they end too (R1).
func (e *Engine) endStreams(ctx context.Context, changed *userSet) {
	if changed.empty() {
		return
	}
	open := map[string][]string{} // roles now
	e.revoked.Streams().CutWhere(func(p *identity.Principal) error {
		if changed.has(p.UserID) {
			open[p.UserID] = nil
		}
		return nil
	})
	if len(open) == 0 {
		return
	}
	within, cancel := context.WithTimeout(ctx, changesTime)
	defer cancel()
	var failed error
	for name := range open {
		id, ours := identity.ParseID(name)
		if !ours { // of a trusted issuer: no row of ours changes what its token says
			delete(open, name)
			continue
		}
		u, err := e.store.UserByID(within, id)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			failed = err
			continue
		}
		open[name] = u.Roles
	}
	if failed != nil && ctx.Err() == nil {
		e.log.Warn("could not read the roles of users who have changed; their open streams end", "users", len(open), "error", failed)
	}
	e.revoked.Streams().CutWhere(func(p *identity.Principal) error {
		roles, about := open[p.UserID]
		if about && slices.ContainsFunc(p.Roles, func(role string) bool { return !slices.Contains(roles, role) }) {
			return revocation.ErrChanged
		}
		return nil
	})
}
