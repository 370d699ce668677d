package policy

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

func set(t testing.TB, rules ...Rule) *Set {
	t.Helper()
	s, err := Compile(rules, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func request(t testing.TB, target string) (*http.Request, bool) {
	t.Helper()
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, false
	}
	return &http.Request{Method: http.MethodGet, URL: u, RequestURI: target}, true
}

func decide(t testing.TB, s *Set, target string, p *identity.Principal) (Decision, bool) {
	t.Helper()
	r, ok := request(t, target)
	if !ok {
		return Decision{Code: identity.CodeInvalidRequest}, false
	}
	path, err := Canonical(r)
	if err != nil {
		return Decision{Code: identity.CodeOf(err)}, false
	}
	return s.Decide(RequestOf(r, "app.test", path), p), true
}

var (
	public = Rule{ID: "p", Effect: EffectPublic, Paths: []string{"/public/*", "/healthz"}}
	staff  = Rule{ID: "a", Effect: EffectAllow, Roles: []string{"staff"}, Users: []string{"root"}}
)

// AZ-07 AZ-04: a public path opens itself and nothing else.
func TestPublicPathOpensNoOtherPath(t *testing.T) {
	s := set(t, public)
	for target, want := range map[string]bool{"/healthz": true, "/public/": true, "/public/x/y": true,
		"/public/x?/admin": true,
		"/public":          false, "/publicity": false, "/healthz/": false, "/healthz/x": false, "/": false,
		"/x?/public/": false,
		"/Public/x":   false} {
		if d, _ := decide(t, s, target, nil); d.Public != want {
			t.Errorf("%s: public %v, want %v", target, d.Public, want)
		}
	}
}

// AZ-02 R2 CVE-2026-41059 GHSA-p224-6x5r-fjpm: no spelling of another path is public.
func TestPathTricksOpenNothing(t *testing.T) {
	s := set(t, public)
	for _, target := range []string{"/public/../admin", "/public/..%2fadmin", "/public/%2e%2e/admin",
		"/public/%252e%252e/admin", "/public/..;/admin", "/public/..%5cadmin",
		`/public/..\admin`, "/public/%2e%2e%2fadmin", "/public/..%252fadmin", "//admin", "/./admin", "/admin/../admin",
		"/public/..%c0%afadmin", "/public%2f..%2fadmin",
		"/public/.%2e/admin", "/public/x/../../admin", "/public/%00", "/public;/../admin", "/public/..%00/admin",
		"/%70ublic/../admin"} {
		if d, _ := decide(t, s, target, nil); d.Allow {
			t.Errorf("%s is public: %+v", target, d)
		}
	}
	for _, target := range []string{"/public/a%20b", "/public/caf%C3%A9", "/public/a;v=1", "/public/%41"} { // controls
		if d, ok := decide(t, s, target, nil); !d.Allow || !ok {
			t.Errorf("%s is not public: %+v", target, d)
		}
	}
	signed := &identity.Principal{Username: "al"}
	if d, ok := decide(t, s, "/group%2Fproject/-/blob", signed); !d.Allow || !ok {
		t.Errorf("an encoded slash without a rule about it is refused to a signed-in user: %+v", d)
	}
}

// AZ-02: for random nasty paths, if any byte-level reading lies outside the public prefix, no anonymous request gets
// in. The oracle is slow and independent of the code under test.
func TestNoReadingOfARandomPathLeavesThePublicPrefix(t *testing.T) {
	s := set(t, public)
	rapid.Check(t, func(rt *rapid.T) {
		parts := rapid.SliceOfN(rapid.SampledFrom([]string{"/", "public", "admin", ".", "..", "%2f", "%2F", "%5c", "\\", ";",
			"%2e", "%252e", "%252f", "%", "x", "%61"}), 1, 9).Draw(rt, "parts")
		target := "/public/" + strings.Join(parts, "")
		d, _ := decide(t, s, target, nil)
		if !d.Allow {
			return
		}
		for _, reading := range oracle(target) {
			if !strings.HasPrefix(reading, "/public/") && reading != "/healthz" {
				rt.Fatalf("%s is public, but a server may read %s", target, reading)
			}
		}
	})
}

// oracle resolves a path as different servers do.
func oracle(raw string) []string {
	var out []string
	forms := []string{raw}
	for range 2 {
		if s, err := url.PathUnescape(forms[len(forms)-1]); err == nil {
			forms = append(forms, s)
		}
	}
	for _, f := range forms {
		for _, g := range []string{f, strings.ReplaceAll(f, `\`, "/")} {
			var stack []string
			for seg := range strings.SplitSeq(g, "/") {
				seg, _, _ = strings.Cut(seg, ";")
				switch seg {
				case "", ".":
				case "..":
					if len(stack) > 0 {
						stack = stack[:len(stack)-1]
					}
				default:
					stack = append(stack, seg)
				}
			}
			path := "/" + strings.Join(stack, "/")
			if len(stack) == 1 && stack[0] == "public" {
				path += "/"
			}
			out = append(out, path)
		}
	}
	return out
}

// AZ-09: roles compare exactly; allow lines add up; without allow every signed-in user may enter.
func TestAllowRoleAndUser(t *testing.T) {
	s := set(t, public, staff)
	for _, c := range []struct {
		p    *identity.Principal
		want identity.Code
	}{{nil, identity.CodeLoginRequired}, {&identity.Principal{Username: "al"}, identity.CodeRoleRequired},
		{&identity.Principal{Roles: []string{"Staff"}}, identity.CodeRoleRequired},
		{&identity.Principal{Roles: []string{"x", "staff"}}, ""}, {&identity.Principal{Username: "root"}, ""}} {
		if d, _ := decide(t, s, "/x", c.p); d.Code != c.want || d.Allow != (c.want == "") {
			t.Errorf("%+v: %+v", c.p, d)
		}
	}
	if d, _ := decide(t, set(t), "/x", &identity.Principal{}); !d.Allow {
		t.Error("without rules a signed-in user is refused")
	}
}

// AZ-05 CVE-2026-48794: hosts compare without case, port and trailing dot.
func TestHostsFold(t *testing.T) {
	for in, want := range map[string]string{"App.Example.COM": "app.example.com",
		"app.example.com.:8443": "app.example.com", "[::1]:443": "::1", "[::1]": "::1", "127.0.0.1:80": "127.0.0.1",
		"": "", "a b": "", "a:b:c": "", "evil/@x": "", "a:99999999": ""} {
		if got, err := FoldHost(in); got != want || (err == nil) != (want != "") {
			t.Errorf("%q -> %q %v", in, got, err)
		}
	}
}

func TestBadPathsInRulesAreErrors(t *testing.T) {
	for _, bad := range []string{"x", "/a*", "/a/../b", "/a?b", "/a//b", "", "/a%2fb/*"} {
		if _, err := Compile([]Rule{{ID: "r", Effect: EffectPublic, Paths: []string{bad}}}, nil); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func FuzzCanonicalPath(f *testing.F) {
	for _, s := range []string{"/", "/a/../b", "/%2e%2e/", "/a;b=c", "*", "/%zz", `/\x`} {
		f.Add(s)
	}
	s := set(f, public)
	f.Fuzz(func(t *testing.T, raw string) {
		p, err := canonical(raw)
		if err != nil {
			return
		}
		if len(p.Readings) > 64 || p.Canonical == "" || p.Canonical[0] != '/' {
			t.Fatalf("%q: %+v", raw, p)
		}
		d := s.Decide(Request{Path: p.Canonical, Readings: p.Readings}, nil)
		if d.Allow && strings.Contains(p.Canonical, "/../") {
			t.Fatalf("%q: %+v", raw, p)
		}
	})
}

func FuzzFoldHost(f *testing.F) {
	f.Add("App.example.com:443")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := FoldHost(s)
		if err == nil && (strings.ToLower(a) != a || strings.ContainsAny(a, "/@ []")) {
			t.Fatal(s, a)
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	s := set(b, public, staff)
	r, _ := request(b, "/orders/7/lines")
	p := &identity.Principal{Username: "al", Roles: []string{"a", "staff"}}
	b.ReportAllocs()
	for b.Loop() {
		path, _ := Canonical(r)
		s.Decide(RequestOf(r, "app.test", path), p)
	}
}
