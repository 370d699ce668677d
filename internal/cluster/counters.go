package cluster

import (
	"container/heap"
	"crypto/sha256"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const counterShards = 16

// DefaultCounters is how many buckets that are not full a node remembers: about 20 MB.
const DefaultCounters = 100_000

// Counters is a bounded table of rate.Limiters in the process. A full bucket equals an absent one and costs nothing.
// When the table is full, the bucket that is closest to being full gives way (OP-06): a flood of fresh names, each
// with one failure, cannot push out a person who is throttled.
type Counters struct {
	clock  *clock
	shards [counterShards]counterShard
}

type counterKey [16]byte

type counterEntry struct {
	key     counterKey
	full    int64 // when the bucket is full again, on the table's clock
	limiter *rate.Limiter
}

// counterShard is a min-heap by the time at which buckets are full again.
type counterShard struct {
	mu      sync.Mutex
	limit   int
	index   map[counterKey]int32
	entries []counterEntry
}

// NewCounters returns a table for at most limit buckets (0: DefaultCounters) on the given clock (nil: time.Now).
func NewCounters(limit int, now func() time.Time) *Counters {
	if limit <= 0 {
		limit = DefaultCounters
	}
	c := &Counters{clock: newClock(now)}
	for i := range c.shards {
		c.shards[i] = counterShard{limit: max(1, limit/counterShards), index: map[counterKey]int32{}}
	}
	return c
}

// Reserve is Cluster.Reserve within this process.
func (c *Counters) Reserve(buckets []Bucket) (Outcome, error) {
	if err := checkBuckets(buckets); err != nil {
		return Outcome{}, err
	}
	var keys [maxBuckets]counterKey
	for i, b := range buckets {
		keys[i] = hashKey(b.Key)
	}
	defer c.lock(keys[:len(buckets)])()
	now := c.clock.read()
	at := time.Unix(0, now)
	out := Outcome{Allowed: true, Limits: make([]LimitState, len(buckets))}
	var limiters [maxBuckets]*rate.Limiter
	var taken [maxBuckets]*rate.Reservation
	for i, b := range buckets {
		limiters[i] = c.shard(keys[i]).get(keys[i], b, at)
		taken[i] = limiters[i].ReserveN(at, 1)
		out.Allowed = out.Allowed && taken[i].OK() && taken[i].DelayFrom(at) == 0
	}
	for i, b := range buckets {
		if out.Allowed {
			c.shard(keys[i]).set(keys[i], b, limiters[i], now)
		} else {
			taken[i].CancelAt(at) // none or all (LK-06); at the very time of the reservation nothing of it is left
		}
		out.Limits[i] = b.look(limiters[i], at)
	}
	return out, nil
}

// Take is Reserve of one bucket at a time that the caller has taken already, for the warm path: it allocates nothing
// for a bucket that is known. The bucket must be sound (Bucket.Check).
func (c *Counters) Take(b Bucket, t time.Time) (LimitState, bool) {
	key := hashKey(b.Key)
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := c.clock.at(t)
	at := time.Unix(0, now)
	l := s.get(key, b, at)
	ok := l.AllowN(at, 1)
	if ok {
		s.set(key, b, l, now)
	}
	return b.look(l, at), ok
}

// Refund is Cluster.Refund within this process.
func (c *Counters) Refund(buckets []Bucket) error {
	if err := checkBuckets(buckets); err != nil {
		return err
	}
	for _, b := range buckets {
		key := hashKey(b.Key)
		s := c.shard(key)
		s.mu.Lock()
		if _, there := s.index[key]; there { // an absent bucket is full
			now := c.clock.read()
			at := time.Unix(0, now)
			l := s.get(key, b, at)
			give(l, at)
			if b.look(l, at).ResetAfter > 0 {
				s.set(key, b, l, now)
			} else {
				s.drop(key)
			}
		}
		s.mu.Unlock()
	}
	return nil
}

// Clear is Cluster.Clear within this process.
func (c *Counters) Clear(keys ...string) error {
	for _, k := range keys {
		if err := checkKey(k); err != nil {
			return err
		}
		key := hashKey(k)
		s := c.shard(key)
		s.mu.Lock()
		s.drop(key)
		s.mu.Unlock()
	}
	return nil
}

// Len is the number of buckets remembered now.
func (c *Counters) Len() int {
	n := 0
	for i := range c.shards {
		c.shards[i].mu.Lock()
		n += len(c.shards[i].entries)
		c.shards[i].mu.Unlock()
	}
	return n
}

// Quiet reports whether every bucket is full again, so that the table equals an empty one.
func (c *Counters) Quiet() bool {
	now := c.clock.read()
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		busy := slices.ContainsFunc(s.entries, func(e counterEntry) bool { return e.full > now })
		s.mu.Unlock()
		if busy {
			return false
		}
	}
	return true
}

// hashKey uses SHA-256, so that no client can choose names that collide.
func hashKey(key string) counterKey {
	sum := sha256.Sum256([]byte(key))
	return counterKey(sum[:16])
}

func (c *Counters) shard(k counterKey) *counterShard { return &c.shards[k[0]%counterShards] }

// lock takes the shards of all keys in ascending order, so two Reserves cannot wait for each other.
func (c *Counters) lock(keys []counterKey) (unlock func()) {
	var order [maxBuckets]int
	for i, k := range keys {
		order[i] = int(k[0] % counterShards)
	}
	held := slices.Compact(sorted(order[:len(keys)]))
	for _, i := range held {
		c.shards[i].mu.Lock()
	}
	return func() {
		for _, i := range held {
			c.shards[i].mu.Unlock()
		}
	}
}

func sorted(s []int) []int { slices.Sort(s); return s }

// get returns the limiter of a bucket; a fresh one is kept by set.
func (s *counterShard) get(k counterKey, b Bucket, at time.Time) *rate.Limiter {
	i, ok := s.index[k]
	if !ok {
		return b.limiter()
	}
	b.resize(s.entries[i].limiter, at)
	return s.entries[i].limiter
}

func (s *counterShard) set(k counterKey, b Bucket, l *rate.Limiter, now int64) {
	full := now + int64(b.missing(l.TokensAt(time.Unix(0, now)), float64(b.Burst)))
	if i, ok := s.index[k]; ok {
		s.entries[i].full = full
		heap.Fix(s, int(i))
		return
	}
	// Two out for one in: the table follows what is in use, without a sweeper.
	for n := 0; n < 2 && len(s.entries) > 0 && s.entries[0].full <= now; n++ {
		heap.Pop(s)
	}
	if len(s.entries) >= s.limit {
		heap.Pop(s)
	}
	heap.Push(s, counterEntry{k, full, l})
}

func (s *counterShard) drop(k counterKey) {
	if i, ok := s.index[k]; ok {
		heap.Remove(s, int(i))
	}
}

// Len, Less, Swap, Push and Pop are heap.Interface.
func (s *counterShard) Len() int           { return len(s.entries) }
func (s *counterShard) Less(i, j int) bool { return s.entries[i].full < s.entries[j].full }
func (s *counterShard) Swap(i, j int) {
	s.entries[i], s.entries[j] = s.entries[j], s.entries[i]
	s.index[s.entries[i].key], s.index[s.entries[j].key] = int32(i), int32(j)
}

func (s *counterShard) Push(x any) {
	e := x.(counterEntry)
	s.index[e.key] = int32(len(s.entries))
	s.entries = append(s.entries, e)
}

func (s *counterShard) Pop() any {
	last := len(s.entries) - 1
	e := s.entries[last]
	s.entries[last] = counterEntry{} // lets the limiter go
	s.entries = s.entries[:last]
	delete(s.index, e.key)
	return e
}
