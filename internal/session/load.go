package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// readTime is how long a request waits for SQL before the answer is that the state is unavailable.
const readTime = time.Second

// readTries is how often a row is read that is dropped while it is read.
const readTries = 4

// sharedRead is one read of SQL that all requests with the same cookie share.
type sharedRead[E any] struct {
	done chan struct{}
	live *Live[E] // nil with a nil err: not signed in
	err  error    // an *identity.Error
}

// load reads SQL.
func (t *Table[E]) load(ctx context.Context, hash [32]byte) (*Live[E], error) {
	if t.misses.has(&hash, t.elapsed()) {
		return nil, nil
	}
	shared := t.joinRead(ctx, hash)
	select {
	case <-shared.done:
		return shared.live, shared.err
	case <-ctx.Done():
		return nil, identity.Unavailable(ctx.Err())
	}
}

// joinRead joins the read under way, or starts one. It goes on without the request that started it, since others wait.
func (t *Table[E]) joinRead(ctx context.Context, hash [32]byte) *sharedRead[E] {
	t.readsMu.Lock()
	defer t.readsMu.Unlock()
	if shared, ok := t.reads[hash]; ok {
		return shared
	}
	shared := &sharedRead[E]{done: make(chan struct{})}
	if shared.live = t.ready(&hash); shared.live != nil { // another read has just completed
		close(shared.done)
		return shared
	}
	t.reads[hash] = shared
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTime)
		defer cancel()
		defer close(shared.done)
		select {
		case t.readers <- struct{}{}:
			defer func() { <-t.readers }()
		case <-ctx.Done():
		}
		for range readTries {
			row := t.read(ctx, hash)
			if t.complete(&hash, shared, row) {
				return
			}
		}
		t.readsMu.Lock()
		defer t.readsMu.Unlock()
		delete(t.reads, hash)
		shared.err = identity.Unavailable(errors.New("the session kept changing while it was read"))
	}()
	return shared
}

// row is what SQL said.
type row struct {
	since   uint64 // of the drop log, before the read
	session store.Session
	user    store.UserRecord
	err     error
}

func (t *Table[E]) read(ctx context.Context, hash [32]byte) row {
	r := row{since: t.drops.now(), err: ctx.Err()}
	if r.err == nil {
		r.session, r.user, r.err = t.cfg.Source.SessionByHash(ctx, hash)
	}
	return r
}

// complete sets a row as the result of its read. False when the session or user was dropped while it was read: it is
// read again, so that no request is judged by what was true before a change that has been acknowledged. No request
// joins the read once its result is in the table.
func (t *Table[E]) complete(hash *[32]byte, shared *sharedRead[E], row row) bool {
	t.readsMu.Lock()
	defer t.readsMu.Unlock()
	switch {
	case errors.Is(row.err, store.ErrNotFound):
		t.misses.add(hash, t.elapsed())
	case row.err != nil:
		shared.err = identity.Unavailable(fmt.Errorf("read session: %w", row.err))
	case t.drops.touched(row.since, row.session.ID, row.session.UserID):
		return false
	default:
		r, alive := t.validate(hash, row)
		if !alive {
			t.misses.add(hash, t.elapsed())
		} else if shared.live = t.insert(r, row); shared.live == nil {
			return false
		}
	}
	delete(t.reads, *hash)
	return true
}

// validate reports whether a row is a session that may be used now (SE-10, SE-13, JW-14).
func (t *Table[E]) validate(hash *[32]byte, row row) (record, bool) {
	s, u, now := &row.session, &row.user, t.cfg.Now()
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
	left := min(s.Expires.Sub(now), s.Expires.Sub(s.Created)) // a clock set back lengthens no session
	return record{hash: *hash, id: s.ID, created: s.Created.UnixMilli(), auth: s.AuthTime.UnixMilli(),
		mfa: milli(s.MFATime), passkey: milli(s.PasskeyTime), expires: s.Expires.UnixMilli(),
		until: elapsed + left.Milliseconds(), used: elapsed - unused.Milliseconds(), idle: s.Idle.Milliseconds()}, true
}

// milli is a time in Unix milliseconds; the zero time, "never", is 0.
func milli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// insert puts a session into the table; nil when it was dropped meanwhile.
func (t *Table[E]) insert(r record, row row) *Live[E] {
	s := t.shardOf(&r.hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	who, at := t.owners.acquire(&row.user)
	what, number, room := t.labels.acquire(&row.session)
	// checked after acquire: a later drop of the user finds the owner, an earlier one is in the log
	if t.drops.touched(row.since, row.session.ID, row.session.UserID) {
		t.owners.release(at)
		return nil
	}
	r.owner, r.label = at, number
	l := newLive[E](&r, who, what)
	if !room { // works all the same, at the price of a read each time
		t.owners.release(at)
		return l
	}
	t.put(s, r, l)
	return l
}
