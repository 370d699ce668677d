package session

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

const (
	useStep  = 1000    // ms: uses closer together are one
	maxUses  = 200_000 // what may wait to be written while SQL is down
	useBatch = 200     // writes per transaction
	lastTry  = 2 * time.Second
	sweepGap = time.Minute
)

// Used notes that a session is in use now. It is written to SQL in a batch, and costs a lock once a second per session.
// Reads of the session's state and passive paths do not call it (SE-10).
func (t *Table[E]) Used(l *Live[E]) {
	now, last := t.elapsed(), l.used.Load()
	if now-last < min(useStep, l.idle/4) || l.over(now, t.cfg.Now().UnixMilli()) || !l.used.CompareAndSwap(last, now) {
		return // a socket may outlive the idle time of its session, and must not wake it
	}
	t.uses.add(l.id, l.owner.id, t.cfg.Now())
}

// LastUse is when a token last marked its session as used. The zero value means it has not.
type LastUse struct{ at atomic.Int64 }

// tokenStep is how close together uses through one token are one, in ms: programs send many requests, and an API
// session is not idle for long as sessions of browsers go.
const tokenStep = 60_000

// UsedByToken notes that the session of an access token is in use now.
func (t *Table[E]) UsedByToken(session, user identity.ID, last *LastUse) {
	now, before := t.elapsed()+1, last.at.Load() // 0 is never
	if before != 0 && now-before < min(tokenStep, t.cfg.API.Milliseconds()/4) || !last.at.CompareAndSwap(before, now) {
		return
	}
	t.uses.add(session, user, t.cfg.Now())
}

// Refreshed notes that the session of a refresh token is in use now.
func (t *Table[E]) Refreshed(session, user identity.ID) { t.uses.add(session, user, t.cfg.Now()) }

// use is a last use that SQL does not know yet.
type use struct {
	user identity.ID
	at   time.Time
}

// uses are waiting to be written.
type uses struct {
	mu       sync.Mutex
	waiting  map[identity.ID]use
	underway map[identity.ID]use
	dropped  int
	writing  sync.Mutex
}

func (u *uses) add(session, user identity.ID, at time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.waiting == nil {
		u.waiting = map[identity.ID]use{}
	}
	if old, ok := u.waiting[session]; !ok && len(u.waiting) >= maxUses {
		u.dropped++
		return
	} else if ok && old.at.After(at) {
		return
	}
	u.waiting[session] = use{user: user, at: at}
}

// last is the last use that may not have reached SQL.
func (u *uses) last(session identity.ID) (time.Time, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if w, ok := u.waiting[session]; ok {
		return w.at, true
	}
	w, ok := u.underway[session]
	return w.at, ok
}

func (u *uses) take() map[identity.ID]use {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.underway, u.waiting = u.waiting, nil
	return u.underway
}

func (u *uses) done() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.underway = nil
}

// Flush writes the uses that wait. What fails waits again.
func (t *Table[E]) Flush(ctx context.Context) error {
	t.uses.writing.Lock()
	defer t.uses.writing.Unlock()
	all := t.uses.take()
	defer t.uses.done()
	batch := make([]store.Touch, 0, useBatch)
	users := map[identity.ID]time.Time{}
	var failed error
	write := func() {
		if failed == nil && len(batch) > 0 {
			failed = t.cfg.Source.TouchSessions(ctx, batch)
		}
		if failed == nil && len(users) > 0 && t.cfg.TouchUsers != nil {
			failed = t.cfg.TouchUsers(ctx, users)
		}
		if failed != nil {
			for _, b := range batch {
				t.uses.add(b.ID, all[b.ID].user, b.LastSeen)
			}
		}
		batch = batch[:0]
		clear(users)
	}
	for id, u := range all {
		batch = append(batch, store.Touch{ID: id, LastSeen: u.at})
		if u.at.After(users[u.user]) {
			users[u.user] = u.at
		}
		if len(batch) == useBatch {
			write()
		}
	}
	write()
	return failed
}

// Waiting is how many last uses SQL does not know yet.
func (t *Table[E]) Waiting() int {
	t.uses.mu.Lock()
	defer t.uses.mu.Unlock()
	return len(t.uses.waiting) + len(t.uses.underway)
}

// Run writes last uses and forgets what is over, until ctx ends; then it writes once more. It blocks.
func (t *Table[E]) Run(ctx context.Context) error {
	flush := time.NewTicker(max(200*time.Millisecond, min(10*time.Second, t.cfg.Idle/10)))
	defer flush.Stop()
	sweep := time.NewTicker(sweepGap)
	defer sweep.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTry)
			defer cancel()
			if err := t.Flush(last); err != nil {
				t.cfg.Logger.Warn("could not write when sessions were last used", "sessions", t.Waiting(), "error", err)
			}
			return ctx.Err()
		case <-sweep.C:
			t.sweep()
		case <-flush.C:
			err := t.Flush(ctx)
			if (err != nil) != failing && ctx.Err() == nil {
				failing = err != nil
				if failing {
					t.cfg.Logger.Warn("could not write when sessions were last used; they are kept", "sessions", t.Waiting(), "error",
						err)
				}
			}
		}
	}
}
