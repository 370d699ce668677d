package session

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/truxeio/caddy-truxe/internal/store"
)

// Grace is how long a secret stays good after it was renewed at a navigation, for the requests that the page before it
// had under way. It is for changes of roles alone, where the holder has proven nothing. A confirmation or a change of
// factors lifts the session, and an attacker who knows the old secret must not be lifted with it (SE-02): there the old
// one is dead at once, and an answer that is lost costs a sign-in. Pages take care that it is not lost (app.js,
// passkey.js).
const Grace = 10 * time.Second

// RenewalSource is the durable truth about secrets that are to be renewed. A *store.Store is one.
type RenewalSource interface {
	Source
	RenewalWanted(ctx context.Context, hash [32]byte, now time.Time) (bool, error)
	SessionByOldSecret(ctx context.Context, hash [32]byte, now time.Time) (
		s store.Session, u store.UserRecord, until time.Time, err error)
}

// maxWanted bounds the renewals remembered, 60 B each. What is forgotten is found when its session is read again.
const maxWanted = 50_000

// Renewals is a Source that also knows which secrets are to be renewed, and finds sessions by those that just were.
type Renewals struct {
	RenewalSource
	now func() time.Time

	mu     sync.RWMutex
	wanted map[[32]byte]struct{}
}

// NewRenewals wraps the durable truth. now may be nil: time.Now.
func NewRenewals(source RenewalSource, now func() time.Time) *Renewals {
	if now == nil {
		now = time.Now
	}
	return &Renewals{RenewalSource: source, now: now, wanted: map[[32]byte]struct{}{}}
}

// SessionByHash reads a session by its secret, or for Grace by the one before it. That one ends with the grace,
// whatever the session's own end, and renews nothing.
func (r *Renewals) SessionByHash(ctx context.Context, hash [32]byte) (store.Session, store.UserRecord, error) {
	s, u, err := r.RenewalSource.SessionByHash(ctx, hash)
	if errors.Is(err, store.ErrNotFound) {
		var until time.Time
		if s, u, until, err = r.RenewalSource.SessionByOldSecret(ctx, hash, r.now()); err != nil {
			return s, u, err
		}
		s.SecretHash = hash
		if until.Before(s.Expires) {
			s.Expires = until
		}
		r.note(hash, false)
		return s, u, nil
	}
	if err != nil {
		return s, u, err
	}
	wanted, err := r.RenewalSource.RenewalWanted(ctx, hash, r.now())
	r.note(hash, wanted)
	return s, u, err
}

func (r *Renewals) note(hash [32]byte, wanted bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !wanted:
		delete(r.wanted, hash)
	case len(r.wanted) < maxWanted:
		r.wanted[hash] = struct{}{}
	}
}

// Wants reports whether the session behind a cookie's value is to get a new one. It reads memory only.
func (r *Renewals) Wants(cookie string) bool {
	r.mu.RLock()
	none := len(r.wanted) == 0
	r.mu.RUnlock()
	if none {
		return false
	}
	hash, ok := ParseSecret(cookie)
	if !ok {
		return false
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	_, ok = r.wanted[hash]
	return ok
}
