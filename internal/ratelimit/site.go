package ratelimit

import (
	"sync"
	"time"

	"github.com/truxeio/caddy-truxe/internal/cluster"
)

// maxSiteKeys bounds what a site remembers: a flood of addresses grows memory to here only (OP-06).
const maxSiteKeys = 50_000

// Site is `rate_limit <events> <window>` of one site: a bounded table of rate.Limiters. It counts on this node only, so
// that a request costs no round trip: with n nodes a client gets up to n times the rate.
type Site struct {
	rate     Rate
	counters *cluster.Counters
}

// NewSite returns the limit of one site; check the rate with Rate.Check while reading the configuration. A rate that
// fails it refuses everything (R1).
func NewSite(r Rate) *Site { return &Site{rate: r, counters: cluster.NewCounters(maxSiteKeys, nil)} }

// Allow counts one request of key, an AddressKey or UserKey; false means refused.
func (s *Site) Allow(key string, now time.Time) (Limit, bool) {
	b := s.rate.bucket(key)
	if b.Check() != nil {
		return Limit{Name: NameSite, RetryAfter: time.Minute}, false
	}
	state, ok := s.counters.Take(b, now)
	return limitOf(NameSite, s.rate, state), ok
}

// Sites are the limits of all sites of a node, by name. They belong to the engine, so that a reload empties none (R11).
// The zero value is ready.
type Sites struct {
	mu     sync.RWMutex
	byName map[string]*Site
}

// Allow counts one request at the site of this name. A site whose rate has changed counts by the new one from here on.
func (s *Sites) Allow(name string, r Rate, key string, now time.Time) (Limit, bool) {
	return s.site(name, r).Allow(key, now)
}

func (s *Sites) site(name string, r Rate) *Site {
	s.mu.RLock()
	known := s.byName[name]
	s.mu.RUnlock()
	if known != nil && known.rate == r {
		return known
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if known = s.byName[name]; known == nil {
		known = NewSite(r)
	} else if known.rate != r {
		known = &Site{rate: r, counters: known.counters} // a limiter takes another rate when it is used next
	}
	if s.byName == nil {
		s.byName = map[string]*Site{}
	}
	s.byName[name] = known
	return known
}

// Purge forgets sites at which nothing is counted, so that each change of a configuration leaves no table behind: a
// full quota equals an absent one.
func (s *Sites) Purge() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, site := range s.byName {
		if site.counters.Quiet() {
			delete(s.byName, name)
		}
	}
}
