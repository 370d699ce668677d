package session

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// crowd generates rows without keeping them, so that a test measures the table alone.
type crowd struct {
	*ledger
	users []identity.ID
	row   int
}

func (c *crowd) SessionByHash(_ context.Context, hash [32]byte) (store.Session, store.UserRecord, error) {
	i := c.row % len(c.users)
	c.row++
	now := time.Now()
	s := store.Session{ID: identity.NewID(), SecretHash: hash, UserID: c.users[i], Kind: Browser, Host: host,
		Lifetime: store.Lifetime{Created: now, LastSeen: now, Idle: time.Hour, Expires: now.Add(24 * time.Hour)},
		Proof:    identity.Proof{AuthTime: now, AMR: []string{"pwd"}, ACR: "1"}}
	name := fmt.Sprintf("user-number-%06d", i)
	return s, store.UserRecord{User: identity.User{ID: c.users[i], Username: name, Email: name + "@example.com",
		Name:  "Some " + name,
		Roles: []string{"staff", "editor"}}}, nil
}

// known is how many sessions are in memory.
func (t *Table[E]) known() int {
	n := 0
	for i := range t.shards {
		t.shards[i].mu.RLock()
		n += len(t.shards[i].records)
		t.shards[i].mu.RUnlock()
	}
	return n
}

func fill(t testing.TB, c *crowd, users, sessions int, change func(*Config)) (*userTable, [][32]byte) {
	for range users {
		c.users = append(c.users, identity.NewID())
	}
	table := New[identity.User](Config{Source: c})
	if change != nil {
		cfg := table.cfg
		change(&cfg)
		table = New[identity.User](cfg)
	}
	hashes := make([][32]byte, sessions)
	for i := range hashes {
		_, hashes[i] = NewSecret()
		if l, err := table.lookup(context.Background(), hashes[i]); err != nil || l == nil {
			t.Fatal(l, err)
		}
	}
	return table, hashes
}

// OP-06: 100,000 sessions of 20,000 users take at most 45 MB.
func TestHundredThousandSessionsTakeAtMost45Megabytes(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	table, hashes := fill(t, &crowd{}, 20_000, 100_000, nil)
	runtime.GC()
	runtime.ReadMemStats(&after)
	got := int64(after.HeapAlloc) - int64(before.HeapAlloc) - int64(len(hashes)*32)
	t.Logf("%.1f MB, %d B each, %d known", float64(got)/1e6, got/100_000, table.known())
	if got > 45_000_000 || table.known() != 100_000 {
		t.Errorf("%d bytes, %d known", got, table.known())
	}
	began := time.Now()
	runtime.GC()
	t.Logf("one garbage collection takes %v", time.Since(began))
	runtime.KeepAlive(hashes)
}

// OP-06: a flood of sessions and of unknown cookies fills the table to its bounds only; what was let go is read again.
func TestFloodOfSessionsGrowsMemoryToTheCapOnly(t *testing.T) {
	table, hashes := fill(t, &crowd{}, 100, 5000, func(c *Config) { c.MaxKnown, c.MaxReady = 640, 128 })
	warm := 0
	for i := range table.shards {
		warm += table.shards[i].warm
		if n := len(table.shards[i].byHash) + len(table.shards[i].byID); n != 2*len(table.shards[i].records) {
			t.Errorf("indexes of shard %d have %d entries for %d records", i, n, len(table.shards[i].records))
		}
	}
	if table.known() > 640 || warm > 128 {
		t.Errorf("%d known, %d ready", table.known(), warm)
	}
	if l, err := table.lookup(context.Background(), hashes[0]); err != nil || l == nil {
		t.Error("let go for good")
	}
	for range 3 * maxMiss {
		_, hash := NewSecret()
		table.misses.add(&hash, 0)
	}
	if n := len(table.misses.new) + len(table.misses.old); n > 2*maxMiss {
		t.Errorf("%d unknown cookies remembered", n)
	}
}

// A session whose ready-made principal was let go needs no SQL, and keeps its last use.
func TestSessionOutOfUseIsMadeReadyAgainWithoutSQL(t *testing.T) {
	l, c := newLedger(), newClock()
	table := node(l, c, func(c *Config) { c.MaxReady = 1 })
	u := l.user("alice")
	var values []string
	for range 300 {
		v, _ := signIn(t, table, l, u, nil)
		values = append(values, v)
	}
	for _, v := range values {
		found(t, table, v)
	}
	c.pass(50 * time.Minute)
	for _, v := range values {
		table.Used(found(t, table, v))
	}
	c.pass(50 * time.Minute)
	l.down.Store(true)
	for _, v := range values {
		if found(t, table, v) == nil {
			t.Fatal("lost")
		}
	}
}

// DESIGN 3: a request of a known session allocates nothing here.
func TestFindingAKnownSessionAllocatesNothing(t *testing.T) {
	l := newLedger()
	table := node(l, nil, nil)
	_, s := signIn(t, table, l, l.user("alice"), nil)
	ctx := context.Background()
	if n := testing.AllocsPerRun(1000, func() {
		live, _ := table.lookup(ctx, s.SecretHash)
		table.Used(live)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{1, 30_000} {
		table, hashes := fill(b, &crowd{}, max(1, n/5), n, nil)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			ctx, i := context.Background(), 0
			for b.Loop() {
				if l, _ := table.lookup(ctx, hashes[i%n]); l == nil {
					b.Fatal("lost")
				}
				i += 7919
			}
		})
	}
}

func BenchmarkFind(b *testing.B) {
	l := newLedger()
	table := node(l, nil, nil)
	value, _ := signIn(b, table, l, l.user("alice"), nil)
	b.ReportAllocs()
	for b.Loop() {
		if l := found(b, table, value); l == nil {
			b.Fatal("lost")
		}
	}
}

func BenchmarkTouch(b *testing.B) {
	table, hashes := fill(b, &crowd{}, 1, 1, nil)
	l, _ := table.lookup(context.Background(), hashes[0])
	b.ReportAllocs()
	for b.Loop() {
		table.Used(l)
	}
}
