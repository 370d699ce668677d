package policy

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// matrixRules are those the matrix describes.
func matrixRules(t testing.TB) *Set {
	app := []string{"app.test"}
	return set(t,
		Rule{ID: "p", Effect: EffectPublic, Hosts: app, Globs: []string{"/public/**"}, FromFile: true},
		Rule{ID: "a", Effect: EffectAllow, Hosts: app, Globs: []string{"/**"}, FromFile: true},
		Rule{ID: "d", Effect: EffectDeny, Hosts: app, Globs: []string{"/admin/**"}, Roles: []string{"member"},
			FromFile: true})
}

// ask judges a request line as it comes over the wire. Not ok: Go's server or the path check refuses it.
func ask(t testing.TB, s *Set, method, target string, p *identity.Principal) (d Decision, canonical string, ok bool) {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(method + " " + target +
		" HTTP/1.1\r\nHost: app.test\r\n\r\n")))
	if err != nil {
		return d, "", false
	}
	host, err := FoldHost(r.Host)
	if err != nil {
		return d, "", false
	}
	path, err := Canonical(r)
	if err != nil {
		return d, "", false
	}
	return s.Decide(RequestOf(r, host, path), p), path.Canonical, true
}

// AZ-02 AZ-03 AZ-05 AZ-06: every case of the matrix, at this level.
func TestEveryReadingOfTheMatrixIsJudged(t *testing.T) {
	raw, err := os.ReadFile("testdata/normalization_matrix.json")
	if err != nil {
		t.Fatal(err)
	}
	var matrix struct {
		Cases []struct {
			ID, Method, Target, Anonymous, Member string
			SignedIn                              string `json:"signed_in"`
		}
	}
	if err := json.Unmarshal(raw, &matrix); err != nil {
		t.Fatal(err)
	}
	if len(matrix.Cases) < 40 {
		t.Fatalf("%d cases: the matrix was not read", len(matrix.Cases))
	}
	member, reader := &identity.Principal{Username: "m", Roles: []string{"member"}}, &identity.Principal{Username: "r",
		Roles: []string{"reader"}}
	s := matrixRules(t)
	docs := set(t, Rule{ID: "docs", Effect: EffectAllow, Methods: []string{"GET"}, Globs: []string{"/docs/**"},
		Roles: []string{"reader"}, FromFile: true})
	for _, c := range matrix.Cases {
		if c.SignedIn != "" {
			if d, _, _ := ask(t, docs, c.Method, c.Target, reader); d.Allow != (c.SignedIn == "allow") {
				t.Errorf("%s: %+v, want %s", c.ID, d, c.SignedIn)
			}
			continue
		}
		if d, path, _ := ask(t, s, c.Method, c.Target, nil); d.Allow {
			t.Errorf("%s: an anonymous visitor gets %s: %+v", c.ID, path, d)
		}
		d, path, _ := ask(t, s, c.Method, c.Target, member)
		if d.Allow && (c.Member == "nothing" || path == "/admin" || strings.HasPrefix(path, "/admin/")) {
			t.Errorf("%s: a member gets %s: %+v", c.ID, path, d)
		}
	}
	// accept controls
	for target, p := range map[string]*identity.Principal{"/public/x": nil, "/x": member, "/administrator": member,
		"/admin/x": reader, "http://app.test/x": member, "/a%2Fb": member} {
		if d, _, ok := ask(t, s, "GET", target, p); !d.Allow || !ok {
			t.Errorf("control %s: %+v %v", target, d, ok)
		}
	}
}

// AZ-02 paths that no two servers read alike are 400, not a decision.
func TestPathsWithoutAMeaningAreRefused(t *testing.T) {
	for _, target := range []string{"/a%00b", "/a%0d%0ab", "/a%7fb", "/a%", "/a%zz", "/%c0%ae/", "/%ff", "/a#b",
		"/a%2523%2500", "/..;/a", "/a/..%2fb", "/%2e%2e/a", "/a/.%2e/b", "/a/..%5cb", "/a/..%20/b",
		"/a//../b", "/a/%252e%252e/b", "/a;x/../b", "/" + strings.Repeat("%2541", 3000),
		"/" + strings.Repeat("%61", 3000) + `\`, "//x/a%23b/c;d//e%3ff;g/h.%20%5ci%252fj%2523k%253bl"} {
		if r, ok := request(t, target); ok {
			if p, err := Canonical(r); err == nil || identity.CodeOf(err) != identity.CodeAmbiguousPath {
				t.Errorf("%.60s: %+v %v", target, p.Canonical, err)
			}
		}
	}
	for target, want := range map[string]string{"/a/../b": "/b", "/a/./b/": "/a/b/", "/.well-known/x": "/.well-known/x",
		"/a%2Fb": "/a/b", "/a%20b": "/a b", "/100%25": "/100%", "//a": "/a", "/a;v=1": "/a;v=1",
		"/caf%C3%A9": "/café", "/%252f": "/%2f", "/a/b": "/a/b", "http://app.test": "/", "/...": "/...",
		"/" + strings.Repeat("a", 20000): "/" + strings.Repeat("a", 20000)} {
		r, ok := request(t, target)
		if !ok {
			t.Fatalf("%.60s does not parse", target)
		}
		if p, err := Canonical(r); err != nil || p.Canonical != want {
			t.Errorf("%.60s: %.60s %v, want %.60s", target, p.Canonical, err, want)
		}
	}
}

// AZ-06 a WebSocket over HTTP/2 is judged as the GET it becomes; any other CONNECT, and "OPTIONS *", are no path.
func TestConnectAndAsterisk(t *testing.T) {
	s := set(t, Rule{ID: "g", Effect: EffectAllow, Methods: []string{"GET"}},
		Rule{ID: "root", Effect: EffectPublic, Paths: []string{"/*"}})
	r, _ := request(t, "/socket")
	r.Method, r.Header = http.MethodConnect, http.Header{":protocol": {"websocket"}}
	if q := RequestOf(r, "app.test", Path{Canonical: "/socket"}); q.Method != "GET" {
		t.Errorf("WebSocket over HTTP/2 is judged as %s", q.Method)
	}
	r.Header = http.Header{":protocol": {"connect-udp"}}
	if q := RequestOf(r, "app.test", Path{Canonical: "/socket"}); q.Method != "CONNECT" {
		t.Errorf("another CONNECT is judged as %s", q.Method)
	}
	if d, _, ok := ask(t, s, "CONNECT", "app.test:443", nil); ok || d.Allow {
		t.Errorf("a tunnel is judged as a path: %+v", d)
	}
	if d, path, ok := ask(t, s, "OPTIONS", "*", nil); !ok || path != "*" || d.Allow {
		t.Errorf("OPTIONS * is %q: %+v", path, d)
	}
	if d, _, _ := ask(t, set(t, Rule{ID: "all", Effect: EffectPublic, Paths: []string{"*"}}), "OPTIONS", "*",
		nil); !d.Public {
		t.Errorf("control: `public *` is everything: %+v", d)
	}
}
