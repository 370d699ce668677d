package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/truxeio/caddy-truxe/internal/store"
)

// readTime is how long a request waits for SQL before it is told that nobody can tell.
const readTime = time.Second

// flight is one read of SQL that all requests with the same cookie share.
type flight struct {
	since   uint64 // of the drop log, before the read
	landed  chan struct{}
	session store.Session
	user    store.UserRecord
	err     error
}

// load reads SQL. A session that was dropped while it was read is read again, so that nobody is judged by what was true
// before a change that has been acknowledged.
func (t *Table) load(ctx context.Context, hash [32]byte) (*Live, error) {
	if t.misses.has(&hash, t.elapsed()) {
		return nil, nil
	}
	for range 4 {
		f := t.fly(ctx, hash)
		select {
		case <-f.landed:
		case <-ctx.Done():
			return nil, unavailable(ctx.Err())
		}
		if errors.Is(f.err, store.ErrNotFound) {
			t.misses.add(&hash, t.elapsed())
			return nil, nil
		}
		if f.err != nil {
			return nil, unavailable(fmt.Errorf("read session: %w", f.err))
		}
		if t.drops.touched(f.since, f.session.ID, f.session.UserID) {
			continue
		}
		r, ok := t.judge(&hash, f)
		if !ok {
			t.misses.add(&hash, t.elapsed())
			return nil, nil
		}
		if l := t.keepLoaded(r, f); l != nil {
			return l, nil
		}
	}
	return nil, unavailable(errors.New("the session changes faster than it can be read"))
}

// fly joins the read under way, or starts one. It goes on without the request that started it, since others wait.
func (t *Table) fly(ctx context.Context, hash [32]byte) *flight {
	t.flying.Lock()
	defer t.flying.Unlock()
	if f, ok := t.flights[hash]; ok {
		return f
	}
	f := &flight{since: t.drops.now(), landed: make(chan struct{})}
	t.flights[hash] = f
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTime)
		defer cancel()
		select {
		case t.readers <- struct{}{}:
			f.session, f.user, f.err = t.cfg.Source.SessionByHash(ctx, hash)
			<-t.readers
		case <-ctx.Done():
			f.err = ctx.Err()
		}
		t.flying.Lock()
		delete(t.flights, hash)
		t.flying.Unlock()
		close(f.landed)
	}()
	return f
}

// judge says whether a row is a session that may be used now (SE-10, SE-13, JW-14).
func (t *Table) judge(hash *[32]byte, f *flight) (record, bool) {
	s, u, now := &f.session, &f.user, t.cfg.Now()
	seen := s.LastSeen
	if used, ok := t.uses.last(s.ID); ok && used.After(seen) {
		seen = used
	}
	unused := max(0, now.Sub(seen))
	if s.SecretHash != *hash || !s.EndedAt.IsZero() || u.Disabled || s.Created.Before(u.NotBefore) ||
		!now.Before(s.Expires) || unused >= s.Idle {
		return record{}, false
	}
	elapsed := t.elapsed()
	left := min(s.Expires.Sub(now), s.Expires.Sub(s.Created)) // a clock set back gives nobody more than a whole life
	return record{hash: *hash, id: s.ID, created: s.Created.UnixMilli(), auth: s.AuthTime.UnixMilli(), expires: s.Expires.UnixMilli(),
		until: elapsed + left.Milliseconds(), used: elapsed - unused.Milliseconds(), idle: s.Idle.Milliseconds()}, true
}

// keepLoaded puts a session into the table; nil when it was dropped meanwhile. Another request of the same flight may
// have done so already.
func (t *Table) keepLoaded(r record, f *flight) *Live {
	s := t.shardOf(&r.hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	if l, known := s.find(&r.hash); known && l != nil && !l.person.gone.Load() && !l.over(t.elapsed(), t.cfg.Now().UnixMilli()) && l.person.is(&f.user) {
		return l
	}
	who, at := t.people.hold(&f.user)
	what, number, room := t.labels.hold(&f.session)
	// asked after hold: whoever drops the user from here on finds the person, whoever did before is in the log
	if t.drops.touched(f.since, f.session.ID, f.session.UserID) {
		t.people.release(at)
		return nil
	}
	r.person, r.label = at, number
	l := newLive(&r, who, what)
	if !room { // works all the same, at the price of a read each time
		t.people.release(at)
		return l
	}
	t.put(s, r, l)
	return l
}
