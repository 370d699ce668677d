package condition

import (
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

var (
	networks = map[string][]netip.Prefix{"office": {netip.MustParsePrefix("10.0.0.0/8"),
		netip.MustParsePrefix("2001:db8::/32")}}
	sunday  = time.Date(2026, 3, 1, 22, 30, 0, 0, time.UTC)
	request = policy.Request{Host: "app.test", Method: "GET", Path: "/orders/7", Addr: netip.MustParseAddr("10.1.2.3"),
		Now: sunday}
	eva = &identity.Principal{UserID: "u1", Username: "eva", Email: "eva@example.com",
		Roles: []string{"editor", "team-a"}, Proof: identity.Proof{AMR: []string{"pwd", "otp"}, ACR: "2"}, ClientID: "cli"}
	foreign = &identity.Principal{UserID: "https://idp.test|7", Username: "eva", Email: "x@idp.test"}
)

func compiled(t testing.TB, text string) policy.Condition {
	t.Helper()
	c, err := Compile(text, networks)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return c
}

// What the vocabulary says of a signed-in user, of an anonymous visitor, and of the unknown user who signs in next.
func TestConditionsOfRequestAndPerson(t *testing.T) {
	const T, F, U, E = policy.True, policy.False, policy.Unknown, policy.Failed
	for text, want := range map[string][3]policy.Truth{ // eva, anonymous, unknown
		`request.method != "HEAD"`: {T, T, T},
		`request.host == "app.test" && request.path.startsWith("/orders/")`:  {T, T, T},
		`request.path.matches("^/orders/[0-9]+$")`:                           {T, T, T},
		`request.ip == "10.1.2.3"`:                                           {T, T, T},
		`in_network(request.ip, "office")`:                                   {T, T, T},
		`in_network(request.ip, "192.168.0.0/16")`:                           {F, F, F},
		`in_network(request.ip, "10.1.2.3")`:                                 {T, T, T},
		`in_network(request.ip, "2001:db8::/32")`:                            {F, F, F},
		`request.time.getHours() == 22 && request.time.getDayOfWeek() == 0`:  {T, T, T},
		`request.time.getHours("Europe/Berlin") == 23`:                       {T, T, T},
		`request.time.getDayOfWeek("+02:00") == 1`:                           {T, T, T},
		`request.time.getFullYear("-03:30") == 2026`:                         {T, T, T},
		`request.time.getMonth("Asia/Tokyo") == 2`:                           {T, T, T},
		`request.time < timestamp("2026-04-01T00:00:00Z")`:                   {T, T, T},
		`request.time - timestamp("2026-03-01T00:00:00Z") > duration("20h")`: {T, T, T},
		`user.signed_in`:        {T, F, T},
		`!user.signed_in`:       {F, T, F},
		`user.name == "eva"`:    {T, F, U},
		`user.name != "eva"`:    {F, T, U},
		`!(user.name == "eva")`: {F, T, U},
		`user.id == "u1" && user.acr == "2" && user.client == "cli"`:     {T, F, U},
		`user.email.endsWith("@example.com")`:                            {T, F, U},
		`"editor" in user.roles`:                                         {T, F, U},
		`!("editor" in user.roles)`:                                      {F, T, U},
		`user.name in ["eva", "vic"]`:                                    {T, F, U},
		`user.roles == ["editor", "team-a"]`:                             {T, F, U},
		`size(user.roles) == 0`:                                          {F, T, U},
		`user.roles.exists(r, r.startsWith("team-"))`:                    {T, F, U},
		`user.roles.all(r, r != "contractor")`:                           {T, T, U},
		`user.amr.exists_one(m, m == "otp")`:                             {T, F, U},
		`request.method == "GET" || "editor" in user.roles`:              {T, T, T},
		`"editor" in user.roles || request.method == "GET"`:              {T, T, T},
		`"editor" in user.roles && request.method == "POST"`:             {F, F, F},
		`"editor" in user.roles && request.method == "GET"`:              {T, F, U},
		`user.name == "eva" ? request.method == "GET" : false`:           {T, F, U},
		`request.path in ["/a", "/orders/7"]`:                            {T, T, T},
		`["a", "b"].exists(x, x == user.name)`:                           {F, F, U},
		`in_network(request.path, "office")`:                             {E, E, E},
		`in_network(user.name, "office")`:                                {E, E, U},
		`in_network(request.path, "office") && request.method == "POST"`: {F, F, F},
		`in_network(request.path, "office") || request.method == "GET"`:  {T, T, T},
		`request.path.matches("(") || true`:                              {E, E, E},
		`timestamp(request.path) > request.time`:                         {E, E, E},
		`request.path == "/orders/7" // a comment`:                       {T, T, T},
		"request.method == 'GET' &&\n  request.host.contains(r'app')":    {T, T, T},
	} {
		if want[0] == E && strings.Contains(text, `"("`) {
			continue // refused when it is compiled, see below
		}
		c := compiled(t, text)
		for i, p := range []*identity.Principal{eva, policy.Anonymous, nil} {
			if got := c.Holds(&request, request.Path, p); got != want[i] {
				t.Errorf("%s, person %d: %d, want %d", text, i, got, want[i])
			}
		}
		if c.String() != text {
			t.Errorf("%q is written back as %q", text, c)
		}
	}
}

// A condition sees the reading of the path that is judged, and of a user of a trusted issuer the name that rules see
// (OIDC Core 5.7).
func TestConditionsSeeTheReadingAndNoForeignNames(t *testing.T) {
	if c := compiled(t, `request.path == "/x"`); c.Holds(&request, "/x", eva) != policy.True ||
		c.Holds(&request, "/orders/7", eva) != policy.False {
		t.Error("the reading is not what is compared")
	}
	if c := compiled(t, `user.name == "eva"`); c.Holds(&request, "/", foreign) != policy.False {
		t.Error("a trusted issuer's eva is ours")
	}
	if c := compiled(t, `user.name == "https://idp.test|7"`); c.Holds(&request, "/", foreign) != policy.True {
		t.Error("control: a trusted issuer's user has no name")
	}
}

// R1, CONTRACT section 10: what is not known or too large is an error in the condition, not a guess.
func TestWhatIsNotKnownFails(t *testing.T) {
	for text, r := range map[string]policy.Request{
		`request.ip != "10.1.2.3"`:          {Path: "/", Now: sunday},
		`in_network(request.ip, "office")`:  {Path: "/", Now: sunday},
		`!in_network(request.ip, "office")`: {Path: "/", Now: sunday},
		`request.time.getHours() < 25`:      {Path: "/", Addr: request.Addr},
		`request.path != "x"`:               {Path: "/" + strings.Repeat("a", maxPath)},
		`request.host != "x"`:               {Path: "/", Host: strings.Repeat("a", 2000)},
		`request.method != "x"`:             {Path: "/", Method: strings.Repeat("A", 2000)},
		`request.ip == "10.1.2.3" || user.signed_in == request.path.contains("zz")`: {Path: "/"},
	} {
		if got := compiled(t, text).Holds(&r, r.Path, eva); got != policy.Failed {
			t.Errorf("%s: %d", text, got)
		}
	}
	crowd := &identity.Principal{Username: "x"}
	for range maxList + 1 {
		crowd.Roles = append(crowd.Roles, "r")
	}
	if got := compiled(t, `user.signed_in`).Holds(&request, "/", crowd); got != policy.Failed {
		t.Errorf("a user with %d roles: %d", len(crowd.Roles), got)
	}
	if got := compiled(t,
		`in_network(request.ip, "office")`).Holds(&policy.Request{Addr: netip.MustParseAddr("::ffff:10.1.2.3")}, "/",
		nil); got != policy.True {
		t.Errorf("IPv4 written as IPv6 (LK-08): %d", got)
	}
}

// Issue 4: mistakes are told with line, column and the nearest valid name.
func TestMistakesAreToldWithPlaceAndRemedy(t *testing.T) {
	for text, want := range map[string]struct {
		line, column int
		message      string
	}{
		``:                            {1, 1, "mismatched input"},
		`request.method`:              {1, 1, "true or false, this one is of type string"},
		`request.methd == "GET"`:      {1, 9, `unknown field "methd" of request; did you mean "method"?`},
		"true &&\n  user.role == 'x'": {2, 8, `unknown field "role" of user; did you mean "roles"?`},
		`user.zzzzzzzz == "x"`: {1, 6,
			`unknown field "zzzzzzzz" of user; there are acr, amr, client, email, id, name, roles, signed_in`},
		`reqest.path == "/"`: {1, 1,
			`unknown name "reqest"; did you mean "request"?`},
		`user == "x"`: {1, 1, "user alone has no value"},
		`true && foo`: {1, 9, `unknown name "foo"`},
		`request.path.startWith("/")`: {1, 23,
			`unknown function "startWith"; did you mean "startsWith"?`},
		`in_netwrk(request.ip, "office")`: {1, 10,
			`unknown function "in_netwrk"; did you mean "in_network"?`},
		`in_network(request.ip, "ofice")`: {1, 24,
			`unknown network "ofice"; did you mean "office"?`},
		`in_network(request.ip, user.name)`:                          {1, 28, "is written out"},
		`in_network(request.ip)`:                                     {1, 11, "no matching overload"},
		`request.path.matches(user.name)`:                            {1, 26, "the pattern of matches is written out"},
		`request.path.matches("(")`:                                  {1, 22, ""},
		`request.time.getHours("Mars/X") > 1`:                        {1, 23, "unknown time zone"},
		`request.time.getHours("Local") > 1`:                         {1, 23, "unknown time zone"},
		`request.time.getHours(user.name) > 1`:                       {1, 27, "unknown time zone"},
		`request.method == 1`:                                        {1, 16, "no matching overload"},
		`request.path.foo == "x"`:                                    {1, 13, ""},
		`dyn(1) == 1`:                                                {1, 4, `unknown function "dyn"`},
		`type(1) == int`:                                             {1, 5, `unknown function "type"`},
		`{"a": 1} == {"a": 1}`:                                       {1, 1, "no maps"},
		`user.roles.map(r, r) == []`:                                 {1, 15, `unknown function "map"`},
		`user.roles.exists(user, user == "x")`:                       {1, 18, "cannot name the elements"},
		`request.path == "/" &`:                                      {1, 21, ""},
		`1 * 2 == 2`:                                                 {1, 3, "unknown function"},
		`request.path == "` + strings.Repeat("x", maxText) + `"`:     {1, 1, "at most 4096 bytes"},
		strings.Repeat("(", 200) + "true" + strings.Repeat(")", 200): {1, 1, ""},
		`user.roles.all(a, user.roles.all(b, user.roles.all(c, a == b || b == c)))`: {1, 1, "could cost too much"},
		`(` + strings.Repeat("request.path + ", 200) + `"") != ""`:                  {1, 1, ""},
	} {
		_, err := Compile(text, networks)
		var p *policy.Problem
		if !errors.As(err, &p) {
			t.Errorf("%.80s: %v", text, err)
			continue
		}
		if p.At.Line != want.line || p.At.Column != want.column || p.At.File != "" ||
			!strings.Contains(p.Message, want.message) {
			t.Errorf("%.80s: %d:%d %s\n\twant %d:%d %s", text, p.At.Line, p.At.Column, p.Message, want.line, want.column,
				want.message)
		}
	}
}

// The networks of one policy set are not those of another.
func TestNetworksBelongToTheirSet(t *testing.T) {
	inside := compiled(t, `in_network(request.ip, "office")`)
	other, err := Compile(`in_network(request.ip, "office")`,
		map[string][]netip.Prefix{"office": {netip.MustParsePrefix("192.168.0.0/16")}})
	if err != nil {
		t.Fatal(err)
	}
	if inside.Holds(&request, "/", nil) != policy.True || other.Holds(&request, "/", nil) != policy.False {
		t.Error("both sets have one office")
	}
}

// One condition is judged by all requests at once.
func TestConditionsAreSafeForConcurrentUse(t *testing.T) {
	c := compiled(t,
		`user.roles.exists(r, r == "editor") && request.path.startsWith("/a") && request.time.getHours("Europe/Berlin") == 23`)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			path, p, want := "/a", eva, policy.True
			if i%2 == 1 {
				path, p, want = "/b", foreign, policy.False
			}
			for range 300 {
				if got := c.Holds(&request, path, p); got != want {
					t.Errorf("%s: %d", path, got)
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkCondition(b *testing.B) {
	for name, text := range map[string]string{
		"method":  `request.method != "HEAD"`,
		"network": `in_network(request.ip, "office")`,
		"roles":   `"editor" in user.roles && request.path.startsWith("/orders")`,
		"hours":   `request.time.getHours("Europe/Berlin") >= 8 && request.time.getHours("Europe/Berlin") < 18`,
		"exists":  `user.roles.exists(r, r.startsWith("team-"))`,
		"matches": `request.path.matches("^/orders/[0-9]+$")`,
	} {
		c := compiled(b, text)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.Holds(&request, request.Path, eva)
			}
		})
	}
}

func BenchmarkCompileCondition(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		compiled(b, `"editor" in user.roles && in_network(request.ip, "office")`)
	}
}
