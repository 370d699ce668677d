package policy

import (
	"slices"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Decide judges a request under every reading of its path; the strictest decision holds. It allocates nothing.
func (s *Set) Decide(r Request, p *identity.Principal) Decision {
	d := s.decide(&r, r.Path, p)
	for _, path := range r.Readings {
		if other := s.decide(&r, path, p); other.openness() < d.openness() {
			d = other
		}
	}
	return d
}

// openness orders decisions, the strictest first.
func (d *Decision) openness() int {
	switch {
	case d.Public:
		return 3
	case d.Allow:
		return 2
	case d.NeedLogin:
		return 1
	}
	return 0
}

func (s *Set) decide(r *Request, path string, p *identity.Principal) Decision {
	for i := range s.deny {
		if c := &s.deny[i]; c.matches(r, path, true) && (c.unconditional() || c.admits(p)) {
			return Decision{Code: identity.CodeRuleDenied, Rule: c.id}
		}
	}
	for i := range s.require {
		if c := &s.require[i]; c.matches(r, path, true) && !c.admits(p) {
			if p == nil {
				return Decision{NeedLogin: true, Code: identity.CodeLoginRequired, Rule: c.id}
			}
			return Decision{Code: identity.CodeRoleRequired, Rule: c.id}
		}
	}
	for i := range s.public {
		if c := &s.public[i]; c.matches(r, path, false) {
			return Decision{Allow: true, Public: true, Rule: c.id}
		}
	}
	if s.open {
		if p == nil {
			return Decision{NeedLogin: true, Code: identity.CodeLoginRequired}
		}
		return Decision{Allow: true}
	}
	refused := Decision{Code: identity.CodeNoRule}
	for i := range s.allow {
		c := &s.allow[i]
		if !c.matches(r, path, false) {
			continue
		}
		if p == nil {
			return Decision{NeedLogin: true, Code: identity.CodeLoginRequired}
		}
		if c.admits(p) {
			return Decision{Allow: true, Rule: c.id}
		}
		refused = Decision{Code: identity.CodeRoleRequired, Rule: c.id}
	}
	return refused
}

// unconditional: the rule is about everybody, whoever they are.
func (c *compiled) unconditional() bool { return len(c.roles)+len(c.users) == 0 }

// admits tells whether somebody signed in is one of those the rule names.
func (c *compiled) admits(p *identity.Principal) bool {
	if p == nil {
		return false
	}
	if c.unconditional() || slices.ContainsFunc(c.roles, p.HasRole) {
		return true
	}
	name := p.Username
	if strings.IndexByte(p.UserID, '|') >= 0 { // of a trusted issuer
		name = p.UserID
	}
	return name != "" && slices.Contains(c.users, name)
}
