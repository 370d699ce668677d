package token

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

func ends(at time.Time) *identity.Principal { return &identity.Principal{Expires: at} }

// JW-16 CVE-2026-33496: a hit needs the whole token, the same keys and settings, and a time before its end.
func TestCacheHitNeedsWholeTokenGenerationAndTime(t *testing.T) {
	c, now := NewCache[any](0), time.Now()
	const raw = "aaaa.bbbb.cccc"
	c.Put(raw, 7, ends(now.Add(time.Minute)), "ann")
	if got, ok := c.Get(raw, 7, now.Unix()); !ok || got != "ann" {
		t.Fatal("accept control:", got, ok)
	}
	for name, hit := range map[string]func() (any, bool){
		"other signature":  func() (any, bool) { return c.Get("aaaa.bbbb.cccd", 7, now.Unix()) },
		"prefix":           func() (any, bool) { return c.Get(raw[:len(raw)-1], 7, now.Unix()) },
		"longer":           func() (any, bool) { return c.Get(raw+"c", 7, now.Unix()) },
		"case":             func() (any, bool) { return c.Get(strings.ToUpper(raw), 7, now.Unix()) },
		"other generation": func() (any, bool) { return c.Get(raw, 8, now.Unix()) },
		"at its end":       func() (any, bool) { return c.Get(raw, 7, now.Unix()+60) },
		"empty":            func() (any, bool) { return c.Get("", 7, now.Unix()) },
	} {
		if got, ok := hit(); ok {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// JW-16: even two tokens of one hash are told apart, since the text is compared.
func TestCacheComparesTheText(t *testing.T) {
	c, now := NewCache[any](0), time.Now()
	c.Put("real", 1, ends(now.Add(time.Minute)), "ann")
	for i := range c.shards { // as if every token had the hash of "real"
		for h, e := range c.shards[i].entries {
			e.token = "other"
			c.shards[i].entries[h] = e
		}
	}
	if got, ok := c.Get("real", 1, now.Unix()); ok {
		t.Errorf("got %v", got)
	}
}

// OP-06 JW-16: the cache is bounded in entries and bytes, gives up what ends first, and forgets what has ended.
func TestCacheIsBounded(t *testing.T) {
	now := time.Now()
	c := NewCache[any](640)
	for n := range 10_000 {
		c.Put(fmt.Sprintf("token-%d", n), 1, ends(now.Add(time.Duration(n)*time.Second)), n)
	}
	if got := c.len(); got > 640 || got < 300 {
		t.Errorf("%d entries", got)
	}
	late := 0
	for n := 9_000; n < 10_000; n++ {
		if _, ok := c.Get(fmt.Sprintf("token-%d", n), 1, now.Unix()); ok {
			late++
		}
	}
	if late < 300 {
		t.Errorf("only %d of the last thousand are left", late)
	}
	c.Purge(now.Unix() + 20_000)
	if got := c.len(); got != 0 {
		t.Errorf("%d entries after all have ended", got)
	}

	big := NewCache[any](0)
	for n := range 10_000 {
		big.Put(fmt.Sprintf("%05d", n)+strings.Repeat("x", 16<<10), 1, ends(now.Add(time.Hour)), n)
	}
	total := 0
	for i := range big.shards {
		total += big.shards[i].bytes
		sum := 0
		for _, e := range big.shards[i].entries {
			sum += len(e.token)
		}
		if sum != big.shards[i].bytes {
			t.Fatalf("shard %d counts %d bytes and has %d", i, big.shards[i].bytes, sum)
		}
	}
	if total > cacheBytes || total < cacheBytes/4 {
		t.Errorf("%d bytes", total)
	}
}

// The same token, stored again and again by many requests, is one entry.
func TestCacheUnderManyRequests(t *testing.T) {
	c, now := NewCache[any](0), time.Now()
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for n := range 500 {
				raw := fmt.Sprint("t", n%50)
				c.Put(raw, 1, ends(now.Add(time.Hour)), n%50)
				if got, ok := c.Get(raw, 1, now.Unix()); !ok || got != n%50 {
					t.Errorf("worker %d: %v %v", w, got, ok)
				}
			}
		})
	}
	wg.Wait()
	if got := c.len(); got != 50 {
		t.Errorf("%d entries", got)
	}
}

// A cached token costs no allocation.
func TestCacheHitAllocatesNothing(t *testing.T) {
	c, now := NewCache[any](0), time.Now()
	raw := strings.Repeat("t", 1000)
	c.Put(raw, 1, ends(now.Add(time.Hour)), &identity.Principal{})
	if n := testing.AllocsPerRun(100, func() {
		if _, ok := c.Get(raw, 1, now.Unix()); !ok {
			t.Error("miss")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// len counts the remembered tokens.
func (c *Cache[V]) len() int {
	n := 0
	for i := range c.shards {
		c.shards[i].mu.RLock()
		n += len(c.shards[i].entries)
		c.shards[i].mu.RUnlock()
	}
	return n
}
