package policy

import (
	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Decide judges a request under every reading of its path; the strictest decision holds. It allocates nothing, unless a
// condition does or rules in report mode would have decided otherwise.
func (s *Set) Decide(r Request, p *identity.Principal) Decision {
	j := judgement{set: s, person: p}
	var d Decision
	j.strictest(&r, false, &d)
	if s.reports && (j.passed || s.open != s.openReported) {
		var would Decision
		if j.strictest(&r, true, &would); would.differs(&d) {
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
	wide   bool     // the path that is judged has letters beyond ASCII
}

// strictest: reported says whether rules in report mode decide too.
func (j *judgement) strictest(r *Request, reported bool, d *Decision) {
	j.judge(r, r.Path, reported, d)
	for _, path := range r.Readings {
		var other Decision
		j.judge(r, path, reported, &other)
		if other.openness() < d.openness() {
			*d = other
		} else if d.stepUp() && other.stepUp() {
			d.Ask = union(d.Ask, other.Ask)
			d.Code = d.Ask.Unmet(j.person, r.Now)
		}
	}
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

// differs reports whether the visitor would notice.
func (d *Decision) differs(other *Decision) bool {
	return d.Allow != other.Allow || d.Code != other.Code || d.Ask != other.Ask
}

func (j *judgement) judge(r *Request, path string, reported bool, d *Decision) {
	if j.set.index == nil {
		j.among(r, j.set.all, path, reported, d)
		return
	}
	var room [48]int32
	j.among(r, j.set.index.find(room[:0], r.Host, path, methodBit(r.Method)), path, reported, d)
}

// among decides by the rules listed, which are in the order of Set.rules: of several alike the one with the least id
// is told. d is empty before.
func (j *judgement) among(r *Request, rules []int32, path string, reported bool, d *Decision) {
	s, next := j.set, 0
	j.wide = s.requires > 0 && !isASCII(path)
	for ; next < len(rules) && rules[next] < s.denies; next++ {
		c := &s.rules[rules[next]]
		if j.about(r, c, path, reported) && (c.anybody || c.admits(j.person)) && j.mayHold(r, c, path) {
			d.Code, d.Rule, d.Reason = identity.CodeRuleDenied, c.id, c.reason
			return
		}
	}
	for ; next < len(rules) && rules[next] < s.requires; next++ {
		c := &s.rules[rules[next]]
		if !j.about(r, c, path, reported) {
			continue
		}
		if code := c.unmet(r, j.person); code != "" && j.mayHold(r, c, path) {
			d.addUnmet(c, code, j.person, r)
		}
	}
	switch {
	case d.Code == "":
		j.admit(r, rules[next:], path, reported, d)
	case d.stepUp(): // a factor would not help a user who may not enter anyway
		var entry Decision
		if j.admit(r, rules[next:], path, reported, &entry); !entry.Allow {
			*d = entry
		}
	}
}

// about reports whether a rule is about this request and has a say.
func (j *judgement) about(r *Request, c *compiled, path string, reported bool) bool {
	if !c.matches(r, path, j.wide) {
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
		return j.truth(r, c, path, Anonymous) != False
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

// unmet returns what a require rule asks for and the request lacks, or "".
func (c *compiled) unmet(r *Request, p *identity.Principal) identity.Code {
	switch {
	case len(c.networks) > 0 && !within(c.networks, r.Addr):
		return identity.CodeNetworkDenied
	case !c.person:
		return ""
	case p == nil:
		return identity.CodeLoginRequired
	case !c.admits(p):
		return c.lacking()
	}
	return c.ask.Unmet(p, r.Now)
}

func (c *compiled) unmetDecision(code identity.Code) Decision {
	d := Decision{Code: code, Rule: c.id, Reason: c.reason, NeedLogin: code == identity.CodeLoginRequired}
	switch code {
	case identity.CodeMFARequired, identity.CodePasskeyRequired, identity.CodeReauthRequired:
		d.Ask = c.ask
	}
	return d
}

// lacking is what a signed-in user lacks to be named by the rule.
func (c *compiled) lacking() identity.Code {
	if c.byPermission() {
		return identity.CodePermissionRequired
	}
	return identity.CodeRoleRequired
}

// addUnmet keeps the unmet requirement that is told: from where, then who, then how it was proven. What several ask to
// be proven is added up, and of those alike the first is named.
func (d *Decision) addUnmet(c *compiled, code identity.Code, p *identity.Principal, r *Request) {
	b := c.unmetDecision(code)
	switch before, now := d.weight(), b.weight(); {
	case now > before:
		*d = b
	case now == before && d.stepUp():
		d.Ask = union(d.Ask, b.Ask)
		d.Code = d.Ask.Unmet(p, r.Now)
	}
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

// admit finds the rule that lets the request in, among public and allow rules.
func (j *judgement) admit(r *Request, rules []int32, path string, reported bool, d *Decision) {
	s, p, next := j.set, j.person, 0
	could := false // an anonymous visitor could be let in once signed in
	for ; next < len(rules) && rules[next] < s.public; next++ {
		c := &s.rules[rules[next]]
		if !j.about(r, c, path, reported) {
			continue
		}
		who := p
		if who == nil {
			who = Anonymous
		}
		if j.truth(r, c, path, who) == True {
			d.Allow, d.Public, d.Rule = true, true, c.id
			return
		}
		could = could || p == nil && j.couldHold(r, c, path)
	}
	if open := s.open && !reported || s.openReported && reported; open {
		could, d.Allow = p == nil, p != nil
		rules = nil
	}
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
			*d = Decision{Allow: true, Rule: c.id}
			return
		// who could be cured by a role is told so; of those alike the first
		case d.Code == "" || d.Code == identity.CodePermissionRequired && !c.byPermission():
			d.Code, d.Rule, d.Reason = c.lacking(), c.id, c.reason
		}
	}
	switch {
	case could:
		d.NeedLogin, d.Code = true, identity.CodeLoginRequired
	case d.Code == "" && !d.Allow:
		d.Code = identity.CodeNoRule
	}
}

// couldHold reports whether a condition may hold after signing in.
func (j *judgement) couldHold(r *Request, c *compiled, path string) bool {
	t := j.truth(r, c, path, nil)
	return t == True || t == Unknown
}
