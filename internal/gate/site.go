package gate

import (
	"fmt"
	"net"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identityheader"
	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/rules"
)

// SiteConfig is what one `truxe` directive says.
type SiteConfig struct {
	Rules           rules.Lines
	Headers         identityheader.Config
	Passive         []string
	PassPreflight   bool
	SecurityHeaders bool
	RateLimit       *RateLimit
	AppName         string   // keeps the rate limits of sites apart that are alike otherwise
	ForwardHosts    []string // forward_auth only
	// ForwardFrom, of forward_auth, is whose headers are believed, one of Proxies; "" is whichever kind is present alone.
	ForwardFrom string
}

// RateLimit bounds the requests to a site.
type RateLimit struct {
	Events  int
	Window  time.Duration
	PerUser bool
}

// Site is a compiled SiteConfig.
type Site struct {
	sites    *Sites
	rules    *rules.Site
	headers  *identityheader.Set
	passive  *policy.Set // a public rule per passive path: matching is "public"
	limit    string      // the name under which its requests are counted; "": they are not
	cfg      SiteConfig
	forwards map[string]bool
	from     string
}

// Compile checks and compiles a site, and adds it to the rules. Its requests are not counted until CountRequests. It
// does no I/O.
func (all *Sites) Compile(c SiteConfig) (*Site, error) {
	s := &Site{cfg: c, sites: all}
	var err error
	if s.headers, err = all.headers(c.Headers); err != nil {
		return nil, err
	}
	if s.rules, err = all.rules.Add(c.Rules); err != nil {
		return nil, err
	}
	if len(c.Passive) > 0 {
		passive := policy.Rule{ID: "caddyfile:passive", Effect: policy.EffectPublic, Paths: c.Passive}
		if s.passive, err = policy.Compile([]policy.Rule{passive}, nil); err != nil {
			return nil, fmt.Errorf("passive: %w", err)
		}
	}
	if err := CheckProxy(c.ForwardFrom); err != nil {
		return nil, err
	}
	s.from = c.ForwardFrom
	if len(c.ForwardHosts) > 0 {
		s.forwards = map[string]bool{}
		for _, h := range c.ForwardHosts {
			if _, port, err := net.SplitHostPort(h); err == nil {
				return nil, fmt.Errorf("hosts: %q: a name has no port here; add `origin https://%s` if browsers use port %s", h, h,
					port)
			}
			folded, err := policy.FoldHost(h)
			if err != nil {
				return nil, fmt.Errorf("hosts: %q: %w", h, err)
			}
			s.forwards[folded] = true
		}
	}
	return s, nil
}

// CountRequests puts the site's rate limit in force. The listener is the addresses of the server that the site is on:
// servers are set up in no fixed order. Copies of a site that serve no requests must not call it.
func (s *Site) CountRequests(listener string) {
	if s.cfg.RateLimit != nil {
		s.limit = s.sites.limitName(s.cfg, listener)
	}
}

// Forwards reports whether another proxy protects a folded host with this site's rules.
func (s *Site) Forwards(host string) bool { return s.forwards[host] }
