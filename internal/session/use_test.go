package session

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// R11, SE-10: uses reach SQL in batches, and what waits is written when the node stops.
func TestLastUsesAreWrittenInBatchesAndAtTheEnd(t *testing.T) {
	l := newLedger()
	seen := map[identity.ID]time.Time{}
	table := node(l, nil, func(c *Config) {
		c.Idle = 2 * time.Second // flushed every 200 ms
		c.TouchUsers = func(_ context.Context, users map[identity.ID]time.Time) error {
			for id, at := range users {
				seen[id] = at
			}
			return nil
		}
	})
	u := l.user("alice")
	value, s := signIn(t, table, l, u, nil)
	live := found(t, table, value)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = table.Run(ctx) }()
	time.Sleep(600 * time.Millisecond)
	for range 1000 {
		table.Used(live)
	}
	if table.Waiting() > 1 {
		t.Errorf("%d uses wait for one session", table.Waiting())
	}
	cancel()
	<-done
	if row := l.sessions[s.ID]; row.LastSeen.Sub(s.LastSeen) < 500*time.Millisecond || seen[u.ID] != row.LastSeen {
		t.Errorf("last use %v after the start; user %v", row.LastSeen.Sub(s.LastSeen), seen[u.ID])
	}
	if table.Waiting() != 0 || l.touches.Load() > 3 {
		t.Errorf("%d wait, %d writes", table.Waiting(), l.touches.Load())
	}
}

// FAULTS 14: while SQL is down uses wait, bounded; nothing is lost or set back, and no session ends for it.
func TestUsesWaitWhileTheDatabaseIsDown(t *testing.T) {
	l, c := newLedger(), newClock()
	table := node(l, c, nil)
	value, s := signIn(t, table, l, l.user("alice"), nil)
	live := found(t, table, value)
	c.pass(50 * time.Minute)
	table.Used(live)
	l.down.Store(true)
	if table.Flush(context.Background()) == nil {
		t.Fatal("written to a database that is down")
	}
	l.down.Store(false)
	c.pass(20 * time.Minute)
	table.DropAll() // memory forgets, SQL never knew: what waits still counts
	if found(t, table, value) == nil {
		t.Fatal("ended although it was in use")
	}
	if err := table.Flush(context.Background()); err != nil ||
		l.sessions[s.ID].LastSeen != s.LastSeen.Add(50*time.Minute) {
		t.Errorf("%v, %v", err, l.sessions[s.ID].LastSeen)
	}
	table.uses.add(s.ID, s.UserID, c.now())
	table.uses.add(s.ID, s.UserID, c.now().Add(-time.Hour))
	if at, _ := table.uses.last(s.ID); !at.Equal(c.now()) {
		t.Error("an older use replaced a newer one")
	}
	for range maxUses + 10 {
		table.uses.add(identity.NewID(), s.UserID, c.now())
	}
	if table.Waiting() > maxUses {
		t.Errorf("%d wait", table.Waiting())
	}
}

// Requests, drops, sweeps and flushes at the same time.
func TestEverythingAtOnce(t *testing.T) {
	l := newLedger()
	table := node(l, nil, func(c *Config) { c.MaxReady, c.MaxKnown = 64, 128 })
	u := l.user("alice", "staff")
	var values []string
	var ids []identity.ID
	for range 20 {
		v, s := signIn(t, table, l, u, nil)
		values, ids = append(values, v), append(ids, s.ID)
	}
	var work sync.WaitGroup
	for g := range 4 {
		work.Go(func() {
			for i := range 300 {
				live, err := table.Find(context.Background(), values[(i+g)%len(values)], host)
				if err != nil || live == nil {
					continue // dropped four times while it was read: the state is unknown, and the error says so
				}
				if live.Principal.UserID != u.ID.String() {
					t.Error("another one's session")
				}
				table.Used(live)
			}
		})
	}
	work.Go(func() {
		for i := range 200 {
			table.Drop(ids[i%len(ids)])
			table.DropUser(u.ID)
			table.sweep()
			if i%50 == 0 {
				table.DropAll()
			}
			_ = table.Flush(context.Background())
		}
	})
	work.Wait()
	for _, v := range values {
		if found(t, table, v) == nil {
			t.Error("lost")
		}
	}
	table.DropAll()
	if len(table.owners.byID) != 0 || len(table.owners.free) != len(table.owners.list) {
		t.Errorf("%d owners of %d left behind", len(table.owners.list)-len(table.owners.free), len(table.owners.list))
	}
}

// ED-23 SE-10: a socket that outlives its session's idle time cannot wake it.
func TestUseDoesNotWakeAnIdleSession(t *testing.T) {
	l, c := newLedger(), newClock()
	table := node(l, c, nil)
	value, _ := signIn(t, table, l, l.user("alice"), nil)
	live := found(t, table, value)
	flush := func() {
		t.Helper()
		if err := table.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	flush()
	c.pass(59 * time.Minute)
	if table.Used(live); table.Waiting() != 1 { // control
		t.Fatalf("%d uses wait within the idle time", table.Waiting())
	}
	flush()
	c.pass(time.Hour)
	if table.Used(live); table.Waiting() != 0 || found(t, table, value) != nil {
		t.Errorf("%d uses wait after the idle time", table.Waiting())
	}
}

// ED-24: a token marks its session at once and then at most once a minute.
func TestTokenMarksItsSessionOnceAMinute(t *testing.T) {
	l, c := newLedger(), newClock()
	table := node(l, c, nil)
	_, s := signIn(t, table, l, l.user("alice"), func(n *NewSession) { n.Kind = API })
	var last LastUse
	for i, want := range []int{1, 0, 0, 1} {
		if err := table.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
		if table.UsedByToken(s.ID, s.UserID, &last); table.Waiting() != want {
			t.Errorf("use %d: %d wait, want %d", i, table.Waiting(), want)
		}
		c.pass(25 * time.Second)
	}
}
