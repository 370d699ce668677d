package session

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ledger replaces SQL: rows that the nodes of a test share.
type ledger struct {
	mu       sync.Mutex
	sessions map[identity.ID]store.Session
	users    map[identity.ID]store.UserRecord
	reads    atomic.Int64
	touches  atomic.Int64
	down     atomic.Bool
	slow     atomic.Pointer[func()] // called between reading a row and handing it out
}

func newLedger() *ledger {
	return &ledger{sessions: map[identity.ID]store.Session{}, users: map[identity.ID]store.UserRecord{}}
}

func (l *ledger) SessionByHash(_ context.Context, hash [32]byte) (store.Session, store.UserRecord, error) {
	l.reads.Add(1)
	if l.down.Load() {
		return store.Session{}, store.UserRecord{}, store.ErrUnavailable
	}
	l.mu.Lock()
	var s store.Session
	var u store.UserRecord
	err := store.ErrNotFound
	for _, row := range l.sessions {
		if row.SecretHash == hash && row.EndedAt.IsZero() {
			s, u, err = row, l.users[row.UserID], nil
		}
	}
	l.mu.Unlock()
	if slow := l.slow.Load(); slow != nil {
		(*slow)()
	}
	return s, u, err
}

func (l *ledger) TouchSessions(_ context.Context, touches []store.Touch) error {
	if l.down.Load() {
		return store.ErrUnavailable
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range touches {
		if s, ok := l.sessions[t.ID]; ok && s.LastSeen.Before(t.LastSeen) {
			s.LastSeen = t.LastSeen
			l.sessions[t.ID] = s
		}
		l.touches.Add(1)
	}
	return nil
}

func (l *ledger) CreateSession(_ context.Context, s store.Session, _ int) ([]identity.ID, error) {
	if l.down.Load() {
		return nil, store.ErrUnavailable
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sessions[s.ID] = s
	return nil, nil
}

func (l *ledger) RotateSession(_ context.Context, id identity.ID, old, fresh [32]byte, p identity.Proof) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sessions[id]
	if s.SecretHash != old || !s.EndedAt.IsZero() {
		return false, nil
	}
	s.SecretHash, s.AuthTime, s.AMR, s.ACR = fresh, p.AuthTime, p.AMR, p.ACR
	s.MFATime, s.PasskeyTime = p.MFATime, p.PasskeyTime
	l.sessions[id] = s
	return true, nil
}

func (l *ledger) change(id identity.ID, do func(*store.UserRecord)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.users[id]
	do(&u)
	l.users[id] = u
}

func (l *ledger) end(id identity.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sessions[id]
	s.EndedAt = time.Now()
	l.sessions[id] = s
}

func (l *ledger) user(name string, roles ...string) identity.User {
	u := store.UserRecord{User: identity.User{ID: identity.NewID(), Username: name, Email: name + "@example.com",
		Name: name, Roles: roles}}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.users[u.ID] = u
	return u.User
}

// clock is a wall clock and a monotonic one, moved by hand.
type clock struct{ wall, steady atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.wall.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixNano())
	c.steady.Store(int64(time.Hour))
	return c
}

func (c *clock) now() time.Time         { return time.Unix(0, c.wall.Load()) }
func (c *clock) elapsed() time.Duration { return time.Duration(c.steady.Load()) }
func (c *clock) pass(d time.Duration)   { c.wall.Add(int64(d)); c.steady.Add(int64(d)) }

// userTable is a table to which tests attach a user.
type userTable = Table[identity.User]

// node is one table of a test.
func node(l *ledger, c *clock, change func(*Config)) *userTable {
	cfg := Config{Source: l, Logger: slog.New(slog.DiscardHandler)}
	if c != nil {
		cfg.Now, cfg.Elapsed = c.now, c.elapsed
	}
	if change != nil {
		change(&cfg)
	}
	return New[identity.User](cfg)
}

const host = "app.example.com"

func signIn(t testing.TB, table *userTable, l *ledger, u identity.User,
	change func(*NewSession)) (string, store.Session) {
	t.Helper()
	n := NewSession{User: u, Kind: Browser, Host: host, Proof: identity.Proof{AuthTime: table.cfg.Now(),
		AMR: []string{"pwd"},
		ACR: "1"}}
	if change != nil {
		change(&n)
	}
	value, s, _, err := table.Start(context.Background(), l, n)
	if err != nil {
		t.Fatal(err)
	}
	return value, s
}

// found asks a table and fails on errors.
func found(t testing.TB, table *userTable, cookie string) *Live[identity.User] {
	t.Helper()
	l, err := table.Find(context.Background(), cookie, host)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func holds(haystack []byte, needle string) bool { return bytes.Contains(haystack, []byte(needle)) }
