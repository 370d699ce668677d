package caddymodule

import (
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/truxeio/caddy-truxe/internal/policy"
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
	r := &http.Request{Method: http.MethodGet, URL: u, RequestURI: target, Host: "app.test", Header: http.Header{},
		RemoteAddr: "127.0.0.1:1"}
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

// ED-06 R2 whatever four habits a server has, in any order: if they lead to what the matcher names, the request is
// judged. (internal/policy has the fuzz target; with Caddy in it one takes minutes to build.)
func TestMatcherCoversEveryReading(t *testing.T) {
	pieces := []string{"/", "/", "admin", "admin", "x", ".", "..", ";", "a=1", "%2f", "%5c", `\`, "%61dmin", "%2561dmin",
		"%3b", "%3f", "%23", "%20", "%00", "%2e", "ADMIN", "//", "%c0%af", "%252f"}
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

// ED-06 a matcher's answer about another reading leaves nothing behind: neither the path nor placeholders of the
// request change.
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
	}{"/admin;a/x": {true, ""}, "/admin/x": {true, "x"}, "/%61dmin/x": {true, "x"}, "/other;a": {false, ""},
		"/other": {false, ""}} {
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

// ED-06 R2 an absolute request line without a path asks for "/" (RFC 9112 3.2.2).
func TestMatcherCoversARequestWithoutAPath(t *testing.T) {
	for pattern, want := range map[string]bool{"/*": true, "/": true, "/admin/*": false} {
		m := caddyhttp.MatchPath{pattern}
		if err := m.Provision(caddy.Context{}); err != nil {
			t.Fatal(err)
		}
		g := &Gate{matchers: caddyhttp.MatcherSets{{m}}}
		for _, target := range []string{"http://app.test", "http://app.test?x=1", "http://app.test/"} {
			r, ok := asksFor(target)
			if !ok {
				t.Fatal(target)
			}
			if covered, err := g.covers(httptest.NewRecorder(), r); covered != want || err != nil {
				t.Errorf("%s %s: covered %v, %v", pattern, target, covered, err)
			}
		}
	}
}

// ED-06 R2 a spelling of a host is the host.
func TestMatcherCoversEverySpellingOfAHost(t *testing.T) {
	m := caddyhttp.MatchHost{"admin.example.com"}
	g := &Gate{matchers: caddyhttp.MatcherSets{{&m, caddyhttp.MatchPath{"/admin/*"}}}}
	for host, want := range map[string]bool{
		"admin.example.com": true, "ADMIN.example.com": true, "admin.example.com.": true, "Admin.Example.com.:443": true,
		"admin..example.com": true, // no host name: refused
		"open.example.com":   false, "OPEN.example.com.": false, "": false, "[::1]:443": false,
	} {
		for _, target := range []string{"/admin/x", "/admin;a/x", "/%61dmin/x"} {
			r, _ := asksFor(target)
			r.Host = host
			if covered, err := g.covers(httptest.NewRecorder(), r); covered != want || err != nil {
				t.Errorf("%q %s: covered %v, %v", host, target, covered, err)
			}
			if r.Host != host {
				t.Errorf("%q has become %q", host, r.Host)
			}
		}
	}
}

// worstTargets are the paths that cost a matcher most.
var worstTargets = map[string]string{"plain": "/open/x", "escaped": "/open%2fx",
	"many readings": "/" + strings.Repeat("a.;b%3fc%23d%255c//", 14),
	"long":          "/" + strings.Repeat("%25", 1300), "lookalikes": "/" + strings.Repeat("%ef%bc%8f;a%3f", 60),
	"many lookalikes": "/a;b%3fc%23d%255c//x." + strings.Repeat("%ef%bc%8f", 10), "spaces": "/" + strings.Repeat("%20",
		1300)}

// worstMatchers have one pattern and sixteen, and a host besides.
func worstMatchers(t testing.TB) map[string]*Gate {
	t.Helper()
	gates := map[string]*Gate{}
	for _, patterns := range []int{1, 16} {
		var m caddyhttp.MatchPath
		for i := range patterns {
			m = append(m, "/admin"+strconv.Itoa(i)+"/*")
		}
		if err := m.Provision(caddy.Context{}); err != nil {
			t.Fatal(err)
		}
		gates[strconv.Itoa(patterns)] = &Gate{matchers: caddyhttp.MatcherSets{{m}}}
		gates[strconv.Itoa(patterns)+" of a host"] = &Gate{matchers: caddyhttp.MatcherSets{{&caddyhttp.MatchHost{"app.test"},
			m}}}
	}
	return gates
}

// ED-10 R14 asking whether a matcher covers a stranger's path takes at most 16 KiB, whatever path and host are.
// (BenchmarkMatcherOverTheWorstPaths measures the time.)
func TestNoMatchingCostsMoreThan16KiB(t *testing.T) {
	for name, target := range worstTargets {
		for matcher, g := range worstMatchers(t) {
			for _, host := range []string{"app.test", "APP.test."} {
				r, ok := asksFor(target)
				if !ok {
					t.Fatal(target)
				}
				r.Host = host
				least := uint64(1 << 30)
				for range 20 { // other goroutines are measured too, and room that is used again is made once
					var before, after runtime.MemStats
					runtime.ReadMemStats(&before)
					_, _ = g.covers(nil, r)
					runtime.ReadMemStats(&after)
					least = min(least, after.TotalAlloc-before.TotalAlloc)
				}
				if least > 16<<10 {
					t.Errorf("%s, matcher %s, host %s: %d bytes", name, matcher, host, least)
				}
			}
		}
	}
}

// BenchmarkMatcherOverTheWorstPaths is what a stranger's path costs at a site with a matcher of one, and of sixteen,
// patterns.
func BenchmarkMatcherOverTheWorstPaths(b *testing.B) {
	gates := worstMatchers(b)
	for _, matcher := range slices.Sorted(maps.Keys(gates)) {
		for _, name := range slices.Sorted(maps.Keys(worstTargets)) {
			for _, host := range []string{"app.test", "APP.test."} {
				b.Run(name+"/"+matcher+"/"+host, func(b *testing.B) {
					r, ok := asksFor(worstTargets[name])
					if !ok {
						b.Fatal(worstTargets[name])
					}
					r.Host = host
					if path, err := policy.Canonical(r); err == nil {
						b.Logf("%d readings, %d bytes of path", len(path.Spellings()), len(worstTargets[name]))
					} else {
						b.Logf("refused")
					}
					b.ReportAllocs()
					for b.Loop() {
						_, _ = gates[matcher].covers(nil, r)
					}
				})
			}
		}
	}
}
