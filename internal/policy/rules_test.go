package policy

import (
	"testing"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

var (
	member = &identity.Principal{Username: "m", Roles: []string{"member"}}
	editor = &identity.Principal{Username: "e", Roles: []string{"editor"}}
)

func judge(s *Set, method, path string, p *identity.Principal) Decision {
	return s.Decide(Request{Host: "app.test", Method: method, Path: path}, p)
}

// CONTRACT section 10: deny, then require, then allow or public, then the default; the order of the rules never
// matters.
func TestOrderOfRulesNeverMatters(t *testing.T) {
	rules := []Rule{
		{ID: "p", Effect: EffectPublic, Globs: []string{"/open/**"}, FromFile: true},
		{ID: "a", Effect: EffectAllow, Globs: []string{"/**"}, Roles: []string{"member", "editor"}, FromFile: true},
		{ID: "r", Effect: EffectRequire, Globs: []string{"/open/edit/**"}, Roles: []string{"editor"}, FromFile: true},
		{ID: "d", Effect: EffectDeny, Globs: []string{"/open/edit/never"}, FromFile: true},
	}
	cases := []struct {
		path string
		p    *identity.Principal
		want Decision
	}{
		{"/open/x", nil, Decision{Allow: true, Public: true, Rule: "p"}},
		{"/open/edit/x", nil, Decision{NeedLogin: true, Code: identity.CodeLoginRequired, Rule: "r"}},
		{"/open/edit/x", member, Decision{Code: identity.CodeRoleRequired, Rule: "r"}},
		{"/open/edit/x", editor, Decision{Allow: true, Public: true, Rule: "p"}},
		{"/open/edit/never", nil, Decision{Code: identity.CodeRuleDenied, Rule: "d"}},
		{"/open/edit/never", editor, Decision{Code: identity.CodeRuleDenied, Rule: "d"}},
		{"/x", nil, Decision{NeedLogin: true, Code: identity.CodeLoginRequired}},
		{"/x", member, Decision{Allow: true, Rule: "a"}},
		{"/x", &identity.Principal{Username: "z"}, Decision{Code: identity.CodeRoleRequired, Rule: "a"}},
	}
	for turn := range rules {
		s := set(t, append(append([]Rule{}, rules[turn:]...), rules[:turn]...)...)
		for _, c := range cases {
			if got := judge(s, "GET", c.path, c.p); got != c.want {
				t.Errorf("turn %d, %s: %+v, want %+v", turn, c.path, got, c.want)
			}
		}
	}
}

// AZ-01 where a policy file has rules, no match is no_rule, for an anonymous visitor too; `public` in a Caddyfile alone
// leaves the rest to every signed-in user.
func TestNoMatchIsADenialOnceThereAreRules(t *testing.T) {
	file := set(t, Rule{ID: "f", Effect: EffectPublic, Paths: []string{"/a"}, FromFile: true})
	for _, p := range []*identity.Principal{nil, member} {
		if got := judge(file, "GET", "/b", p); got != (Decision{Code: identity.CodeNoRule}) {
			t.Errorf("%+v", got)
		}
	}
	short := set(t, Rule{ID: "c", Effect: EffectPublic, Paths: []string{"/a"}})
	if got := judge(short, "GET", "/b", member); !got.Allow || got.Public {
		t.Errorf("%+v", got)
	}
	if got := judge(short, "GET", "/b", nil); !got.NeedLogin || got.Code != identity.CodeLoginRequired {
		t.Errorf("%+v", got)
	}
}

// AZ-04 AZ-03 patterns match whole paths, segment by segment.
func TestGlobsMatchWholePaths(t *testing.T) {
	for _, c := range []struct {
		glob, path  string
		allow, deny bool
	}{
		{"/admin/**", "/administrator", false, false},
		{"/admin/**", "/admin/", true, true},
		{"/admin/**", "/admin/a/b", true, true},
		{"/admin/**", "/admin", false, true},
		{"/admin/**", "/ADMIN/a", false, true},
		{"/admin", "/Admin/", false, true},
		{"/admin", "/admin", true, true},
		{"/admin", "/admin/x", false, false},
		{"/**", "/", true, true},
		{"/u/*/edit", "/u/7/edit", true, true},
		{"/u/*/edit", "/u/7/EDIT/", false, true},
		{"/u/*/edit", "/u/7/8/edit", false, false},
		{"/u/*/edit", "/u//edit", false, false},
		{"/u/*", "/u/7", true, true},
		{"/u/*", "/u/7/8", false, false},
		{"/u/*/**", "/u/7/8/9", true, true},
		{"/u/*/**", "/u/7/", true, true},
		{"/u/*/**", "/u/7", false, true},
		{"/Docs/*", "/docs/x", false, true},
	} {
		allow := set(t, Rule{ID: "a", Effect: EffectAllow, Globs: []string{c.glob}})
		deny := set(t, Rule{ID: "all", Effect: EffectAllow}, Rule{ID: "d", Effect: EffectDeny, Globs: []string{c.glob}})
		if got := judge(allow, "GET", c.path, member).Allow; got != c.allow {
			t.Errorf("allow %s, %s: %v", c.glob, c.path, got)
		}
		if got := !judge(deny, "GET", c.path, member).Allow; got != c.deny {
			t.Errorf("deny %s, %s: %v", c.glob, c.path, got)
		}
	}
}

// AZ-06 methods compare exactly and HEAD follows GET; AZ-05 an unknown host is denied.
func TestMethodsAndHostsOfRules(t *testing.T) {
	s := set(t, Rule{ID: "a", Effect: EffectAllow, Methods: []string{"GET", "PUT"}, Hosts: []string{"App.Test:443"}})
	for method, want := range map[string]bool{"GET": true, "HEAD": true, "PUT": true, "get": false, "POST": false,
		"": false} {
		if got := judge(s, method, "/", member).Allow; got != want {
			t.Errorf("%q: %v", method, got)
		}
	}
	if d := s.Decide(Request{Host: "other.test", Method: "GET", Path: "/"}, member); d.Allow ||
		d.Code != identity.CodeNoRule {
		t.Errorf("an unknown host: %+v", d)
	}
	if judge(set(t, Rule{ID: "h", Effect: EffectAllow, Methods: []string{"HEAD"}}), "GET", "/", member).Allow {
		t.Error("GET follows HEAD")
	}
}

// OIDC Core 5.7: a trusted issuer's user who calls himself root is not our root.
func TestForeignUserNamesAreNotOurs(t *testing.T) {
	s := set(t, Rule{ID: "a", Effect: EffectAllow, Users: []string{"root", "https://idp.test|42"}})
	for _, c := range []struct {
		p    identity.Principal
		want bool
	}{
		{identity.Principal{UserID: "abc", Username: "root"}, true},
		{identity.Principal{UserID: "https://idp.test|7", Username: "root"}, false},
		{identity.Principal{UserID: "https://idp.test|42", Username: "x"}, true},
		{identity.Principal{UserID: "abc", Username: "https://idp.test|42"}, true}, // a local name, exactly as written
		{identity.Principal{}, false},
	} {
		if got := judge(s, "GET", "/", &c.p).Allow; got != c.want {
			t.Errorf("%+v: %v", c.p, got)
		}
	}
}

// R1 a rule that cannot mean anything is an error, not a guess.
func TestRulesWithoutMeaningAreErrors(t *testing.T) {
	for name, r := range map[string]Rule{
		"no effect": {Paths: []string{"/a"}}, "unknown effect": {Effect: 9},
		"public for some": {Effect: EffectPublic, Roles: []string{"x"}},
		"require nothing": {Effect: EffectRequire}, "empty role": {Effect: EffectAllow, Roles: []string{""}},
		"empty method": {Effect: EffectAllow, Methods: []string{""}},
		"bad host":     {Effect: EffectAllow, Hosts: []string{"a/b"}},
		"star inside":  {Effect: EffectAllow, Globs: []string{"/a*"}},
		"stars inside": {Effect: EffectAllow, Globs: []string{"/a/**/b"}},
		"relative":     {Effect: EffectAllow, Globs: []string{"a/*"}},
		"dots":         {Effect: EffectAllow, Globs: []string{"/a/../*"}},
		"encoded":      {Effect: EffectAllow, Globs: []string{"/a%2f/*"}},
		"query":        {Effect: EffectAllow, Globs: []string{"/*?x"}},
	} {
		if _, err := Compile([]Rule{r}, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for _, good := range []string{"/", "/**", "/a b/**", "/.well-known/*", "/café/*/x", "/a.b/"} {
		if _, err := Compile([]Rule{{Effect: EffectAllow, Globs: []string{good}}}, nil); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
}

// AZ-05 odd forms of a host are errors or the host itself, never another spelling of a host we serve.
func TestOddHosts(t *testing.T) {
	for _, bad := range []string{"app.test@evil.example", "[app.test]", "[fe80::1%25eth0]", "[::1", "[::1]x", "app..test",
		".app.test", "app.test..", "app.test\t", "app.test:", "app.test:x", ":80", ".", "app.test:80:80", "bücher.test"} {
		if got, err := FoldHost(bad); err == nil {
			t.Errorf("%q folds to %q", bad, got)
		}
	}
	for in, want := range map[string]string{"APP.TEST": "app.test", "app.test.": "app.test", "app.test:0": "app.test",
		"xn--bcher-kva.test": "xn--bcher-kva.test", "[2001:DB8::1]:8443": "2001:db8::1"} {
		if got, err := FoldHost(in); err != nil || got != want {
			t.Errorf("%q: %q %v", in, got, err)
		}
	}
}

// The warm path allocates nothing.
func TestDecidingAllocatesNothing(t *testing.T) {
	s := set(t, public, staff)
	r, _ := request(t, "/orders/7/lines")
	p := &identity.Principal{Username: "al", Roles: []string{"a", "staff"}}
	if n := testing.AllocsPerRun(100, func() {
		path, _ := Canonical(r)
		s.Decide(RequestOf(r, "app.test", path), p)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkDecideAlone(b *testing.B) {
	s := set(b, public, staff)
	q := Request{Host: "app.test", Method: "GET", Path: "/orders/7/lines"}
	p := &identity.Principal{Username: "al", Roles: []string{"a", "staff"}}
	b.ReportAllocs()
	for b.Loop() {
		s.Decide(q, p)
	}
}

func BenchmarkEncodedSlash(b *testing.B) {
	r, _ := request(b, "/group%2Fproject/-/blob")
	b.ReportAllocs()
	for b.Loop() {
		_, _ = Canonical(r)
	}
}

// AZ-02 R2 one request for each habit of a server: each reaches /vault/secret or /secret there, which one rule refuses.
func TestEachHabitOfAServerIsCovered(t *testing.T) {
	for _, effect := range []Effect{EffectDeny, EffectRequire} {
		rule := Rule{ID: "x", Effect: effect, Paths: []string{"/secret", "/vault/secret"}}
		if effect == EffectRequire {
			rule.Roles = []string{"keeper"}
		}
		s := set(t, Rule{ID: "all", Effect: EffectAllow}, rule)
		for habit, target := range map[string]string{
			"none": "/secret", "decode": "/%73ecret", "decode twice": "/%2573ecret", "backslash": "/vault%5csecret",
			"double backslash": "/vault%255csecret",
			"parameter inside": "/vault;v=1/secret", "encoded parameter inside": "/vault%3bv=1/secret",
			"parameter with a slash": "/secret;a/b", "encoded query": "/secret%3f.css",
			"encoded fragment": "/secret%23.css", "authority": "//host/secret", "empty segment": "/vault//secret",
			"dot segment": "/vault/./secret", "dot dot": "/vault/x/../secret",
			"space": "/secret%20", "dots": "/secret...", "dot inside": "/vault./secret", "case": "/Vault/SECRET",
			"slash at the end": "/secret/", "encoded slash": "/vault%2Fsecret",
			"several": "/Vault%3bx/%2573ecret%3f", "raw backslash": `/vault\secret`,
		} {
			d, ok := decide(t, s, target, member)
			if !ok || d.Allow {
				t.Errorf("effect %d, %s: %s is %+v %v", effect, habit, target, d, ok)
			}
		}
		// accept controls
		for _, target := range []string{"/secrets", "/vault", "/vault/secret/x", "/x?/secret", "/a%2Fb", "/secret-%41",
			"/x/secret"} {
			if d, ok := decide(t, s, target, member); !ok || !d.Allow {
				t.Errorf("control %s is %+v %v", target, d, ok)
			}
		}
	}
}
