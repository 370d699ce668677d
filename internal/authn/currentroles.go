package authn

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// rolesReadTime is how long a request with a token waits for the database.
const rolesReadTime = time.Second

// maxUserRoles bounds the users whose roles a node remembers.
const maxUserRoles = 50_000

// userRoles are the roles that a user has now, whatever an access token says that was signed before: no user is judged
// by stale roles (AZ-08). They are read once per user and node, and again after a change was announced.
type userRoles struct {
	roles []string
	stale atomic.Bool // they are to be read again
}

// CurrentRoles has the roles of the users whose access tokens are in use.
type CurrentRoles struct {
	read func(ctx context.Context, id identity.ID) (store.UserRecord, error)

	mu      sync.Mutex
	byID    map[identity.ID]*userRoles
	reading map[identity.ID]*readings
}

// NewCurrentRoles returns roles that read finds.
func NewCurrentRoles(read func(ctx context.Context, id identity.ID) (store.UserRecord, error)) *CurrentRoles {
	return &CurrentRoles{read: read}
}

// readings are the reads of one user's row that are under way.
type readings struct {
	count   int
	changes int // of this user, announced meanwhile
}

// of returns the roles of a user. For a disabled or deleted user it is CodeInvalidToken, for a database that does not
// answer CodeStateUnavailable.
func (s *CurrentRoles) of(ctx context.Context, id identity.ID) (*userRoles, error) {
	const tries = 4
	for range tries {
		known, r, before := s.begin(id)
		if known != nil {
			return known, nil
		}
		within, cancel := context.WithTimeout(ctx, rolesReadTime)
		u, err := s.read(within, id)
		cancel()
		fresh := s.end(id, r, before, u.Roles, err == nil && !u.Disabled)
		switch {
		case errors.Is(err, store.ErrNotFound) || err == nil && u.Disabled:
			return nil, identity.InvalidToken(errors.New("access token: its user is disabled or deleted"))
		case err != nil:
			return nil, identity.Unavailable(err)
		}
		if fresh != nil {
			return fresh, nil
		}
	}
	return nil, identity.Unavailable(errors.New("the user kept changing while the row was read")).RetryIn(time.Second)
}

// begin finds roles that are remembered, or notes that the row is being read.
func (s *CurrentRoles) begin(id identity.ID) (known *userRoles, r *readings, before int) {
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

// end remembers what was read, if it may be. nil when the user changed meanwhile, so that it may be stale: changes of
// others are no reason to read again.
func (s *CurrentRoles) end(id identity.ID, r *readings, before int, roles []string, there bool) *userRoles {
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
		if len(s.byID) < maxUserRoles {
			break
		}
		st.stale.Store(true) // its holders would not learn of a change any more
		delete(s.byID, other)
	}
	if s.byID == nil {
		s.byID = map[identity.ID]*userRoles{}
	}
	fresh := &userRoles{roles: roles}
	s.byID[id] = fresh
	return fresh
}

// Drop forgets a user who has changed.
func (s *CurrentRoles) Drop(id identity.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.reading[id]; r != nil {
		r.changes++
	}
	if st := s.byID[id]; st != nil {
		st.stale.Store(true)
		delete(s.byID, id)
	}
}

// DropAll forgets all users, because changes may have been missed.
func (s *CurrentRoles) DropAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.reading {
		r.changes++
	}
	for _, st := range s.byID {
		st.stale.Store(true)
	}
	s.byID = nil
}
