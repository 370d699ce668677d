package token

import (
	"hash/maphash"
	"strings"
	"sync"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

const (
	cacheSize   = 50_000   // verified tokens a node remembers
	cacheBytes  = 64 << 20 // of token text: a trusted issuer's tokens can be 16 KiB each
	cacheShards = 64
)

// Cache remembers a value for each verified token, so that a signature is checked once per token and node. Only
// verified tokens enter, so a flood of invented ones costs no memory (OP-06). A hit compares the whole token, counts
// only for the generation it was stored under, and ends with the token. The caller still asks the revocation copy
// (JW-16).
//
// The slot comes from a keyed hash (maphash, a random key per process), and the stored text is then compared: no
// collision, found or forged, can return another token's entry, at a third of the cost of SHA-256. Reaching the
// comparison at all takes a token with the same secret 64-bit hash, so its timing tells nothing.
type Cache[V any] struct {
	seed   maphash.Seed
	shards [cacheShards]cacheShard[V]
	limit  int
}

type cacheShard[V any] struct {
	mu      sync.RWMutex
	entries map[uint64]cacheEntry[V]
	bytes   int
}

type cacheEntry[V any] struct {
	token      string
	generation uint64
	expires    int64 // Unix seconds
	value      V
}

// NewCache creates a cache for at most n tokens; 0 is 50,000.
func NewCache[V any](n int) *Cache[V] {
	if n <= 0 {
		n = cacheSize
	}
	c := &Cache[V]{seed: maphash.MakeSeed(), limit: max(1, n/cacheShards)}
	for i := range c.shards {
		c.shards[i].entries = map[uint64]cacheEntry[V]{}
	}
	return c
}

// Get returns what Put stored for exactly this token. now is in Unix seconds. It allocates nothing.
func (c *Cache[V]) Get(token string, generation uint64, now int64) (value V, ok bool) {
	h := maphash.String(c.seed, token)
	s := &c.shards[h%cacheShards]
	s.mu.RLock()
	e, ok := s.entries[h]
	s.mu.RUnlock()
	if !ok || e.generation != generation || now >= e.expires || e.token != token {
		return value, false
	}
	return e.value, true
}

// Put remembers a verified token until its end. generation is what Verifier.Generation returned before Verify ran.
func (c *Cache[V]) Put(token string, generation uint64, p *identity.Principal, value V) {
	h := maphash.String(c.seed, token)
	s := &c.shards[h%cacheShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(h)
	for len(s.entries) > 0 && (len(s.entries) >= c.limit || s.bytes+len(token) > cacheBytes/cacheShards) {
		s.evict()
	}
	// A copy: the token is a part of the request's header block, which it would keep in memory.
	s.entries[h] = cacheEntry[V]{token: strings.Clone(token), generation: generation, expires: p.Expires.Unix(),
		value: value}
	s.bytes += len(token)
}

// evict removes the entry that ends first among a few that Go's random order shows.
func (s *cacheShard[V]) evict() {
	const sample = 5
	var victim uint64
	first, seen := int64(0), 0
	for h, e := range s.entries {
		if seen == 0 || e.expires < first {
			victim, first = h, e.expires
		}
		if seen++; seen == sample {
			break
		}
	}
	s.drop(victim)
}

func (s *cacheShard[V]) drop(h uint64) {
	if e, there := s.entries[h]; there {
		s.bytes -= len(e.token)
		delete(s.entries, h)
	}
}

// Each calls do with what was stored for each remembered token. do must not block.
func (c *Cache[V]) Each(do func(value V)) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.RLock()
		for _, e := range s.entries {
			do(e.value)
		}
		s.mu.RUnlock()
	}
}

// Purge forgets tokens that have ended. now is in Unix seconds.
func (c *Cache[V]) Purge(now int64) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		for h, e := range s.entries {
			if now >= e.expires {
				s.drop(h)
			}
		}
		s.mu.Unlock()
	}
}
