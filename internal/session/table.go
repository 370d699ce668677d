package session

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// Source is the durable truth. A *store.Store is one.
type Source interface {
	// SessionByHash reads a session that has not been ended, with its user; store.ErrNotFound without one.
	SessionByHash(ctx context.Context, hash [32]byte) (store.Session, store.UserRecord, error)
	// TouchSessions notes last uses, never backwards.
	TouchSessions(ctx context.Context, touches []store.Touch) error
}

// Config of a Table. Source and Logger are required.
type Config struct {
	Source Source
	Logger *slog.Logger
	// Idle ends a session after so much inactivity. Default 1 h.
	Idle time.Duration
	// Max ends it absolutely. Default 24 h.
	Max time.Duration
	// Remember is both for "Keep me signed in": the user asked not to be signed out by being away. Default 30 d.
	Remember time.Duration
	// API is both for sessions of Kind API, which live as long as their refresh tokens. Default 30 d.
	API time.Duration
	// Limit is how many sessions one user may have. Default 10.
	Limit int
	// MaxKnown bounds the sessions kept in memory (185 B each), MaxReady those of them with a ready-made principal
	// (450 B each). What does not fit is read from SQL, or made again. Defaults 1,000,000 and 32,768.
	MaxKnown, MaxReady int
	// TouchUsers notes when users were last seen; nil disables it.
	TouchUsers func(ctx context.Context, seen map[identity.ID]time.Time) error
	// Now is the wall clock. Default time.Now.
	Now func() time.Time
	// Elapsed is monotonic time since any fixed moment. Default: since New.
	Elapsed func() time.Duration
}

// Table finds the sessions of one node. E is what a request needs of a session, made from it once: see Live.Attach. All
// methods are safe for concurrent use.
type Table[E any] struct {
	cfg    Config
	shards [shardCount]shard[E]
	owners owners
	labels labels
	drops  dropLog
	uses   uses
	misses misses

	readsMu sync.Mutex
	reads   map[[32]byte]*sharedRead[E]
	readers chan struct{}
}

// maxReaders bounds the reads of SQL at one time, so that a flood of invented cookies leaves connections for others.
const maxReaders = 32

// New returns an empty table.
func New[E any](cfg Config) *Table[E] {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&cfg.Idle, time.Hour)
	def(&cfg.Max, 24*time.Hour)
	def(&cfg.Remember, 30*24*time.Hour)
	def(&cfg.API, 30*24*time.Hour)
	if cfg.Limit <= 0 {
		cfg.Limit = 10
	}
	if cfg.MaxKnown <= 0 {
		cfg.MaxKnown = 1_000_000
	}
	if cfg.MaxReady <= 0 {
		cfg.MaxReady = 32_768
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Elapsed == nil {
		base := time.Now()
		cfg.Elapsed = func() time.Duration { return time.Since(base) }
	}
	t := &Table[E]{cfg: cfg, reads: map[[32]byte]*sharedRead[E]{}, readers: make(chan struct{}, maxReaders)}
	for i := range t.shards {
		t.shards[i].init()
	}
	return t
}

// Find returns the session behind a cookie's value on this host. No session without an error is "not signed in": the
// value is not one of ours, unknown, ended, expired, idle for too long, of another host, or of a disabled user. An
// error is an *identity.Error with CodeStateUnavailable.
func (t *Table[E]) Find(ctx context.Context, cookie, host string) (*Live[E], error) {
	hash, ok := ParseSecret(cookie)
	if !ok {
		return nil, nil
	}
	l, err := t.lookup(ctx, hash)
	if err != nil || l == nil || l.Host != host {
		return nil, err
	}
	return l, nil
}

// lookup is Find by the SHA-256 of the cookie's value, on any host.
func (t *Table[E]) lookup(ctx context.Context, hash [32]byte) (*Live[E], error) {
	if l := t.ready(&hash); l != nil {
		return l, nil
	}
	return t.load(ctx, hash)
}

// ready looks in memory only.
func (t *Table[E]) ready(hash *[32]byte) *Live[E] {
	s := t.shardOf(hash)
	s.mu.RLock()
	l, known := s.find(hash)
	s.mu.RUnlock()
	if !known {
		return nil
	}
	if l == nil {
		if l = t.makeReady(s, hash); l == nil {
			return nil
		}
	}
	if l.owner.gone.Load() || l.over(t.elapsed(), t.cfg.Now().UnixMilli()) {
		return nil // SQL decides: another node may have seen the session in use
	}
	if !l.recent.Load() {
		l.recent.Store(true)
	}
	return l
}

// Drop forgets a session: the next request reads SQL.
func (t *Table[E]) Drop(id identity.ID) {
	t.drops.add(id)
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		if at, ok := s.byID[id]; ok {
			t.remove(s, at)
		}
		s.mu.Unlock()
	}
}

// DropUser forgets a user and all of the user's sessions, e.g. because roles changed: the next request reads SQL
// (AZ-08).
func (t *Table[E]) DropUser(id identity.ID) {
	t.drops.add(id)
	t.owners.drop(id)
	t.misses.clear()
}

// DropAll forgets everything, because changes may have been missed.
func (t *Table[E]) DropAll() {
	t.drops.addAll()
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for len(s.records) > 0 {
			t.remove(s, uint32(len(s.records)-1))
		}
		s.init()
		s.mu.Unlock()
	}
	t.misses.clear()
}

// elapsed is monotonic time in milliseconds.
func (t *Table[E]) elapsed() int64 { return t.cfg.Elapsed().Milliseconds() }
