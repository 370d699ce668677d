package ratelimit

import (
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

// NewSite makes the limit of one site; check the rate with Rate.Check while reading the configuration. A rate that
// fails it refuses everything (R1).
func NewSite(r Rate) *Site { return &Site{rate: r, counters: cluster.NewCounters(maxSiteKeys, nil)} }

// Allow counts one request of key, e.g. "ip:192.0.2.1" or "user:<id>"; false means refused.
func (s *Site) Allow(key string, now time.Time) (Limit, bool) {
	b := s.rate.bucket(key)
	if b.Check() != nil {
		return Limit{Name: NameSite, RetryAfter: time.Minute}, false
	}
	state, ok := s.counters.Take(b, now)
	return limitOf(NameSite, s.rate, state), ok
}
