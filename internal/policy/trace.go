package policy

import (
	"cmp"
	"slices"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Trace tells how a decision came about.
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

// Explain decides as Decide does and tells how. It looks at every rule, so it is for people, not for requests.
func (s *Set) Explain(r Request, p *identity.Principal) Trace {
	d := s.Decide(r, p)
	t := Trace{Host: r.Host, Method: r.Method, Path: r.Path, Decision: d}
	j := judgement{set: s, person: p}
	strictest := j.judge(&r, r.Path, false)
	for _, path := range r.Readings {
		if other := j.judge(&r, path, false); other.openness() < strictest.openness() {
			strictest, t.Path = other, path
		}
	}
	type miss struct {
		step Step
		near int // the more, the nearer
	}
	var misses []miss
	for i := range s.rules {
		c := &s.rules[i]
		step := Step{Effect: c.effect, Rule: c.id, Report: c.report, At: c.source.At}
		why, near := c.miss(&r, t.Path)
		switch {
		case why != "":
			step.Why = shorten(why)
			misses = append(misses, miss{step, near})
		case near == 0:
			step.Outcome, step.Why = j.outcome(&r, c, t.Path)
			step.Why = shorten(step.Why)
			t.Steps = append(t.Steps, step)
		}
	}
	slices.SortStableFunc(misses, func(a, b miss) int { return cmp.Compare(b.near, a.near) })
	for _, m := range misses {
		t.Steps = append(t.Steps, m.step)
	}
	t.trim(maxSteps, d.Rule)
	t.Remedy = shorten(s.remedy(r, p, d))
	return t
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

// miss tells the one thing that keeps a rule from being about a request, and how near it is. No reason and 0: nothing
// does; no reason and -1: more than one thing, so the rule is none to speak of.
func (c *compiled) miss(r *Request, path string) (why string, near int) {
	misses := 0
	note := func(hit bool, nearness int, what, got string, want ...string) {
		if !hit {
			misses++
			why, near = what+" "+got+" is not in ["+some(want)+"]", nearness
		}
	}
	note(len(c.hosts) == 0 || slices.Contains(c.hosts, r.Host), 1000, "host", r.Host, c.source.Hosts...)
	note(len(c.methods) == 0 || c.names(r.Method), 2000, "method", r.Method, c.methods...)
	note(c.covers(path), alike(path, slices.Concat(c.source.Paths, c.source.Globs)), "path", path, slices.Concat(c.source.Paths, c.source.Globs)...)
	note(len(c.from) == 0 || c.comes(r.Addr), 3000, "address", address(r.Addr), written(c.from)...)
	if misses > 1 {
		return "", -1
	}
	return why, near
}

// alike counts the leading segments that a path has in common with a pattern.
func alike(path string, patterns []string) int {
	most := 0
	for _, p := range patterns {
		n, a, b := 0, strings.Split(path, "/"), strings.Split(p, "/")
		for n < min(len(a), len(b)) && (strings.EqualFold(a[n], b[n]) || b[n] == "*") {
			n++
		}
		most = max(most, n)
	}
	return min(most, 900)
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
