package policy

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Set is a compiled set of rules. It is safe for concurrent use.
type Set struct {
	public, allow, require, deny []compiled
	open                         bool // no match: everybody signed in is allowed
}

// Requires tells whether a rule looks at the address or the time of a request.
func (s *Set) Requires() bool { return len(s.require) > 0 }

type compiled struct {
	id       string
	hosts    []string
	methods  []string
	patterns []pattern // none: every path
	roles    []string
	users    []string
	ask      identity.Assurance
	networks []netip.Prefix
}

// Compile checks the rules.
func Compile(rules []Rule) (*Set, error) {
	s := &Set{open: true}
	for _, r := range rules {
		c, err := compile(r)
		if err != nil {
			return nil, fmt.Errorf("rule %s: %w", r.ID, err)
		}
		s.open = s.open && !r.FromFile && r.Effect != EffectAllow
		switch r.Effect {
		case EffectAllow:
			s.allow = append(s.allow, c)
		case EffectPublic:
			s.public = append(s.public, c)
		case EffectRequire:
			s.require = append(s.require, c)
		case EffectDeny:
			s.deny = append(s.deny, c)
		}
	}
	return s, nil
}

func compile(r Rule) (compiled, error) {
	c := compiled{id: r.ID, methods: r.Methods, roles: r.Roles, users: r.Users, ask: r.Assurance}
	switch {
	case r.Effect < EffectAllow || r.Effect > EffectDeny:
		return c, errors.New("it has no effect: public, allow, require or deny")
	case r.Effect == EffectPublic && !c.unconditional():
		return c, errors.New("a public rule is for everybody; it names no role or user")
	case r.Effect == EffectRequire && c.unconditional() && r.Assurance == (identity.Assurance{}) && len(r.Networks) == 0:
		return c, errors.New("it requires nothing")
	case r.Effect != EffectRequire && (r.Assurance != (identity.Assurance{}) || len(r.Networks) > 0):
		return c, errors.New("only a require rule asks for factors or networks")
	case r.Assurance.MaxAge < 0:
		return c, errors.New("max_age is negative")
	case slices.Contains(r.Roles, "") || slices.Contains(r.Users, "") || slices.Contains(r.Methods, ""):
		return c, errors.New("a role, user or method is empty")
	}
	for _, n := range r.Networks {
		if !n.IsValid() {
			return c, errors.New("a network is not valid")
		}
		if n.Addr().Is4In6() { // "::ffff:10.0.0.0/104" is 10.0.0.0/8 to everybody who writes it
			if n.Bits() < 96 {
				return c, fmt.Errorf("network %s: write IPv4 networks as IPv4", n)
			}
			n = netip.PrefixFrom(n.Addr().Unmap(), n.Bits()-96)
		}
		c.networks = append(c.networks, n.Masked())
	}
	for _, h := range r.Hosts {
		folded, err := FoldHost(h)
		if err != nil {
			return c, fmt.Errorf("host %q: %w", h, err)
		}
		c.hosts = append(c.hosts, folded)
	}
	for _, text := range r.Paths {
		p, err := caddyfilePattern(text)
		if err != nil {
			return c, fmt.Errorf("path %q: %w", text, err)
		}
		c.patterns = append(c.patterns, p)
	}
	for _, text := range r.Globs {
		p, err := globPattern(text)
		if err != nil {
			return c, fmt.Errorf("path %q: %w", text, err)
		}
		c.patterns = append(c.patterns, p)
	}
	return c, nil
}

// matches: strict is how rules that refuse compare (package comment).
func (c *compiled) matches(r *Request, path string, strict bool) bool {
	if len(c.hosts) > 0 && !slices.Contains(c.hosts, r.Host) || len(c.methods) > 0 && !c.names(r.Method) {
		return false
	}
	for i := range c.patterns {
		if c.patterns[i].matches(path, strict) {
			return true
		}
	}
	return len(c.patterns) == 0
}

func (c *compiled) names(method string) bool {
	return slices.Contains(c.methods, method) || method == http.MethodHead && slices.Contains(c.methods, http.MethodGet)
}

// checkPattern refuses a pattern that no canonical path could ever match.
func checkPattern(p string) bool {
	if p == "" || p[0] != '/' || strings.ContainsAny(p, "*?#%\\;") {
		return false
	}
	path, err := canonical(p)
	return err == nil && path.Canonical == p
}
