package token

import (
	"hash/maphash"
	"sync"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// cacheSize is how many verified tokens a node remembers.
const cacheSize = 50_000

const cacheShards = 64

// Cache remembers verified tokens, so that a signature is checked once per token and node. Only verified tokens enter,
// so a flood of invented ones costs no memory (OP-06). A hit compares the whole token, and counts only for the same
// generation of keys and settings and before the token's end; whoever asks then still asks the revocation copy (JW-16).
type Cache struct {
	seed   maphash.Seed
	shards [cacheShards]cacheShard
	limit  int
}

type cacheShard struct {
	mu      sync.RWMutex
	entries map[uint64]cacheEntry
}

type cacheEntry struct {
	token      string
	generation uint64
	expires    int64 // Unix seconds
	attachment any
}

// NewCache makes a cache for at most n tokens; 0 is 50,000.
func NewCache(n int) *Cache {
	if n <= 0 {
		n = cacheSize
	}
	c := &Cache{seed: maphash.MakeSeed(), limit: max(1, n/cacheShards)}
	for i := range c.shards {
		c.shards[i].entries = map[uint64]cacheEntry{}
	}
	return c
}

// Get gives what Put stored for exactly this token. now is in Unix seconds.
func (c *Cache) Get(token string, generation uint64, now int64) (any, bool) {
	h := maphash.String(c.seed, token)
	s := &c.shards[h%cacheShards]
	s.mu.RLock()
	e, ok := s.entries[h]
	s.mu.RUnlock()
	if !ok || e.generation != generation || now >= e.expires || e.token != token {
		return nil, false
	}
	return e.attachment, true
}

// Put remembers a verified token until its end. A full shard gives up any entry.
func (c *Cache) Put(token string, generation uint64, p *identity.Principal, attachment any) {
	h := maphash.String(c.seed, token)
	s := &c.shards[h%cacheShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.entries[h]; !there && len(s.entries) >= c.limit {
		for old := range s.entries { // Go's order is random, which is a fair choice
			delete(s.entries, old)
			break
		}
	}
	s.entries[h] = cacheEntry{token: token, generation: generation, expires: p.Expires.Unix(), attachment: attachment}
}
