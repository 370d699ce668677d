package policy_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/policy/condition"
)

var (
	noon     = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	networks = map[string][]netip.Prefix{"office": {netip.MustParsePrefix("10.0.0.0/8"),
		netip.MustParsePrefix("2001:db8::/32")}}
)

// world is one random policy with what it is asked about.
type world struct {
	rnd        *rand.Rand
	conditions []policy.Condition
	rules      []policy.Rule
	roles      []policy.Role
}

func (w *world) one(from ...string) string { return from[w.rnd.IntN(len(from))] }
func (w *world) odds(n int) bool           { return w.rnd.IntN(n) == 0 }

func (w *world) some(most int, from ...string) []string {
	var out []string
	for range w.rnd.IntN(most + 1) {
		out = append(out, w.one(from...))
	}
	return out
}

var (
	roleNames   = []string{"viewer", "editor", "boss", "admin"}
	permissions = []string{"orders:read", "orders:write", "orders:archive:read", "truxe:users:write", "orders:*",
		"*:read",
		"*:*", "*"}
)

func (w *world) makeRoles() {
	if w.odds(3) {
		return // any name is a role
	}
	for i, name := range roleNames[:3+w.rnd.IntN(2)] {
		r := policy.Role{Name: name, Permissions: w.some(2, permissions...)}
		if i > 0 && w.odds(2) {
			r.Inherits = append(r.Inherits, roleNames[:i]...)
		}
		w.roles = append(w.roles, r)
	}
}

func (w *world) prefixes() []netip.Prefix {
	all := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.0/25"),
		netip.MustParsePrefix("2001:db8::/33"), netip.MustParsePrefix("10.9.0.0/15"), netip.MustParsePrefix("0.0.0.0/0")}
	return all[w.rnd.IntN(len(all)):][:1]
}

func (w *world) segment() string {
	return w.one("a", "a", "b", "A", "k", "\u212a", "é", "É", "a b", "c.d")
}

func (w *world) makeRule(i int) policy.Rule {
	r := policy.Rule{ID: fmt.Sprintf("%s%02d", w.one("x", "y"), i), Effect: policy.Effect(1 + w.rnd.IntN(4)),
		FromFile: !w.odds(8), Report: w.odds(6)}
	if w.odds(2) {
		r.Reason = "because " + r.ID
	}
	if w.odds(2) {
		r.Hosts = w.some(2, "app.test", "App.Test", "b.test")
	}
	if w.odds(2) {
		r.Methods = w.some(3, "GET", "POST", "HEAD", "PURGE")
	}
	for range w.rnd.IntN(3) {
		glob := ""
		for range 1 + w.rnd.IntN(3) {
			glob += "/" + w.one("*", w.segment(), w.segment())
		}
		r.Globs = append(r.Globs, w.one(glob, glob, glob+"/**", glob+"/**", glob+"/", "/**", "/"))
	}
	if w.odds(5) {
		r.Paths = append(r.Paths, w.one("*", "/", "/*", "/a/*", "/a", "/a/b/", "/k/*"))
	}
	if w.odds(5) {
		r.From = w.prefixes()
	}
	if w.odds(3) {
		r.When = w.conditions[w.rnd.IntN(len(w.conditions))]
	}
	if r.Effect == policy.EffectPublic {
		return r
	}
	if r.Effect != policy.EffectDeny || !w.odds(3) {
		switch w.rnd.IntN(8) {
		case 0:
			r.Roles = []string{w.one("viewer", "editor", "boss")}
		case 1, 6, 7:
			r.Permissions = []string{w.one(permissions...)}
		case 2:
			r.Permissions, r.Roles = []string{w.one(permissions...)}, []string{w.one("viewer", "editor")}
		case 3:
			r.Users = []string{w.one("al", "eva", "https://idp.test|7")}
		case 4:
			r.Clients = []string{"cli"}
		}
	}
	if r.Effect == policy.EffectRequire {
		if w.odds(4) {
			r.Networks = w.prefixes()
		}
		if w.odds(2) || forEveryone(r) && r.Networks == nil {
			r.Assurance = identity.Assurance{MFA: w.odds(2), Passkey: w.odds(4),
				MaxAge: time.Duration(w.rnd.IntN(3)) * 10 * time.Minute}
			if r.Assurance == (identity.Assurance{}) {
				r.Assurance.MFA = true
			}
		}
	}
	return r
}

func (w *world) makeRequest() policy.Request {
	path := func() string {
		p := ""
		for range w.rnd.IntN(4) {
			p += "/" + w.one(w.segment(), w.segment(), w.segment(), w.segment(), "")
		}
		return w.one(p, p, p+"/", p+"/x", "/", "*")
	}
	r := policy.Request{Host: w.one("app.test", "b.test", "c.test"), Method: w.one("GET", "POST", "HEAD", "PURGE", "get"),
		Path: path()}
	if r.Path == "" {
		r.Path = "/"
	}
	for range w.rnd.IntN(8) - 4 {
		r.Readings = append(r.Readings, path())
	}
	if !w.odds(6) {
		r.Addr = netip.MustParseAddr(w.one("10.1.2.3", "10.9.0.1", "::ffff:10.1.2.3", "192.0.2.1", "192.0.2.200",
			"2001:db8::1", "2001:db8:ffff::1", "fe80::1%eth0"))
	}
	if !w.odds(8) {
		r.Now = noon.Add(time.Duration(w.rnd.IntN(3)-1) * time.Hour)
	}
	return r
}

func (w *world) makePrincipal() *identity.Principal {
	if w.odds(4) {
		return nil
	}
	proven := func() time.Time {
		if w.odds(2) {
			return time.Time{}
		}
		return noon.Add(time.Duration(w.rnd.IntN(130)-65) * time.Minute)
	}
	p := &identity.Principal{UserID: w.one("u1", "u2", "https://idp.test|7"), Username: w.one("al", "eva", ""),
		Roles: w.some(3, "viewer", "editor", "boss", "admin", "Viewer", "other"),
		Proof: identity.Proof{AuthTime: proven(), MFATime: proven(), PasskeyTime: proven()}}
	if w.odds(3) {
		p.ClientID = w.one("cli", "other")
	}
	return p
}

// compare describes where the engine and the oracle differ, or returns "".
func compare(s *policy.Set, o oracle, r policy.Request, p *identity.Principal) string {
	d := s.Decide(r, p)
	want := o.decide(r, p, false)
	if got := answerOf(d); got != want {
		return fmt.Sprintf("decided %+v, the oracle says %+v", got, want)
	}
	would := o.decide(r, p, true)
	differs := would.allow != want.allow || would.code != want.code || would.mfa != want.mfa ||
		would.passkey != want.passkey || would.maxAge != want.maxAge
	switch {
	case differs != (d.Report != nil):
		return fmt.Sprintf("reported %+v, the oracle says %+v instead of %+v", d.Report, would, want)
	case differs && answerOf(*d.Report) != would:
		return fmt.Sprintf("reported %+v, the oracle says %+v", answerOf(*d.Report), would)
	}
	if !s.Requires() {
		bare := r
		bare.Addr, bare.Now = netip.Addr{}, time.Time{}
		if blind := s.Decide(bare, p); answerOf(blind) != want {
			return fmt.Sprintf("requires neither address nor time, but decides %+v without them", blind)
		}
	}
	return ""
}

func answerOf(d policy.Decision) verdict {
	return verdict{allow: d.Allow, public: d.Public, login: d.NeedLogin, code: d.Code, rule: d.Rule, reason: d.Reason,
		mfa: d.Ask.MFA, passkey: d.Ask.Passkey, maxAge: d.Ask.MaxAge}
}

// shrink leaves out rules, readings and parts of rules as long as the difference stays.
func shrink(o oracle, r policy.Request, p *identity.Principal) (oracle, policy.Request, string) {
	differs := func(o oracle, r policy.Request) string {
		m, err := policy.CompileRoles(o.roles)
		if err != nil {
			return ""
		}
		s, err := policy.Compile(o.rules, m)
		if err != nil {
			return ""
		}
		return compare(s, o, r, p)
	}
	drops := []func(*policy.Rule) bool{
		func(x *policy.Rule) bool { had := x.When != nil; x.When = nil; return had },
		func(x *policy.Rule) bool { had := x.From != nil; x.From = nil; return had },
		func(x *policy.Rule) bool { had := x.Methods != nil; x.Methods = nil; return had },
		func(x *policy.Rule) bool { had := x.Hosts != nil; x.Hosts = nil; return had },
		func(x *policy.Rule) bool { had := x.Reason != ""; x.Reason = ""; return had },
		func(x *policy.Rule) bool { had := len(x.Globs) > 0; x.Globs = nil; return had },
	}
	smaller := func() bool {
		for i := range o.rules {
			less := o
			if less.rules = slices.Delete(slices.Clone(o.rules), i, i+1); differs(less, r) != "" {
				o = less
				return true
			}
		}
		for i := range r.Readings {
			less := r
			if less.Readings = slices.Delete(slices.Clone(r.Readings), i, i+1); differs(o, less) != "" {
				r = less
				return true
			}
		}
		for i := range o.rules {
			for _, drop := range drops {
				less := o
				less.rules = slices.Clone(o.rules)
				if drop(&less.rules[i]) && differs(less, r) != "" {
					o = less
					return true
				}
			}
		}
		return false
	}
	for smaller() {
	}
	return o, r, differs(o, r)
}

func fromEnvironment(t *testing.T, name string, otherwise uint64) uint64 {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(strings.ReplaceAll(text, "_", ""), 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// CONTRACT section 10, issue 4: the engine agrees with an independent, slow evaluator on every one of 100,000 random
// triples of policy, request and principal (`make oracle`: 10,000,000), and a trace says what the decision says
// (AZ-11).
func TestTheEngineAgreesWithTheOracle(t *testing.T) {
	triples := fromEnvironment(t, "TRUXE_ORACLE_TRIPLES", 100_000)
	seed := fromEnvironment(t, "TRUXE_ORACLE_SEED", 1)
	if os.Getenv("TRUXE_ORACLE_SEED") == "" && triples > 100_000 {
		seed = uint64(time.Now().UnixNano()) // a long run finds something new
	}
	var conditions []policy.Condition
	for text := range twins {
		c, err := condition.Compile(text, networks)
		if err != nil {
			t.Fatal(err)
		}
		conditions = append(conditions, c)
	}
	slices.SortFunc(conditions, func(a, b policy.Condition) int { return strings.Compare(a.String(), b.String()) })
	outcomes, reports, start := map[string]int{}, 0, time.Now()
	done := uint64(0)
	for ; done < triples; seed++ {
		w := &world{rnd: rand.New(rand.NewPCG(seed, 10)), conditions: conditions}
		w.makeRoles()
		for i := range 1 + w.rnd.IntN(w.rnd.IntN(40)+1) {
			w.rules = append(w.rules, w.makeRule(i))
		}
		model, err := policy.CompileRoles(w.roles)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		s, err := policy.Compile(w.rules, model)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		backward := slices.Clone(w.rules)
		slices.Reverse(backward)
		reversed, err := policy.Compile(backward, model)
		if err != nil {
			t.Fatalf("seed %d, in the other order: %v", seed, err)
		}
		o := oracle{rules: w.rules, roles: w.roles, when: twins}
		for range 200 {
			r, p := w.makeRequest(), w.makePrincipal()
			done++
			if compare(s, o, r, p) != "" {
				small, r, what := shrink(o, r, p)
				t.Fatalf("TRUXE_ORACLE_SEED=%d: %s\nrequest %+v\nperson  %+v\nroles   %+v\n%s", seed, what, r, p, small.roles,
					listed(small.rules))
			}
			d := s.Decide(r, p)
			outcomes[d.Verdict()+" "+string(d.Code)]++
			if d.Report != nil {
				reports++
			}
			if done%16 == 0 {
				inOrder, other := d, reversed.Decide(r, p)
				inOrder.Report, other.Report = nil, nil
				tr, brief := s.Explain(r, p), s.Brief(r, p)
				tr.Decision.Report, brief.Decision.Report = nil, nil
				if inOrder != other || tr.Decision != inOrder || brief.Decision != inOrder {
					t.Fatalf("TRUXE_ORACLE_SEED=%d: decided %+v, in the other order %+v, explained %+v, in brief %+v\n%+v",
						seed, d,
						other, tr.Decision, brief.Decision, r)
				}
				if _, err := policy.ParseTrace(tr.Compact()); err != nil {
					t.Fatalf("TRUXE_ORACLE_SEED=%d: %+v does not come back", seed, tr)
				}
			}
		}
	}
	t.Logf("%d triples in %v, %d with something to report: %v", done, time.Since(start).Round(time.Millisecond), reports,
		outcomes)
	for _, must := range []string{"allow ", "deny no_rule", "deny rule_denied", "deny role_required",
		"deny permission_required", "deny network_denied", "login login_required", "step_up mfa_required",
		"step_up reauth_required", "step_up passkey_required"} {
		if outcomes[must] < 20 {
			t.Errorf("%q came up %d times: the random worlds are too narrow", must, outcomes[must])
		}
	}
	if reports == 0 {
		t.Error("nothing was ever reported")
	}
}

func listed(rules []policy.Rule) string {
	var b strings.Builder
	for _, r := range rules {
		fmt.Fprintf(&b, "rule    %s %+v\n", r.Effect, r)
	}
	return b.String()
}

// A decision that asks a condition costs an allocation for the request and what CEL needs.
func BenchmarkDecideWithCondition(b *testing.B) {
	c, err := condition.Compile(`in_network(request.ip, "office") && request.method != "HEAD"`, networks)
	if err != nil {
		b.Fatal(err)
	}
	s, err := policy.Compile([]policy.Rule{{ID: "a", Effect: policy.EffectAllow, When: c}}, nil)
	if err != nil {
		b.Fatal(err)
	}
	r := policy.Request{Host: "app.test", Method: "GET", Path: "/orders/7", Addr: netip.MustParseAddr("10.1.2.3"),
		Now: noon}
	p := &identity.Principal{Username: "al"}
	b.ReportAllocs()
	for b.Loop() {
		if !s.Decide(r, p).Allow {
			b.Fatal("refused")
		}
	}
}
