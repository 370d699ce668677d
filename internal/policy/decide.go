package policy

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Decide judges a request under every reading of its path; the strictest decision holds. It allocates nothing.
func (s *Set) Decide(r Request, p *identity.Principal) Decision {
	d := s.decide(&r, r.Path, p)
	for _, path := range r.Readings {
		other := s.decide(&r, path, p)
		if other.openness() < d.openness() {
			d = other
		} else if d.stepUp() && other.stepUp() {
			d.Ask = union(d.Ask, other.Ask)
			d.Code = d.Ask.Unmet(p, r.Now)
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
	case d.NeedLogin, d.stepUp():
		return 1
	}
	return 0
}

func (d *Decision) stepUp() bool { return d.Ask != (identity.Assurance{}) }

func (s *Set) decide(r *Request, path string, p *identity.Principal) Decision {
	for i := range s.deny {
		if c := &s.deny[i]; c.matches(r, path, true) && (c.unconditional() || c.admits(p)) {
			return Decision{Code: identity.CodeRuleDenied, Rule: c.id}
		}
	}
	unmet := Decision{}
	for i := range s.require {
		c := &s.require[i]
		if !c.matches(r, path, true) {
			continue
		}
		if d := c.unmet(r, p); d.Code != "" {
			unmet = heavier(unmet, d, p, r)
		}
	}
	if unmet.Code != "" && !unmet.stepUp() {
		return unmet
	}
	d := s.admit(r, path, p)
	if unmet.stepUp() && d.Allow { // to ask somebody for a factor who may not enter anyway would be for nothing
		return unmet
	}
	return d
}

// unmet tells what of a require rule does not hold; no code: all of it does.
func (c *compiled) unmet(r *Request, p *identity.Principal) Decision {
	person := !c.unconditional() || c.ask != identity.Assurance{}
	switch {
	case len(c.networks) > 0 && !c.from(r.Addr):
		return Decision{Code: identity.CodeNetworkDenied, Rule: c.id}
	case person && p == nil:
		return Decision{NeedLogin: true, Code: identity.CodeLoginRequired, Rule: c.id}
	case person && !c.admits(p):
		return Decision{Code: identity.CodeRoleRequired, Rule: c.id}
	}
	if code := c.ask.Unmet(p, r.Now); code != "" {
		return Decision{Code: code, Rule: c.id, Ask: c.ask}
	}
	return Decision{}
}

// heavier takes the unmet requirement that is told: from where, then who, then how it was proven. What several ask to be
// proven is added up. Of two alike the one with the lesser id is named, so the order of rules does not show.
func heavier(a, b Decision, p *identity.Principal, r *Request) Decision {
	switch wa, wb := a.weight(), b.weight(); {
	case wa > wb || wa == wb && !a.stepUp() && a.Rule <= b.Rule:
		return a
	case wb > wa || !b.stepUp():
		return b
	}
	if b.Rule < a.Rule {
		a.Rule = b.Rule
	}
	a.Ask = union(a.Ask, b.Ask)
	a.Code = a.Ask.Unmet(p, r.Now)
	return a
}

func (d *Decision) weight() int {
	switch {
	case d.Code == "":
		return 0
	case d.stepUp():
		return 1
	case d.NeedLogin:
		return 2
	case d.Code == identity.CodeNetworkDenied:
		return 4
	}
	return 3
}

// union asks for what both ask for.
func union(a, b identity.Assurance) identity.Assurance {
	out := identity.Assurance{MFA: a.MFA || b.MFA, Passkey: a.Passkey || b.Passkey, MaxAge: a.MaxAge}
	if b.MaxAge > 0 && (out.MaxAge == 0 || b.MaxAge < out.MaxAge) {
		out.MaxAge = b.MaxAge
	}
	return out
}

// from tells whether an address is in one of the rule's networks.
func (c *compiled) from(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	return addr.IsValid() && slices.ContainsFunc(c.networks, func(n netip.Prefix) bool { return n.Contains(addr) })
}

// admit finds the rule that lets somebody in.
func (s *Set) admit(r *Request, path string, p *identity.Principal) Decision {
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
