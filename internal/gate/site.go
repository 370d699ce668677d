package gate

import (
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/identityheader"
	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/ratelimit"
)

// SiteConfig is what one `truxe` directive says.
type SiteConfig struct {
	Public          []string
	AllowRoles      []string
	AllowUsers      []string
	Headers         identityheader.Config
	Require         []Require
	Passive         []string
	PassPreflight   bool
	SecurityHeaders bool
	RateLimit       *RateLimit
	AppName         string
	ForwardHosts    []string // forward_auth only
}

// Require is one `require` line: factors of the person, or networks of the request.
type Require struct {
	Assurance identity.Assurance
	Networks  []netip.Prefix
}

// RateLimit bounds the requests to a site.
type RateLimit struct {
	Events  int
	Window  time.Duration
	PerUser bool
}

// Site is a compiled SiteConfig.
type Site struct {
	rules    *policy.Set
	headers  *identityheader.Set
	passive  *policy.Set // a public rule per passive path: matching is "public"
	limit    *ratelimit.Site
	cfg      SiteConfig
	forwards map[string]bool
}

// CompileSite checks and compiles; it does no I/O.
func CompileSite(c SiteConfig) (*Site, error) {
	s := &Site{cfg: c}
	var err error
	if s.headers, err = identityheader.Compile(c.Headers); err != nil {
		return nil, err
	}
	var rules []policy.Rule
	for i, path := range c.Public {
		rules = append(rules, policy.Rule{ID: "caddyfile:public#" + strconv.Itoa(i+1), Effect: policy.EffectPublic, Paths: []string{path}})
	}
	if len(c.AllowRoles)+len(c.AllowUsers) > 0 {
		rules = append(rules, policy.Rule{ID: "caddyfile:allow", Effect: policy.EffectAllow, Roles: c.AllowRoles, Users: c.AllowUsers})
	}
	for i, r := range c.Require {
		rules = append(rules, policy.Rule{ID: "caddyfile:require#" + strconv.Itoa(i+1), Effect: policy.EffectRequire, Assurance: r.Assurance, Networks: r.Networks})
	}
	if s.rules, err = policy.Compile(rules, nil); err != nil {
		return nil, err
	}
	if len(c.Passive) > 0 {
		if s.passive, err = policy.Compile([]policy.Rule{{ID: "caddyfile:passive", Effect: policy.EffectPublic, Paths: c.Passive}}, nil); err != nil {
			return nil, fmt.Errorf("passive: %w", err)
		}
	}
	if l := c.RateLimit; l != nil {
		s.limit = ratelimit.NewSite(ratelimit.Rate{Events: l.Events, Window: l.Window})
	}
	if len(c.ForwardHosts) > 0 {
		s.forwards = map[string]bool{}
		for _, h := range c.ForwardHosts {
			folded, err := policy.FoldHost(h)
			if err != nil {
				return nil, fmt.Errorf("hosts: %q: %w", h, err)
			}
			s.forwards[folded] = true
		}
	}
	return s, nil
}
