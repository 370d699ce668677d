package caddymodule

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// matcherGate has the matcher of `truxe /admin /admin/*`.
func matcherGate(t testing.TB) *Gate {
	t.Helper()
	m := caddyhttp.MatchPath{"/admin", "/admin/*"}
	if err := m.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	return &Gate{matchers: caddyhttp.MatcherSets{{m}}}
}

// asksFor prepares a request as Caddy's server does; false: net/http would not take it.
func asksFor(target string) (*http.Request, bool) {
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, false
	}
	r := &http.Request{Method: http.MethodGet, URL: u, RequestURI: target, Host: "app.test", Header: http.Header{}, RemoteAddr: "127.0.0.1:1"}
	return caddyhttp.PrepareRequest(r, caddy.NewReplacer(), httptest.NewRecorder(), &caddyhttp.Server{}), true
}

// habits are what servers do to a path, written without internal/policy.
var habits = []func(string) string{
	func(s string) string {
		if d, err := url.PathUnescape(s); err == nil {
			return d
		}
		return s
	},
	func(s string) string { return strings.ReplaceAll(s, `\`, "/") },
	func(s string) string { s, _, _ = strings.Cut(s, ";"); return s },
	func(s string) string { s, _, _ = strings.Cut(s, "?"); return s },
	func(s string) string { s, _, _ = strings.Cut(s, "#"); return s },
	func(s string) string { s, _, _ = strings.Cut(s, "\x00"); return s },
	func(s string) string {
		parts := strings.Split(s, "/")
		for i := range parts {
			parts[i], _, _ = strings.Cut(parts[i], ";")
		}
		return strings.Join(parts, "/")
	},
	func(s string) string { return path.Clean("/" + s) },
	func(s string) string {
		parts := strings.Split(s, "/")
		for i := range parts {
			if trimmed := strings.TrimRight(parts[i], " ."); trimmed != "" {
				parts[i] = trimmed
			}
		}
		return strings.Join(parts, "/")
	},
	strings.ToLower,
}

// ED-06 R2 whatever four habits a server has, in any order: if they lead to what the matcher names, the request is judged.
// (internal/policy has the fuzz target; with Caddy in it one takes minutes to build.)
func TestMatcherCoversEveryReading(t *testing.T) {
	pieces := []string{"/", "/", "admin", "admin", "x", ".", "..", ";", "a=1", "%2f", "%5c", `\`, "%61dmin", "%2561dmin", "%3b", "%3f", "%23", "%20", "%00", "%2e", "ADMIN", "//", "%c0%af", "%252f"}
	g, random, met := matcherGate(t), rand.New(rand.NewPCG(1, 2)), 0
	for range 60_000 {
		target := "/"
		for range 1 + random.IntN(7) {
			target += pieces[random.IntN(len(pieces))]
		}
		r, ok := asksFor(target)
		if !ok {
			continue
		}
		server := r.URL.EscapedPath()
		for range 4 {
			server = habits[random.IntN(len(habits))](server)
		}
		server = path.Clean("/" + server)
		if server != "/admin" && !strings.HasPrefix(server, "/admin/") {
			continue
		}
		met++
		if covered, err := g.covers(httptest.NewRecorder(), r); err != nil || !covered {
			t.Fatalf("%q passes the matcher, and a server reads it as %q: %v", target, server, err)
		}
	}
	if met < 1000 {
		t.Errorf("only %d of the paths were about the matcher", met)
	}
}

// ED-06 a matcher's answer about another reading leaves nothing behind: neither the path nor placeholders of the request change.
func TestAskingAboutReadingsChangesNothing(t *testing.T) {
	m := &caddyhttp.MatchPathRE{}
	m.Name, m.Pattern = "part", "^/admin/(.*)$"
	if err := m.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	g := &Gate{matchers: caddyhttp.MatcherSets{{m}}}
	for target, want := range map[string]struct {
		covered bool
		part    string
	}{"/admin;a/x": {true, ""}, "/admin/x": {true, "x"}, "/%61dmin/x": {true, "x"}, "/other;a": {false, ""}, "/other": {false, ""}} {
		r, _ := asksFor(target)
		repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
		before := r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)["start_time"]
		covered, err := g.covers(httptest.NewRecorder(), r)
		part, _ := repl.GetString("http.regexp.part.1")
		if covered != want.covered || part != want.part || err != nil {
			t.Errorf("%s: covered %v, group %q, %v", target, covered, part, err)
		}
		if uri, _ := repl.GetString("http.request.uri"); uri != target || r.URL.EscapedPath() != target {
			t.Errorf("%s: has become %q", target, uri)
		}
		if after := r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)["start_time"]; after != before {
			t.Errorf("%s: the request started at %v, now at %v", target, before, after)
		}
	}
}
