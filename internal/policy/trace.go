package policy

import (
	"cmp"
	"slices"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Trace records how a decision came about.
type Trace struct {
	Host, Method string
	Path         string // the reading of the path that decided
	Decision     Decision
	// Steps are first the rules about this request in the order in which they are asked, then near misses, the nearest
	// first.
	Steps   []Step
	Omitted int    // rules left out because there were too many
	Remedy  string // what would change a refusal, such as "After a second factor: allow."; may be empty
}

// Step is one rule that was looked at.
type Step struct {
	Effect  Effect
	Rule    string
	Report  bool // the rule is in report mode: it decides nothing
	Outcome Outcome
	Why     string
	At      Position
}

// Outcome is what a rule says of a request.
type Outcome uint8

// The outcomes. A require rule that holds is Yes.
const (
	No Outcome = iota
	Yes
	Unmet
)

// String is the word of explanations.
func (o Outcome) String() string {
	switch o {
	case Yes:
		return "yes"
	case Unmet:
		return "UNMET"
	}
	return "no"
}

// String is the word of policy files.
func (e Effect) String() string {
	switch e {
	case EffectAllow:
		return "allow"
	case EffectPublic:
		return "public"
	case EffectRequire:
		return "require"
	case EffectDeny:
		return "deny"
	}
	return "unknown"
}

// Verdict is the decision in a word: allow, deny, login or step_up.
func (d Decision) Verdict() string {
	switch {
	case d.Allow:
		return "allow"
	case d.stepUp():
		return "step_up"
	case d.NeedLogin:
		return "login"
	}
	return "deny"
}

const (
	maxSteps = 60  // of a trace
	maxWhy   = 300 // bytes of a reason
)

// Explain decides as Decide does and records how. It looks at every rule, near misses too, so it is not for the request
// path: with 10,000 rules it takes about a millisecond.
func (s *Set) Explain(r Request, p *identity.Principal) Trace { return s.trace(r, p, true) }

// Brief is Explain without the rules for other hosts and paths: what a refused request can afford.
func (s *Set) Brief(r Request, p *identity.Principal) Trace { return s.trace(r, p, false) }

func (s *Set) trace(r Request, p *identity.Principal, everything bool) Trace {
	d := s.Decide(r, p)
	t := Trace{Host: r.Host, Method: r.Method, Path: r.Path, Decision: d}
	j := judgement{set: s, person: p}
	var strictest Decision
	j.judge(&r, r.Path, false, &strictest)
	for _, path := range r.Readings {
		var other Decision
		if j.judge(&r, path, false, &other); other.openness() < strictest.openness() {
			strictest, t.Path = other, path
		}
	}
	rules := s.all
	if !everything {
		rules = s.near(&r, t.Path)
	}
	type miss struct{ rule, near int32 }
	var misses []miss
	for _, i := range rules {
		switch what, near := s.rules[i].miss(&r, t.Path); what {
		case nothing:
			outcome, why := j.outcome(&r, &s.rules[i], t.Path)
			t.Steps = append(t.Steps, s.rules[i].step(outcome, why))
		case several:
		default:
			misses = append(misses, miss{i, near})
		}
	}
	slices.SortStableFunc(misses, func(a, b miss) int { return cmp.Compare(b.near, a.near) })
	for n, m := range misses {
		if len(t.Steps) == maxSteps {
			t.Omitted = len(misses) - n
			break
		}
		c := &s.rules[m.rule]
		t.Steps = append(t.Steps, c.step(No, c.missReason(&r, t.Path)))
	}
	t.trim(maxSteps, d.Rule)
	t.Remedy = shorten(s.remedy(r, p, d))
	return t
}

// near lists the rules for the host and a path, whatever their methods.
func (s *Set) near(r *Request, path string) []int32 {
	if s.index == nil {
		return s.all
	}
	return s.index.find(nil, r.Host, path, anyMethod)
}

func (c *compiled) step(outcome Outcome, why string) Step {
	return Step{Effect: c.effect, Rule: c.id, Report: c.report, At: c.source.At, Outcome: outcome, Why: shorten(why)}
}

// trim keeps so many steps, the one that decided among them.
func (t *Trace) trim(most int, decided string) {
	if len(t.Steps) <= most {
		return
	}
	if at := slices.IndexFunc(t.Steps, func(s Step) bool { return s.Rule == decided }); at >= most && decided != "" {
		t.Steps[most-1] = t.Steps[at]
	}
	t.Omitted += len(t.Steps) - most
	t.Steps = t.Steps[:most:most]
}

// lack is what keeps a rule from being about a request.
type lack uint8

const (
	nothing lack = iota
	theHost
	theMethod
	theAddress
	thePath
	several // more than one reason
)

// miss returns why a rule does not match a request, and how close it is.
func (c *compiled) miss(r *Request, path string) (what lack, near int32) {
	note := func(l lack, nearness int32) {
		if what != nothing {
			l = several
		}
		what, near = l, nearness
	}
	if len(c.hosts) > 0 && !slices.Contains(c.hosts, r.Host) {
		note(theHost, 1000)
	}
	if len(c.methods) > 0 && !c.names(r.Method) {
		note(theMethod, 2000)
	}
	if len(c.from) > 0 && !c.comes(r.Addr) {
		note(theAddress, 3000)
	}
	if what < several && !c.covers(path, true) {
		note(thePath, min(900, max(alike(path, c.source.Paths), alike(path, c.source.Globs))))
	}
	return what, near
}

// missReason describes the one reason in words.
func (c *compiled) missReason(r *Request, path string) string {
	what, _ := c.miss(r, path)
	say := func(what, got string, want []string) string {
		return what + " " + got + " is not in [" + some(want) + "]"
	}
	switch what {
	case theHost:
		return say("host", r.Host, c.source.Hosts)
	case theMethod:
		return say("method", r.Method, c.methods)
	case theAddress:
		return say("address", address(r.Addr), written(c.from))
	}
	return say("path", path, slices.Concat(c.source.Paths, c.source.Globs))
}

// alike counts the leading segments that a path has in common with one of the patterns.
func alike(path string, patterns []string) int32 {
	most := int32(0)
	for _, pattern := range patterns {
		n, rest, more, moreOfPath := int32(0), path, true, true
		for more && moreOfPath {
			var got, want string
			want, pattern, more = strings.Cut(pattern, "/")
			got, rest, moreOfPath = strings.Cut(rest, "/")
			if want != "*" && !strings.EqualFold(got, want) {
				break
			}
			n++
		}
		most = max(most, n)
	}
	return most
}

// some lists a few.
func some(words []string) string {
	if len(words) > 6 {
		return strings.Join(words[:5], ", ") + ", …"
	}
	return strings.Join(words, ", ")
}

func shorten(s string) string {
	if len(s) <= maxWhy {
		return s
	}
	return strings.ToValidUTF8(s[:maxWhy-3], "") + "…"
}
