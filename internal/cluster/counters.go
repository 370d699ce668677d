package cluster

import (
	"container/heap"
	"crypto/sha256"
	"slices"
	"sync"
	"time"
)

const counterShards = 16

// DefaultCounters is how many buckets that are not full a node remembers: about 10 MB.
const DefaultCounters = 100_000

// Counters is a bounded table of GCRA buckets in the process. A full bucket equals an absent one and costs nothing.
// When the table is full, the bucket that is closest to being full gives way (OP-06): a flood of fresh names, each
// with one failure, cannot push out a person who is throttled.
type Counters struct {
	clock  *clock
	shards [counterShards]counterShard
}

type counterKey [16]byte

type counterEntry struct {
	key counterKey
	tat int64
}

// counterShard is a min-heap by tat. Flat entries without pointers stay out of the garbage collector's way.
type counterShard struct {
	mu      sync.Mutex
	limit   int
	index   map[counterKey]int32
	entries []counterEntry
}

// NewCounters makes a table for at most limit buckets (0: DefaultCounters) on the given clock (nil: time.Now).
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
	var tats [maxBuckets]int64
	for i, b := range buckets {
		keys[i] = hashKey(b.Key)
	}
	defer c.lock(keys[:len(buckets)])()
	now := c.clock.read()
	out := Outcome{Allowed: true, Limits: make([]LimitState, len(buckets))}
	for i, b := range buckets {
		old := c.shard(keys[i]).get(keys[i])
		next, ok := b.take(old, now)
		tats[i] = next
		if !ok {
			out.Allowed = false
			tats[i] = old
		}
		out.Limits[i] = b.look(old, now)
	}
	if !out.Allowed {
		return out, nil
	}
	for i, b := range buckets {
		c.shard(keys[i]).set(keys[i], tats[i], now)
		out.Limits[i] = b.look(tats[i], now)
	}
	return out, nil
}

// Take is Reserve of one bucket at a time that the caller has taken already, for the warm path: it allocates nothing
// for a bucket that is known. The bucket must be sound (Bucket.Check).
func (c *Counters) Take(b Bucket, at time.Time) (LimitState, bool) {
	key := hashKey(b.Key)
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := c.clock.at(at)
	tat := s.get(key)
	next, ok := b.take(tat, now)
	if ok {
		s.set(key, next, now)
		tat = next
	}
	return b.look(tat, now), ok
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
		now := c.clock.read()
		if tat := b.give(s.get(key), now); tat > now {
			s.set(key, tat, now)
		} else {
			s.drop(key)
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

func (s *counterShard) get(k counterKey) int64 {
	if i, ok := s.index[k]; ok {
		return s.entries[i].tat
	}
	return 0
}

func (s *counterShard) set(k counterKey, tat, now int64) {
	if i, ok := s.index[k]; ok {
		s.entries[i].tat = tat
		heap.Fix(s, int(i))
		return
	}
	// Two out for one in: the table follows what is in use, without a sweeper.
	for n := 0; n < 2 && len(s.entries) > 0 && s.entries[0].tat <= now; n++ {
		heap.Pop(s)
	}
	if len(s.entries) >= s.limit {
		heap.Pop(s)
	}
	heap.Push(s, counterEntry{k, tat})
}

func (s *counterShard) drop(k counterKey) {
	if i, ok := s.index[k]; ok {
		heap.Remove(s, int(i))
	}
}

// Len, Less, Swap, Push and Pop are heap.Interface.
func (s *counterShard) Len() int           { return len(s.entries) }
func (s *counterShard) Less(i, j int) bool { return s.entries[i].tat < s.entries[j].tat }
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
	s.entries = s.entries[:last]
	delete(s.index, e.key)
	return e
}
