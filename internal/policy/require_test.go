package policy

import (
	"net/netip"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

var (
	noon   = time.Unix(1_780_000_000, 0)
	office = netip.MustParsePrefix("10.0.0.0/8")
)

func requireRules() []Rule {
	return []Rule{
		{ID: "mfa", Effect: EffectRequire, Paths: []string{"/vault/*"}, Assurance: identity.Assurance{MFA: true}},
		{ID: "fresh", Effect: EffectRequire, Paths: []string{"/vault/keys/*"},
			Assurance: identity.Assurance{MFA: true, MaxAge: 10 * time.Minute}},
		{ID: "key", Effect: EffectRequire, Paths: []string{"/vault/keys/root"},
			Assurance: identity.Assurance{Passkey: true}},
		{ID: "net", Effect: EffectRequire, Paths: []string{"/office/*", "/vault/keys/*"},
			Networks: []netip.Prefix{office, netip.MustParsePrefix("2001:db8::/32")}},
		{ID: "who", Effect: EffectRequire, Paths: []string{"/vault/keys/*"}, Roles: []string{"member"}},
		{ID: "open", Effect: EffectPublic, Paths: []string{"/office/menu", "/vault/about"}},
	}
}

// MF-21, CONTRACT section 10: every matching require must hold, in whatever order the rules stand. From where is told
// first, then who, then how it was proven; what has to be proven is asked for all at once.
func TestRequirementsMustAllHoldInAnyOrder(t *testing.T) {
	inside, outside := netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("192.0.2.1")
	someone := func(mfa, passkey time.Duration, roles ...string) *identity.Principal {
		p := &identity.Principal{Username: "m", Roles: roles, Proof: identity.Proof{AuthTime: noon}}
		if mfa >= 0 {
			p.MFATime = noon.Add(-mfa)
		}
		if passkey >= 0 {
			p.PasskeyTime = noon.Add(-passkey)
		}
		return p
	}
	password, stale, good := someone(-1, -1, "member"), someone(time.Hour, -1, "member"), someone(time.Minute,
		time.Minute,
		"member")
	mfa := identity.Assurance{MFA: true}
	fresh := identity.Assurance{MFA: true, MaxAge: 10 * time.Minute}
	all := identity.Assurance{MFA: true, Passkey: true, MaxAge: 10 * time.Minute}
	for name, c := range map[string]struct {
		path string
		from netip.Addr
		p    *identity.Principal
		want Decision
	}{
		"no user": {"/vault/x", outside, nil,
			Decision{NeedLogin: true, Code: identity.CodeLoginRequired, Rule: "mfa"}},
		"password": {"/vault/x", outside, password,
			Decision{Code: identity.CodeMFARequired, Rule: "mfa", Ask: mfa}},
		"second factor": {"/vault/x", outside, stale, Decision{Allow: true}},
		"anonymous, a public page": {"/vault/about", outside, nil,
			Decision{NeedLogin: true, Code: identity.CodeLoginRequired, Rule: "mfa"}},
		"password on a public page": {"/vault/about", outside, password,
			Decision{Code: identity.CodeMFARequired, Rule: "mfa", Ask: mfa}},
		"too long ago": {"/vault/keys/1", inside, stale,
			Decision{Code: identity.CodeReauthRequired, Rule: "fresh", Ask: fresh}},
		"password for a fresh factor": {"/vault/keys/1", inside, password,
			Decision{Code: identity.CodeMFARequired, Rule: "fresh", Ask: fresh}},
		"asked for all at once": {"/vault/keys/root", inside, stale,
			Decision{Code: identity.CodePasskeyRequired, Rule: "fresh", Ask: all}},
		"everything proven": {"/vault/keys/root", inside, good, Decision{Allow: true}},
		"from elsewhere": {"/vault/keys/root", outside, password,
			Decision{Code: identity.CodeNetworkDenied, Rule: "net"}},
		"without the role": {"/vault/keys/root", inside, someone(0, 0),
			Decision{Code: identity.CodeRoleRequired, Rule: "who"}},
		"anonymous, from elsewhere": {"/vault/keys/1", outside, nil,
			Decision{Code: identity.CodeNetworkDenied, Rule: "net"}},
		"public, from the office": {"/office/menu", inside, nil, Decision{Allow: true, Public: true, Rule: "open"}},
		"public, from elsewhere": {"/office/menu", outside, nil,
			Decision{Code: identity.CodeNetworkDenied, Rule: "net"}},
		"address unknown": {"/office/menu", netip.Addr{}, nil,
			Decision{Code: identity.CodeNetworkDenied, Rule: "net"}},
		"IPv4 written as IPv6 (LK-08)": {"/office/menu", netip.MustParseAddr("::ffff:10.1.2.3"), nil,
			Decision{Allow: true, Public: true, Rule: "open"}},
		"IPv6": {"/office/menu", netip.MustParseAddr("2001:db8::1%eth0"), nil,
			Decision{Allow: true, Public: true, Rule: "open"}},
		"mixed case is judged strictly": {"/VAULT/x", outside, password,
			Decision{Code: identity.CodeMFARequired, Rule: "mfa", Ask: mfa}},
	} {
		rules := requireRules()
		for turn := range rules {
			s := set(t, append(append([]Rule{}, rules[turn:]...), rules[:turn]...)...)
			if got := s.Decide(Request{Host: "a", Method: "GET", Path: c.path, Addr: c.from, Now: noon}, c.p); got != c.want {
				// of several rules that ask alike, the one with the least id is named
				if c.want.Ask == (identity.Assurance{}) || got.Ask != c.want.Ask || got.Code != c.want.Code || turn == 0 {
					t.Errorf("%s, turn %d: %+v, want %+v", name, turn, got, c.want)
				}
			}
		}
	}
}

// A person who may not enter anyway is not asked for a factor, and a reading of the path that asks for more counts.
func TestStepUpIsAskedOnlyOfThoseWhoMayEnter(t *testing.T) {
	s := set(t, Rule{ID: "a", Effect: EffectAllow, Roles: []string{"boss"}},
		Rule{ID: "r", Effect: EffectRequire, Assurance: identity.Assurance{MFA: true}},
		Rule{ID: "k", Effect: EffectRequire, Paths: []string{"/admin/*"}, Assurance: identity.Assurance{Passkey: true}})
	r := Request{Host: "a", Method: "GET", Path: "/x", Now: noon}
	if got := s.Decide(r, member); got != (Decision{Code: identity.CodeRoleRequired, Rule: "a"}) {
		t.Errorf("%+v", got)
	}
	boss := &identity.Principal{Username: "b", Roles: []string{"boss"}, Proof: identity.Proof{AuthTime: noon}}
	if got := s.Decide(r, boss); got.Code != identity.CodeMFARequired || got.Ask != (identity.Assurance{MFA: true}) {
		t.Errorf("%+v", got)
	}
	r.Readings = []string{"/admin/x"}
	if got := s.Decide(r, boss); got.Code != identity.CodeMFARequired ||
		got.Ask != (identity.Assurance{MFA: true, Passkey: true}) {
		t.Errorf("%+v", got)
	}
}

func TestRequirementsThatMakeNoSenseAreRefused(t *testing.T) {
	for name, r := range map[string]Rule{
		"nothing":           {ID: "x", Effect: EffectRequire},
		"factor to allow":   {ID: "x", Effect: EffectAllow, Assurance: identity.Assurance{MFA: true}},
		"network to a deny": {ID: "x", Effect: EffectDeny, Networks: []netip.Prefix{office}},
		"negative age":      {ID: "x", Effect: EffectRequire, Assurance: identity.Assurance{MFA: true, MaxAge: -1}},
		"no network":        {ID: "x", Effect: EffectRequire, Networks: []netip.Prefix{{}}},
		"IPv4 wider than it": {ID: "x", Effect: EffectRequire,
			Networks: []netip.Prefix{netip.MustParsePrefix("::ffff:0.0.0.0/80")}},
	} {
		if _, err := Compile([]Rule{r}, nil); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func BenchmarkRequire(b *testing.B) {
	s, err := Compile(requireRules(), nil)
	if err != nil {
		b.Fatal(err)
	}
	p := &identity.Principal{Username: "m", Roles: []string{"member"}, Proof: identity.Proof{AuthTime: noon,
		MFATime: noon, PasskeyTime: noon}}
	r := Request{Host: "a", Method: "GET", Path: "/vault/keys/root", Addr: netip.MustParseAddr("10.1.2.3"), Now: noon}
	b.ReportAllocs()
	for b.Loop() {
		if !s.Decide(r, p).Allow {
			b.Fatal("refused")
		}
	}
}
