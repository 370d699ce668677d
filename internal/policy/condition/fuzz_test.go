package condition

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/test/timebound"
)

// largest is a request at every limit.
var largest = func() (policy.Request, *identity.Principal) {
	long := strings.Repeat("a", maxValue)
	p := &identity.Principal{UserID: long, Username: long, Email: long, Proof: identity.Proof{ACR: long}, ClientID: long}
	for range maxList {
		p.Roles, p.AMR = append(p.Roles, strings.Repeat("a", 100)), append(p.AMR, "otp")
	}
	return policy.Request{Host: long, Method: long, Path: "/" + strings.Repeat("a", maxPath-1), Addr: request.Addr,
		Now: sunday}, p
}

// Issue 4: no expression panics, costs more than a bounded time, or is refused without saying where.
func FuzzCondition(f *testing.F) {
	for _, text := range []string{``, `request.method != "HEAD"`, `in_network(request.ip, "office") || "a" in user.roles`,
		`user.roles.exists(r, r.startsWith("x") && r.matches("(a|aa)+$"))`,
		`request.time.getHours("Europe/Berlin") > 8`, `request.path + request.path + request.path == ""`,
		`user.roles.all(a, user.amr.all(b, a != b))`, `request.path.matches("(a{50}){5}")`,
		`user . name == r"\x"`, "\"\x00\" in [1]", `timestamp("2026-01-01T00:00:00Z") - request.time > duration("1h")`,
		`((((((((((true))))))))))`, `!!!!!!!!!!true`, `true ? false : true ? true : false`} {
		f.Add(text)
	}
	r, crowd := largest()
	nets := map[string][]netip.Prefix{"office": networks["office"]}
	f.Fuzz(func(t *testing.T, text string) {
		start := time.Now()
		c, err := Compile(text, nets)
		if err != nil {
			var p *policy.Problem
			if !errors.As(err, &p) || p.At.Line < 1 || p.At.Column < 1 || p.Message == "" {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		for _, who := range []*identity.Principal{nil, policy.Anonymous, crowd, eva} {
			first := c.Holds(&r, r.Path, who)
			if again := c.Holds(&r, r.Path, who); first != again || first > policy.Failed {
				t.Fatalf("%q is %d, then %d", text, first, again)
			}
			if who != nil && first == policy.Unknown {
				t.Fatalf("%q is unknown for a known user", text)
			}
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Fatalf("%q took %v", text, took)
		}
	})
}

// The most expensive expressions that compile, evaluated for the largest request, take bounded time: the cost limit
// ends the rest.
func TestTheDearestConditionIsBounded(t *testing.T) {
	r, crowd := largest()
	crowd.Roles[len(crowd.Roles)-1] = "z"
	for _, text := range []string{
		`request.path.matches("(a{9}){9}$")`, `request.path.matches("^(a?){20}a{20}b")`,
		`user.roles.exists(a, user.amr.exists(b, b == "x"))`,
		`user.roles.exists(r, r.matches("(a|aa|aaa)+b"))`,
		`(request.path + request.path + request.path + request.path).contains("ab")`,
	} {
		c, err := Compile(text, nil)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		timebound.CPU(t, "ten times "+text, 10*200*time.Millisecond, func() {
			for range 10 {
				c.Holds(&r, r.Path, crowd)
			}
		})
	}
	// control: what costs more than the limit is given up
	if got := compiled(t, `user.roles.exists(a, user.amr.exists(b, b == "x"))`).Holds(&r, r.Path,
		crowd); got != policy.Failed {
		t.Errorf("65,536 comparisons are done: %d", got)
	}
}
