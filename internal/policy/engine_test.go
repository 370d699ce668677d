package policy

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// R1, CONTRACT section 10, fault 23: a condition that fails is false where a rule would let in, and true where it
// refuses.
func TestConditionsThatFailRefuse(t *testing.T) {
	for _, c := range []struct {
		effect Effect
		truth  Truth
		allow  bool
	}{
		{EffectAllow, True, true}, {EffectAllow, False, false}, {EffectAllow, Failed, false}, {EffectAllow, Unknown, false},
		{EffectPublic, True, true}, {EffectPublic, False, false}, {EffectPublic, Failed, false},
		{EffectPublic, Unknown, false},
		{EffectDeny, True, false}, {EffectDeny, False, true}, {EffectDeny, Failed, false}, {EffectDeny, Unknown, false},
		{EffectRequire, True, false}, {EffectRequire, False, true}, {EffectRequire, Failed, false},
		{EffectRequire, Unknown, false},
	} {
		r := Rule{ID: "r", Effect: c.effect, When: always(c.truth), FromFile: true}
		rules := []Rule{r}
		if c.effect >= EffectRequire {
			rules = append(rules, Rule{ID: "all", Effect: EffectAllow})
		}
		if c.effect == EffectRequire {
			rules[0].Roles = []string{"boss"}
		}
		if d := judge(set(t, rules...), "GET", "/x", member); d.Allow != c.allow {
			t.Errorf("%s with truth %d: %+v", c.effect, c.truth, d)
		}
	}
}

// CONTRACT section 10: an anonymous visitor is asked to sign in if some rule could let him in then, and refused for
// good if none could. Rules that refuse judge him as he is.
func TestAnonymousVisitorsSignInWhereThatCouldHelp(t *testing.T) {
	var asked []*identity.Principal
	spy := func(anonymous, later Truth) Condition {
		return when{"spy", func(_ *Request, _ string, p *identity.Principal) Truth {
			asked = append(asked, p)
			if p == nil {
				return later
			}
			return anonymous
		}}
	}
	for name, c := range map[string]struct {
		rule Rule
		want identity.Code
	}{
		"allow, unknown": {Rule{Effect: EffectAllow, When: spy(False, Unknown)}, identity.CodeLoginRequired},
		"allow, true":    {Rule{Effect: EffectAllow, When: spy(False, True)}, identity.CodeLoginRequired},
		"allow, false":   {Rule{Effect: EffectAllow, When: spy(True, False)}, identity.CodeNoRule},
		"allow, failed":  {Rule{Effect: EffectAllow, When: spy(True, Failed)}, identity.CodeNoRule},
		"allow, another path": {Rule{Effect: EffectAllow, Globs: []string{"/y"}, When: spy(True, True)},
			identity.CodeNoRule},
		"public now":                  {Rule{Effect: EffectPublic, When: spy(True, False)}, ""},
		"public for some":             {Rule{Effect: EffectPublic, When: spy(False, Unknown)}, identity.CodeLoginRequired},
		"public for none":             {Rule{Effect: EffectPublic, When: spy(False, False)}, identity.CodeNoRule},
		"deny as he is":               {Rule{Effect: EffectDeny, When: spy(True, False)}, identity.CodeRuleDenied},
		"deny who he turns out to be": {Rule{Effect: EffectDeny, When: spy(False, True)}, identity.CodeNoRule},
		"deny for a role": {Rule{Effect: EffectDeny, Roles: []string{"x"}, When: spy(True, True)},
			identity.CodeNoRule},
		"require as he is": {Rule{Effect: EffectRequire, Roles: []string{"x"}, When: spy(True, False)},
			identity.CodeLoginRequired},
		"require of another user": {Rule{Effect: EffectRequire, Roles: []string{"x"}, When: spy(False, True)},
			identity.CodeNoRule},
		"a client could come by token": {Rule{Effect: EffectAllow, Clients: []string{"cli"}}, identity.CodeLoginRequired},
	} {
		c.rule.ID, c.rule.FromFile = "r", true
		asked = nil
		d := judge(set(t, c.rule), "GET", "/x", nil)
		if d.Code != c.want || d.NeedLogin != (c.want == identity.CodeLoginRequired) || d.Public != (c.want == "") {
			t.Errorf("%s: %+v", name, d)
		}
		for _, p := range asked {
			if p == nil && c.rule.Effect >= EffectRequire || p != nil && (p != Anonymous || c.rule.Effect == EffectAllow) {
				t.Errorf("%s: the condition was asked about %+v", name, p)
			}
		}
	}
}

// AZ-02 conditions see every reading of the path, and the strictest decision holds.
func TestConditionsJudgeEveryReading(t *testing.T) {
	admin := when{"path is /admin", func(_ *Request, path string, _ *identity.Principal) Truth {
		if path == "/admin" {
			return True
		}
		return False
	}}
	s := set(t, Rule{ID: "all", Effect: EffectAllow}, Rule{ID: "d", Effect: EffectDeny, When: admin})
	if d := s.Decide(Request{Path: "/x", Readings: []string{"/y", "/admin"}}, member); d.Rule != "d" {
		t.Errorf("%+v", d)
	}
	if d := s.Decide(Request{Path: "/x", Readings: []string{"/y"}}, member); !d.Allow {
		t.Errorf("control: %+v", d)
	}
}

// CONTRACT section 10: a permission is held through any role that grants it; who lacks nothing else is told so.
func TestPermissionsComeWithRoles(t *testing.T) {
	m := model(t, Role{Name: "viewer", Permissions: []string{"orders:read"}},
		Role{Name: "editor", Inherits: []string{"viewer"}, Permissions: []string{"orders:*"}},
		Role{Name: "auditor", Permissions: []string{"*:read"}})
	compileWith := func(rules ...Rule) *Set {
		s, err := Compile(rules, m)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	someone := func(roles ...string) *identity.Principal { return &identity.Principal{Username: "x", Roles: roles} }
	write := compileWith(Rule{ID: "w", Effect: EffectAllow, Permissions: []string{"orders:write"},
		Reason: "Ask the shop."})
	read := compileWith(Rule{ID: "r", Effect: EffectAllow, Permissions: []string{"orders:read", "x:y"}})
	for role, want := range map[string][2]bool{"viewer": {false, true}, "editor": {true, true}, "auditor": {false, true},
		"admin": {true, true}, "Editor": {}, "": {}} {
		if got := judge(write, "GET", "/", someone(role)).Allow; got != want[0] {
			t.Errorf("%s may write: %v", role, got)
		}
		if got := judge(read, "GET", "/", someone(role)).Allow; got != want[1] {
			t.Errorf("%s may read: %v", role, got)
		}
	}
	if d := judge(write, "GET", "/", someone("viewer")); d != (Decision{Code: identity.CodePermissionRequired, Rule: "w",
		Reason: "Ask the shop."}) {
		t.Errorf("%+v", d)
	}
	two := compileWith(Rule{ID: "y", Effect: EffectAllow, Permissions: []string{"orders:write"}},
		Rule{ID: "x", Effect: EffectAllow, Permissions: []string{"orders:delete"}})
	if d := judge(two, "GET", "/", someone("viewer")); d.Code != identity.CodePermissionRequired || d.Rule != "x" {
		t.Errorf("of two alike the first is told, by id: %+v", d)
	}
	both := compileWith(Rule{ID: "a", Effect: EffectAllow, Permissions: []string{"orders:write"}},
		Rule{ID: "b", Effect: EffectAllow, Roles: []string{"auditor"}, Reason: "b"})
	if d := judge(both, "GET", "/", someone("viewer")); d != (Decision{Code: identity.CodeRoleRequired, Rule: "b",
		Reason: "b"}) {
		t.Errorf("a role would help as well: %+v", d)
	}
	must := compileWith(Rule{ID: "a", Effect: EffectAllow},
		Rule{ID: "m", Effect: EffectRequire, Permissions: []string{"orders:write"}},
		Rule{ID: "n", Effect: EffectRequire, Roles: []string{"auditor"}})
	if d := judge(must, "GET", "/", someone("auditor")); d.Code != identity.CodePermissionRequired || d.Rule != "m" {
		t.Errorf("%+v", d)
	}
	if d := judge(must, "GET", "/", someone("viewer")); d.Code != identity.CodeRoleRequired || d.Rule != "n" {
		t.Errorf("a permission alone would not help: %+v", d)
	}
	if d := judge(must, "GET", "/", someone("editor", "auditor")); !d.Allow {
		t.Errorf("control: %+v", d)
	}
	none := set(t, Rule{ID: "w", Effect: EffectAllow, Permissions: []string{"orders:write"}})
	if judge(none, "GET", "/", someone("editor")).Allow || !judge(none, "GET", "/", someone("admin")).Allow {
		t.Error("without a model only admin has permissions")
	}
}

// A rule names clients by the client_id of the access token that a request carries.
func TestClients(t *testing.T) {
	s := set(t, Rule{ID: "c", Effect: EffectAllow, Clients: []string{"cli"}})
	for client, want := range map[string]bool{"cli": true, "CLI": false, "": false, "other": false} {
		if got := judge(s, "GET", "/", &identity.Principal{Username: "cli", ClientID: client}).Allow; got != want {
			t.Errorf("client %q: %v", client, got)
		}
	}
}

// R1 LK-08: rules of a network; from an unknown address those that refuse apply and those that let in do not.
func TestRulesOfANetwork(t *testing.T) {
	from := []netip.Prefix{office}
	inside, outside := netip.MustParseAddr("::ffff:10.1.2.3"), netip.MustParseAddr("192.0.2.1")
	for name, c := range map[string]struct {
		rule                     Rule
		inside, outside, unknown bool
	}{
		"allow":   {Rule{Effect: EffectAllow, From: from}, true, false, false},
		"public":  {Rule{Effect: EffectPublic, From: from, FromFile: true}, true, false, false},
		"deny":    {Rule{Effect: EffectDeny, From: from}, false, true, false},
		"require": {Rule{Effect: EffectRequire, From: from, Roles: []string{"x"}}, false, true, false},
	} {
		c.rule.ID = "r"
		s := set(t, c.rule)
		if !s.Requires() {
			t.Errorf("%s: the address is not asked for", name)
		}
		for addr, want := range map[netip.Addr]bool{inside: c.inside, outside: c.outside, {}: c.unknown} {
			if d := s.Decide(Request{Path: "/", Addr: addr}, member); d.Allow != want {
				t.Errorf("%s from %v: %+v", name, addr, d)
			}
		}
	}
}

// Address and time are asked for when a rule looks at them, in report mode too, and only then.
func TestOnlyRulesThatLookAtTheAddressAskForIt(t *testing.T) {
	for name, c := range map[string]struct {
		rule Rule
		want bool
	}{
		"path":      {Rule{Effect: EffectDeny, Globs: []string{"/a"}}, false},
		"who":       {Rule{Effect: EffectRequire, Roles: []string{"x"}}, false},
		"from":      {Rule{Effect: EffectPublic, From: []netip.Prefix{office}}, true},
		"networks":  {Rule{Effect: EffectRequire, Networks: []netip.Prefix{office}}, true},
		"factor":    {Rule{Effect: EffectRequire, Assurance: identity.Assurance{MaxAge: 1}}, true},
		"condition": {Rule{Effect: EffectAllow, When: always(True)}, true},
		"reported":  {Rule{Effect: EffectAllow, When: always(True), Report: true}, true},
	} {
		if got := set(t, c.rule).Requires(); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// mode: report: the rule decides nothing, closes nothing, and what it would have changed is told.
func TestReportedRulesDecideNothing(t *testing.T) {
	deny := Rule{ID: "d", Effect: EffectDeny, Globs: []string{"/a"}, Report: true, FromFile: true, Reason: "no more"}
	s := set(t, deny)
	if d := judge(s, "GET", "/a", member); !d.Allow || d.Report == nil ||
		*d.Report != (Decision{Code: identity.CodeRuleDenied, Rule: "d", Reason: "no more"}) {
		t.Errorf("%+v", d)
	}
	if d := judge(s, "GET", "/b", member); !d.Allow || d.Report == nil || d.Report.Code != identity.CodeNoRule {
		t.Errorf("a file with rules would have closed the rest: %+v", d)
	}
	closed := set(t, deny, Rule{ID: "a", Effect: EffectAllow, Roles: []string{"member"}},
		Rule{ID: "w", Effect: EffectAllow, Report: true}, Rule{ID: "m", Effect: EffectRequire, Globs: []string{"/m"},
			Assurance: identity.Assurance{MFA: true}, Report: true})
	if d := judge(closed, "GET", "/b", member); !d.Allow || d.Report != nil {
		t.Errorf("nothing would change: %+v", d)
	}
	if d := judge(closed, "GET", "/b", editor); d.Allow || d.Report == nil || !d.Report.Allow || d.Report.Rule != "w" {
		t.Errorf("the new rule would let in: %+v", d)
	}
	if d := judge(closed, "GET", "/m", member); !d.Allow || d.Report == nil ||
		d.Report.Ask != (identity.Assurance{MFA: true}) {
		t.Errorf("the new rule would ask for a factor: %+v", d)
	}
	if d := judge(closed, "GET", "/b", nil); d.Code != identity.CodeLoginRequired || d.Report != nil {
		t.Errorf("anonymous: %+v", d)
	}
}

// Issue 4: what is wrong with rules is told all at once, each with its place and the nearest name.
func TestMistakesInRulesAreToldWithTheirPlace(t *testing.T) {
	m := model(t, Role{Name: "editor"})
	at := func(line int) Position { return Position{File: "policies/orders.yaml", Line: line, Column: 7} }
	_, err := Compile([]Rule{
		{ID: "orders-write", Effect: EffectAllow, Roles: []string{"edtor"}, At: at(14)},
		{ID: "b", Effect: EffectAllow, Permissions: []string{"orders"}, At: at(20)},
		{ID: "ok", Effect: EffectAllow, At: at(30)},
		{ID: "ok", Effect: EffectDeny, At: at(40)},
		{ID: "p", Effect: EffectPublic, Clients: []string{"x"}, At: at(50)},
		{ID: "q", Effect: EffectPublic, Permissions: []string{"a:b"}, At: at(60)},
		{ID: "n", Effect: EffectDeny, From: []netip.Prefix{{}}, At: at(70)},
		{ID: "c", Effect: EffectAllow, Clients: []string{""}, At: at(80)},
	}, m)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`policies/orders.yaml:14:7: rule orders-write: unknown role "edtor"; did you mean "editor"?`,
		`policies/orders.yaml:20:7: rule b: permission "orders" is not "resource:action"`,
		`policies/orders.yaml:40:7: rule ok: another rule has the same id, at policies/orders.yaml:30:7`,
		`policies/orders.yaml:50:7: rule p: a public rule is for everyone`,
		`policies/orders.yaml:60:7: rule q: a public rule is for everyone`,
		`policies/orders.yaml:70:7: rule n: a network is not valid`,
		`policies/orders.yaml:80:7: rule c: a role, user, client or method is empty`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %s", err, want)
		}
	}
	var p *Problem
	if !errors.As(err, &p) || p.At != at(14) {
		t.Errorf("%+v is no problem with a place", err)
	}
}
