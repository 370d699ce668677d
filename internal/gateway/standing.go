package gateway

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// standingTime is how long a request with a token waits for the database.
const standingTime = time.Second

// maxStandings bounds the people whose standing a node remembers.
const maxStandings = 50_000

// standing is what a person is now, whatever a token of theirs says that was signed before: the gateway judges nobody by
// roles of a moment ago (AZ-08). It is read once per person and node, and again after a change was announced.
type standing struct {
	roles []string
	gone  atomic.Bool // told to change: who holds this reads anew
}

// standings are those of the people whose access tokens are in use.
type standings struct {
	read func(ctx context.Context, id identity.ID) (store.UserRecord, error)

	mu      sync.Mutex
	byID    map[identity.ID]*standing
	reading map[identity.ID]*readings
}

// readings are the reads of one user's row that are under way.
type readings struct {
	count   int
	changes int // of this user, announced meanwhile
}

// of gives somebody's standing. A disabled or deleted person's token is CodeInvalidToken; a database that does not answer is
// CodeStateUnavailable.
func (s *standings) of(ctx context.Context, id identity.ID) (*standing, error) {
	const tries = 4
	for range tries {
		known, r, before := s.begin(id)
		if known != nil {
			return known, nil
		}
		within, cancel := context.WithTimeout(ctx, standingTime)
		u, err := s.read(within, id)
		cancel()
		fresh := s.end(id, r, before, u.Roles, err == nil && !u.Disabled)
		switch {
		case errors.Is(err, store.ErrNotFound) || err == nil && u.Disabled:
			return nil, &identity.Error{Code: identity.CodeInvalidToken, Detail: "The access token is not valid, has expired or was revoked.",
				Err: errors.New("access token: its user is disabled or deleted")}
		case err != nil:
			return nil, &identity.Error{Code: identity.CodeStateUnavailable, RetryAfter: 2 * time.Second, Err: err}
		}
		if fresh != nil {
			return fresh, nil
		}
	}
	return nil, &identity.Error{Code: identity.CodeStateUnavailable, RetryAfter: time.Second, Err: errors.New("the user kept changing while the row was read")}
}

// begin finds a standing, or notes that the row is being read.
func (s *standings) begin(id identity.ID) (known *standing, r *readings, before int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known = s.byID[id]; known != nil {
		return known, nil, 0
	}
	if r = s.reading[id]; r == nil {
		r = &readings{}
		if s.reading == nil {
			s.reading = map[identity.ID]*readings{}
		}
		s.reading[id] = r
	}
	r.count++
	return nil, r, r.changes
}

// end remembers what was read, if it may be. nil when the user changed meanwhile, so that it may be stale: changes of others
// are no reason to read again.
func (s *standings) end(id identity.ID, r *readings, before int, roles []string, there bool) *standing {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.count--; r.count == 0 {
		delete(s.reading, id)
	}
	if !there || r.changes != before {
		return nil
	}
	if known := s.byID[id]; known != nil {
		return known
	}
	for other, st := range s.byID {
		if len(s.byID) < maxStandings {
			break
		}
		st.gone.Store(true) // nobody would tell its holders of a change any more
		delete(s.byID, other)
	}
	if s.byID == nil {
		s.byID = map[identity.ID]*standing{}
	}
	fresh := &standing{roles: roles}
	s.byID[id] = fresh
	return fresh
}

// drop forgets somebody who has changed.
func (s *standings) drop(id identity.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.reading[id]; r != nil {
		r.changes++
	}
	if st := s.byID[id]; st != nil {
		st.gone.Store(true)
		delete(s.byID, id)
	}
}

// dropAll forgets everybody, because changes may have been missed.
func (s *standings) dropAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.reading {
		r.changes++
	}
	for _, st := range s.byID {
		st.gone.Store(true)
	}
	s.byID = nil
}
