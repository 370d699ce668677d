package policy

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// when is a condition for tests that need no CEL.
type when struct {
	text string
	is   func(r *Request, path string, p *identity.Principal) Truth
}

func (w when) Holds(r *Request, path string, p *identity.Principal) Truth { return w.is(r, path, p) }
func (w when) String() string                                             { return w.text }

func always(t Truth) Condition {
	return when{fmt.Sprintf("always %d", t), func(*Request, string, *identity.Principal) Truth { return t }}
}

func shop(t testing.TB) *Set {
	m := model(t, Role{Name: "viewer", Permissions: []string{"orders:read"}},
		Role{Name: "editor", Inherits: []string{"viewer"}, Permissions: []string{"orders:write"}}, Role{Name: "contractor"})
	at := func(file string, line int) Position { return Position{File: "policies/" + file, Line: line} }
	host := []string{"orders.example.com"}
	s, err := Compile([]Rule{
		{ID: "contractors-hours", Effect: EffectDeny, Roles: []string{"contractor"}, FromFile: true, At: at("hours.yaml",
			3)},
		{ID: "admin-mfa", Effect: EffectRequire, Hosts: host, Globs: []string{"/admin/**"},
			Assurance: identity.Assurance{MFA: true, MaxAge: 10 * time.Minute}, FromFile: true, At: at("orders.yaml", 18),
			Reason: "Admin pages need a second factor."},
		{ID: "orders-read", Effect: EffectAllow, Hosts: host, Methods: []string{"GET"},
			Permissions: []string{"orders:read"},
			FromFile:    true, At: at("orders.yaml", 7)},
		{ID: "orders-write", Effect: EffectAllow, Hosts: host, Methods: []string{"POST"}, Globs: []string{"/orders/**"},
			Permissions: []string{"orders:write"}, FromFile: true, At: at("orders.yaml", 11)},
		{ID: "office", Effect: EffectRequire, Hosts: host, Globs: []string{"/office/**"}, Networks: []netip.Prefix{office},
			FromFile: true},
		{ID: "other", Effect: EffectAllow, Hosts: []string{"other.example.com"}, FromFile: true},
		{ID: "health", Effect: EffectPublic, Hosts: host, Globs: []string{"/health"}, From: []netip.Prefix{office},
			FromFile: true},
		{ID: "never", Effect: EffectDeny, Hosts: host, Globs: []string{"/admin/x"}, When: always(False), FromFile: true},
	}, m)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// AZ-11, UX section 5: the trace names every rule that was looked at, why, and what would help.
func TestExplainTellsHowADecisionCameAbout(t *testing.T) {
	s := shop(t)
	vic := &identity.Principal{Username: "vic", Roles: []string{"viewer"}, Proof: identity.Proof{AMR: []string{"pwd"},
		AuthTime: noon}}
	outside := netip.MustParseAddr("192.0.2.1")
	ask := func(method, path string, p *identity.Principal) Trace {
		return s.Explain(Request{Host: "orders.example.com", Method: method, Path: path, Addr: outside, Now: noon}, p)
	}
	step := func(tr Trace, rule string) string {
		for _, st := range tr.Steps {
			if st.Rule == rule {
				return fmt.Sprintf("%s %s %s %s", st.Effect, st.Outcome, st.Why, st.At)
			}
		}
		return ""
	}
	tr := ask("GET", "/admin/keys", vic)
	if tr.Decision.Verdict() != "step_up" || tr.Decision.Code != identity.CodeMFARequired ||
		tr.Remedy != "After a second factor: allow." || tr.Decision.Reason != "Admin pages need a second factor." {
		t.Errorf("%+v", tr)
	}
	for rule, want := range map[string]string{
		"contractors-hours": "deny no role is not contractor policies/hours.yaml:3",
		"admin-mfa":         "require UNMET this session has only a password policies/orders.yaml:18",
		"orders-read":       "allow yes orders:read through role viewer policies/orders.yaml:7",
		"orders-write":      "", // neither its path nor its method
		"other":             "allow no host orders.example.com is not in [other.example.com] ",
		"office":            "require no path /admin/keys is not in [/office/**] ",
	} {
		if got := step(tr, rule); got != want {
			t.Errorf("%s: %q, want %q", rule, got, want)
		}
	}
	for _, c := range []struct {
		method, path string
		p            *identity.Principal
		verdict      string
		code         identity.Code
		remedy       string
		rule, step   string
	}{
		{"POST", "/orders/7", vic, "deny", identity.CodePermissionRequired,
			"With permission orders:write (role admin, editor): allow.", "orders-write",
			"allow no no role grants orders:write policies/orders.yaml:11"},
		{"GET", "/orders/7", nil, "login", identity.CodeLoginRequired,
			"After signing in with permission orders:read (role admin, editor, viewer): allow.", "orders-read",
			"allow no no user is signed in policies/orders.yaml:7"},
		{"GET", "/office/x", vic, "deny", identity.CodeNetworkDenied, "From 10.0.0.0/8: allow.", "office",
			"require UNMET 192.0.2.1 is not in 10.0.0.0/8 "},
		{"GET", "/orders/7", &identity.Principal{Roles: []string{"viewer", "contractor"}}, "deny", identity.CodeRuleDenied,
			"", "contractors-hours", "deny yes through role contractor policies/hours.yaml:3"},
		{"DELETE", "/orders/7", vic, "deny", identity.CodeNoRule, "", "orders-write",
			"allow no method DELETE is not in [POST] policies/orders.yaml:11"},
		{"GET", "/health", nil, "login", identity.CodeLoginRequired,
			"After signing in with permission orders:read (role admin, editor, viewer): allow.", "health",
			"public no address 192.0.2.1 is not in [10.0.0.0/8] "},
		{"GET", "/admin/x", &identity.Principal{Roles: []string{"viewer"},
			Proof: identity.Proof{MFATime: noon.Add(-time.Hour)}}, "step_up",
			identity.CodeReauthRequired, "After confirming who you are once more: allow.", "admin-mfa",
			"require UNMET proven 1h0m0s ago, at most 10m0s is allowed policies/orders.yaml:18"},
		{"GET", "/admin/x", &identity.Principal{Roles: []string{"viewer"}, Proof: identity.Proof{MFATime: noon}}, "allow",
			"", "", "never",
			"deny no condition is false: always 0 "},
	} {
		tr := ask(c.method, c.path, c.p)
		if tr.Decision.Verdict() != c.verdict || tr.Decision.Code != c.code || tr.Remedy != c.remedy ||
			step(tr, c.rule) != c.step {
			t.Errorf("%s %s: %s %s, %q\n\t%s: %q\n\twant     %q", c.method, c.path, tr.Decision.Verdict(), tr.Decision.Code,
				tr.Remedy, c.rule, step(tr, c.rule), c.step)
		}
	}
}

// The reading of the path that decided is the one that is explained.
func TestExplainNamesTheReadingThatDecided(t *testing.T) {
	s := set(t, Rule{ID: "all", Effect: EffectAllow}, Rule{ID: "d", Effect: EffectDeny, Globs: []string{"/admin/**"}})
	tr := s.Explain(Request{Host: "a", Method: "GET", Path: "/x", Readings: []string{"/y", "/admin/x", "/z"}}, member)
	if tr.Path != "/admin/x" || tr.Decision.Rule != "d" || tr.Steps[0].Rule != "d" || tr.Steps[0].Outcome != Yes {
		t.Errorf("%+v", tr)
	}
}

// A trace is bounded however many rules there are, keeps the rule that decided, and its compact form fits into an
// event.
func TestTracesAreBounded(t *testing.T) {
	long := strings.Repeat("ä", 400)
	var rules []Rule
	for i := range 3000 {
		rules = append(rules, Rule{ID: fmt.Sprintf("r%04d-%s", i, long), Effect: EffectAllow,
			Roles: []string{"nobody-" + long}, At: Position{File: long, Line: i, Column: 3}, Reason: long + "\n\t\x00"})
	}
	rules = append(rules, Rule{ID: "zz", Effect: EffectAllow, Roles: []string{"member"}})
	s := set(t, rules...)
	tr := s.Explain(Request{Host: "a", Method: "GET", Path: "/" + long + long + long}, member)
	if len(tr.Steps) != maxSteps || tr.Omitted != 3001-maxSteps || tr.Steps[maxSteps-1].Rule != "zz" {
		t.Errorf("%d steps, %d omitted, the last is %.20s", len(tr.Steps), tr.Omitted, tr.Steps[len(tr.Steps)-1].Rule)
	}
	text := tr.Compact()
	back, err := ParseTrace(text)
	if err != nil || len(text) > compactSize || !utf8.ValidString(text) || back.Decision.Rule != "zz" ||
		back.Omitted+len(back.Steps) != 3001 || len(back.Steps) == 0 {
		t.Errorf("%v: %d bytes, %d steps, %d omitted", err, len(text), len(back.Steps), back.Omitted)
	}
}

// What Compact writes, ParseTrace reads, with all that the decision says.
func TestCompactTracesComeBack(t *testing.T) {
	s := shop(t)
	for _, path := range []string{"/admin/keys", "/orders/7", "/health", "/x"} {
		for _, p := range []*identity.Principal{nil, {Username: "vic", Roles: []string{"viewer"},
			Proof: identity.Proof{AMR: []string{"pwd"}}},
			{Roles: []string{"contractor"}}} {
			tr := s.Explain(Request{Host: "orders.example.com", Method: "GET", Path: path, Now: noon}, p)
			back, err := ParseTrace(tr.Compact())
			if err != nil || !reflect.DeepEqual(back, tr) {
				t.Errorf("%s: %v\n%+v\n%+v", path, err, back, tr)
			}
		}
	}
	for _, bad := range []string{"", "1", "1\t\t0\t\t\t\t\t\t\t\t0\n", "2\t\t0\t\t\t\t\t\t\t\t0",
		"1\t\t0\t\t\t\t\t\t\t\t-1", "1\t\t0\t\t\t\t\t\t\t\t01", "1\tzz\t0\t\t\t\t\t\t\t\t0",
		"1\t\t0\t\t\t\t\t\t\t\t0\nwhat\tno\t\t\t\t\t0\t0",
		"1\t\t0\t\t\x00\t\t\t\t\t\t0", "1\t\t0\t" + strings.Repeat("x", 3000) + "\t\t\t\t\t\t\t0"} {
		if tr, err := ParseTrace(bad); err == nil {
			t.Errorf("%.40q is read as %+v", bad, tr)
		}
	}
	if _, err := ParseTrace("1\t\t0\t\t\t\t\t\t\t\t0"); err != nil {
		t.Errorf("control: %v", err)
	}
}

func FuzzParseTrace(f *testing.F) {
	s := shop(f)
	for _, path := range []string{"/admin/keys", "/orders/7", "/health", "/\u2028"} {
		f.Add(s.Explain(Request{Host: "orders.example.com", Method: "GET", Path: path, Now: noon}, member).Compact())
	}
	f.Add("1\tapm\t60\tx\ty\tz\t\t\t\t\t7\nallow\tyes\tr\ta\tb\tc\t1\t2")
	f.Fuzz(func(t *testing.T, text string) {
		tr, err := ParseTrace(text)
		if err != nil {
			// what is no trace can still be a field of one
			tr = Trace{Path: text, Remedy: text, Steps: []Step{{Effect: EffectDeny, Rule: text, Why: text,
				At: Position{File: text, Line: len(text)}}}}
			text = tr.Compact()
			if tr, err = ParseTrace(text); err != nil {
				t.Fatalf("%q is not read", text)
			}
		}
		if again := tr.Compact(); again != text || len(again) > compactSize {
			t.Fatalf("%q comes back as %q", text, again)
		}
	})
}

// A decision with its trace, for readers.
func BenchmarkExplain(b *testing.B) {
	s := shop(b)
	b.ReportAllocs()
	for b.Loop() {
		s.Explain(Request{Host: "orders.example.com", Method: "GET", Path: "/admin/keys", Now: noon}, member)
	}
}

func BenchmarkExplainWith10000Rules(b *testing.B) {
	for name, rules := range map[string][]Rule{"spread": spread(10_000), "crowded": crowded(10_000)} {
		s := set(b, rules...)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Explain(Request{Host: "app0.test", Method: "GET", Path: "/nowhere/at/all", Now: noon}, member).Compact()
			}
		})
		b.Run(name+" brief", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Brief(Request{Host: "app0.test", Method: "GET", Path: "/nowhere/at/all", Now: noon}, member).Compact()
			}
		})
	}
}
