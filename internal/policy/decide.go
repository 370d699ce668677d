package policy

import (
	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Decide judges a request under every reading of its path; the strictest decision holds. It allocates nothing, unless a
// condition does or rules in report mode would have decided otherwise.
func (s *Set) Decide(r Request, p *identity.Principal) Decision {
	j := judgement{set: s, person: p}
	d := j.strictest(&r, false)
	if s.reports && (j.passed || s.open != s.openReported) {
		if would := j.strictest(&r, true); would.differs(&d) {
			report := would // a copy, so that only a difference costs an allocation
			d.Report = &report
		}
	}
	return d
}

// judgement is one request while it is judged. The request itself is handed on beside it, so that it need not live on
// the heap.
type judgement struct {
	set    *Set
	person *identity.Principal
	copied *Request // for conditions, made when the first of them is asked
	passed bool     // a rule in report mode was about this request
}

// strictest: reported says whether rules in report mode decide too.
func (j *judgement) strictest(r *Request, reported bool) Decision {
	d := j.judge(r, r.Path, reported)
	for _, path := range r.Readings {
		other := j.judge(r, path, reported)
		if other.openness() < d.openness() {
			d = other
		} else if d.stepUp() && other.stepUp() {
			d.Ask = union(d.Ask, other.Ask)
			d.Code = d.Ask.Unmet(j.person, r.Now)
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

// differs tells whether the visitor would notice.
func (d *Decision) differs(other *Decision) bool {
	return d.Allow != other.Allow || d.Code != other.Code || d.Ask != other.Ask
}

func (j *judgement) judge(r *Request, path string, reported bool) Decision {
	if j.set.index == nil {
		return j.among(r, j.set.all, path, reported)
	}
	var room [48]int32
	return j.among(r, j.set.index.find(room[:0], r.Host, path, methodBit(r.Method)), path, reported)
}

// among decides by the rules listed, which stand in the order of Set.rules: of several alike the one with the least id
// is told.
func (j *judgement) among(r *Request, rules []int32, path string, reported bool) Decision {
	s, next := j.set, 0
	for ; next < len(rules) && rules[next] < s.denies; next++ {
		c := &s.rules[rules[next]]
		if j.about(r, c, path, reported) && (c.unconditional() || c.admits(j.person)) && j.mayHold(r, c, path) {
			return Decision{Code: identity.CodeRuleDenied, Rule: c.id, Reason: c.reason}
		}
	}
	unmet := Decision{}
	for ; next < len(rules) && rules[next] < s.requires; next++ {
		c := &s.rules[rules[next]]
		if !j.about(r, c, path, reported) {
			continue
		}
		if d := c.unmet(r, j.person); d.Code != "" && j.mayHold(r, c, path) {
			unmet = heavier(unmet, d, j.person, r)
		}
	}
	if unmet.Code != "" && !unmet.stepUp() {
		return unmet
	}
	d := j.admit(r, rules[next:], path, reported)
	if unmet.stepUp() && d.Allow { // to ask somebody for a factor who may not enter anyway would be for nothing
		return unmet
	}
	return d
}

// about tells whether a rule is about this request and has a say.
func (j *judgement) about(r *Request, c *compiled, path string, reported bool) bool {
	if !c.matches(r, path) {
		return false
	}
	if c.report && !reported {
		j.passed = true
		return false
	}
	return true
}

// mayHold judges the condition of a rule that refuses: what cannot be told counts as true.
func (j *judgement) mayHold(r *Request, c *compiled, path string) bool {
	if j.person == nil {
		return j.truth(r, c, path, Nobody) != False
	}
	return j.truth(r, c, path, j.person) != False
}

func (j *judgement) truth(r *Request, c *compiled, path string, p *identity.Principal) Truth {
	if c.when == nil {
		return True
	}
	if j.copied == nil {
		copied := *r // conditions are behind an interface: what they see lives on the heap
		j.copied = &copied
	}
	return c.when.Holds(j.copied, path, p)
}

// unmet tells what of a require rule does not hold; no code: all of it does.
func (c *compiled) unmet(r *Request, p *identity.Principal) Decision {
	person := !c.unconditional() || c.ask != identity.Assurance{}
	d := Decision{Rule: c.id, Reason: c.reason}
	switch {
	case len(c.networks) > 0 && !within(c.networks, r.Addr):
		d.Code = identity.CodeNetworkDenied
	case person && p == nil:
		d.NeedLogin, d.Code = true, identity.CodeLoginRequired
	case person && !c.admits(p):
		d.Code = c.lacking()
	default:
		if d.Code = c.ask.Unmet(p, r.Now); d.Code != "" {
			d.Ask = c.ask
		}
	}
	return d
}

// lacking is what somebody signed in lacks whom the rule does not name.
func (c *compiled) lacking() identity.Code {
	if c.byPermission() {
		return identity.CodePermissionRequired
	}
	return identity.CodeRoleRequired
}

// heavier takes the unmet requirement that is told: from where, then who, then how it was proven. What several ask to be
// proven is added up, and of those alike the first is named.
func heavier(a, b Decision, p *identity.Principal, r *Request) Decision {
	wa, wb := a.weight(), b.weight()
	if wb > wa {
		return b
	}
	if wa == wb && a.stepUp() {
		a.Ask = union(a.Ask, b.Ask)
		a.Code = a.Ask.Unmet(p, r.Now)
	}
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
	case d.Code == identity.CodePermissionRequired:
		return 3
	case d.Code == identity.CodeNetworkDenied:
		return 5
	}
	return 4
}

// union asks for what both ask for.
func union(a, b identity.Assurance) identity.Assurance {
	out := identity.Assurance{MFA: a.MFA || b.MFA, Passkey: a.Passkey || b.Passkey, MaxAge: a.MaxAge}
	if b.MaxAge > 0 && (out.MaxAge == 0 || b.MaxAge < out.MaxAge) {
		out.MaxAge = b.MaxAge
	}
	return out
}

// admit finds the rule that lets somebody in, among public and allow rules.
func (j *judgement) admit(r *Request, rules []int32, path string, reported bool) Decision {
	s, p, next := j.set, j.person, 0
	could := false // an anonymous visitor could be let in once signed in
	for ; next < len(rules) && rules[next] < s.public; next++ {
		c := &s.rules[rules[next]]
		if !j.about(r, c, path, reported) {
			continue
		}
		who := p
		if who == nil {
			who = Nobody
		}
		if j.truth(r, c, path, who) == True {
			return Decision{Allow: true, Public: true, Rule: c.id}
		}
		could = could || p == nil && j.couldHold(r, c, path)
	}
	if open := s.open && !reported || s.openReported && reported; open {
		if p == nil {
			return Decision{NeedLogin: true, Code: identity.CodeLoginRequired}
		}
		return Decision{Allow: true}
	}
	refused := Decision{Code: identity.CodeNoRule}
	for ; next < len(rules); next++ {
		c := &s.rules[rules[next]]
		if !j.about(r, c, path, reported) {
			continue
		}
		switch {
		case p == nil:
			could = could || j.couldHold(r, c, path)
		case j.truth(r, c, path, p) != True:
		case c.admits(p):
			return Decision{Allow: true, Rule: c.id}
		default: // who could be cured by a role is told so, and of those alike the first
			d := Decision{Code: c.lacking(), Rule: c.id, Reason: c.reason}
			if refused.Code == identity.CodeNoRule || d.weight() > refused.weight() {
				refused = d
			}
		}
	}
	if could {
		return Decision{NeedLogin: true, Code: identity.CodeLoginRequired}
	}
	return refused
}

// couldHold tells whether a condition may hold for somebody who signs in.
func (j *judgement) couldHold(r *Request, c *compiled, path string) bool {
	t := j.truth(r, c, path, nil)
	return t == True || t == Unknown
}
