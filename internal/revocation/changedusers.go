package revocation

import (
	"sync"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// maxChanges bounds the changed users that wait. Beyond it the users of all streams count as changed.
const maxChanges = 100_000

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

// changedUsers collects changed users for one worker, so that a burst of them costs a few walks over the open streams
// and not one for each.
type changedUsers struct {
	mu      sync.Mutex
	waiting userSet
	wake    chan struct{}
}

func newChangedUsers() *changedUsers { return &changedUsers{wake: make(chan struct{}, 1)} }

func (c *changedUsers) add(id identity.ID) {
	c.mu.Lock()
	c.waiting.add(id.String())
	c.mu.Unlock()
	c.ring()
}

// addAll is for changes that may have been missed.
func (c *changedUsers) addAll() {
	c.mu.Lock()
	c.waiting = userSet{all: true}
	c.mu.Unlock()
	c.ring()
}

func (c *changedUsers) ring() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *changedUsers) take() userSet {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.waiting
	c.waiting = userSet{}
	return taken
}
