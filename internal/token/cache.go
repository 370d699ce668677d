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

// Cache remembers verified tokens, so that a signature is checked once per token and node. Only verified tokens enter,
// so a flood of invented ones costs no memory (OP-06). A hit compares the whole token, counts only for the generation it
// was stored under, and ends with the token; whoever asks then still asks the revocation copy (JW-16).
//
// The slot comes from a keyed hash (maphash, a random key per process), and the stored text is then compared: no
// collision, found or forged, can give somebody another's entry, at a third of the cost of SHA-256. Reaching the
// comparison at all takes a token with the same secret 64-bit hash, so its timing tells nothing.
type Cache struct {
	seed   maphash.Seed
	shards [cacheShards]cacheShard
	limit  int
}

type cacheShard struct {
	mu      sync.RWMutex
	entries map[uint64]cacheEntry
	bytes   int
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

// Get gives what Put stored for exactly this token. now is in Unix seconds. It allocates nothing.
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

// Put remembers a verified token until its end. generation is what Verifier.Generation gave before Verify ran.
func (c *Cache) Put(token string, generation uint64, p *identity.Principal, attachment any) {
	h := maphash.String(c.seed, token)
	s := &c.shards[h%cacheShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(h)
	for len(s.entries) > 0 && (len(s.entries) >= c.limit || s.bytes+len(token) > cacheBytes/cacheShards) {
		s.evict()
	}
	// A copy: the token is a part of the request's header block, which it would keep in memory.
	s.entries[h] = cacheEntry{token: strings.Clone(token), generation: generation, expires: p.Expires.Unix(), attachment: attachment}
	s.bytes += len(token)
}

// evict gives up the entry that ends first among a few that Go's random order shows.
func (s *cacheShard) evict() {
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

func (s *cacheShard) drop(h uint64) {
	if e, there := s.entries[h]; there {
		s.bytes -= len(e.token)
		delete(s.entries, h)
	}
}

// Each shows what is attached to the remembered tokens. It must not block.
func (c *Cache) Each(show func(attachment any)) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.RLock()
		for _, e := range s.entries {
			show(e.attachment)
		}
		s.mu.RUnlock()
	}
}

// Purge forgets tokens that have ended. now is in Unix seconds.
func (c *Cache) Purge(now int64) {
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

// Len counts the remembered tokens.
func (c *Cache) Len() int {
	n := 0
	for i := range c.shards {
		c.shards[i].mu.RLock()
		n += len(c.shards[i].entries)
		c.shards[i].mu.RUnlock()
	}
	return n
}
