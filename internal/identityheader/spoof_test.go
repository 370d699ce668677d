package identityheader

import (
	"bufio"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// site is the one the matrix describes.
func site(t testing.TB) *alone {
	t.Helper()
	s, err := compileAlone(Config{Custom: []Custom{{"X-Auth-User", "{http.auth.user.name}"},
		{"X-Forwarded-User", "{http.auth.user.name}"}}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var alice = &identity.Principal{UserID: "u1", Username: "alice", Name: "Alice", Email: "alice@example.com",
	Roles: []string{"staff", "editor"}, SessionID: "s1", Proof: identity.Proof{AMR: []string{"pwd"}}}

func parseRequest(lines string) (*http.Request, error) {
	return http.ReadRequest(bufio.NewReader(strings.NewReader("GET /x HTTP/1.1\r\nHost: app.test\r\n" + lines +
		"\r\n\r\n")))
}

// cgi is the matrix's own rule for comparing names, written without this package's table.
func cgi(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToUpper(name))
}

// HD-01 HD-02 HD-03 HD-09: every header case of the matrix, signed in and not, as Go's own parser reads it.
func TestSpoofedIdentityNeverReachesTheUpstream(t *testing.T) {
	raw, err := os.ReadFile("testdata/identity_spoof_matrix.json")
	if err != nil {
		t.Fatal(err)
	}
	var matrix struct {
		Cases []struct{ ID, Over, Send, Expect string }
	}
	if err := json.Unmarshal(raw, &matrix); err != nil {
		t.Fatal(err)
	}
	s := site(t)
	ours := map[string]string{}
	{
		h := http.Header{}
		s.Apply(h, Render(alice))
		for name, v := range h {
			ours[cgi(name)] = v[0]
		}
	}
	ran, refused := 0, 0
	for _, c := range matrix.Cases {
		if strings.HasPrefix(c.ID, "host/") {
			continue // about the server's parsing and the host: judged by the whole gateway and by policy.FoldHost
		}
		for _, p := range []*identity.Principal{nil, alice} {
			r, err := parseRequest(c.Send)
			if err != nil {
				if !strings.HasPrefix(c.Expect, "refused") {
					t.Errorf("%s: refused, want %s: %v", c.ID, c.Expect, err)
				}
				refused++
				continue
			}
			ran++
			s.Strip(r.Header)
			SanitizeConnection(r.Header)
			if p != nil {
				s.Apply(r.Header, Render(p))
			}
			// what reverse_proxy does with Connection, after us
			for _, line := range r.Header["Connection"] {
				for name := range strings.SplitSeq(line, ",") {
					if name = strings.TrimSpace(name); !strings.EqualFold(name, "upgrade") {
						r.Header.Del(name)
					}
				}
			}
			seen := map[string]int{}
			for name, values := range r.Header {
				want, isOurs := ours[cgi(name)]
				if !isOurs {
					continue
				}
				seen[cgi(name)] += len(values)
				if p == nil || len(values) != 1 || values[0] != want {
					t.Errorf("%s: %s reaches the upstream as %q", c.ID, name, values)
				}
			}
			if p != nil && len(seen) != len(ours) {
				t.Errorf("%s: the upstream gets %d of our %d headers", c.ID, len(seen), len(ours))
			}
			if c.Expect == "not-passed-on" && (r.Header["Upgrade"] != nil || r.Header["Http2-Settings"] != nil ||
				r.Header["Connection"] != nil) {
				t.Errorf("%s: passed on: %v", c.ID, r.Header)
			}
			if c.ID == "connection/websocket-upgrade" && (r.Header.Get("Upgrade") != "websocket" ||
				!strings.EqualFold(r.Header.Get("Connection"), "upgrade")) {
				t.Errorf("%s: the upgrade itself is broken: %v", c.ID, r.Header)
			}
			if c.Expect == "no-effect" && len(r.Header) != len(seen)+1 {
				t.Errorf("%s: the header is not ours, yet it changed: %v", c.ID, r.Header)
			}
		}
	}
	if ran < 100 || refused == 0 {
		t.Fatalf("%d runs, %d refusals: the matrix was not read", ran, refused)
	}
}

// HD-02 whatever Connection nominates, in any case and number, only what is the connection's own stays.
func TestConnectionCannotNameOurs(t *testing.T) {
	for _, c := range []struct {
		in      []string
		upgrade string
		out     string
	}{
		{[]string{"close, X-Truxe-User-Id"}, "", "close"},
		{[]string{"REMOTE-USER", "keep-alive,Remote-Groups"}, "", "keep-alive"},
		{[]string{",,remote-user,,"}, "", ""},
		{[]string{"Upgrade, Remote-User"}, "websocket", "upgrade"},
		{[]string{"te, TE, close, x"}, "", "te, close"},
		{[]string{"Upgrade"}, "", ""},    // nothing to upgrade to
		{[]string{"Upgrade"}, "h2c", ""}, // HD-09
		{[]string{"Upgrade"}, "foo, H2C", ""},
		// accept controls
		{[]string{"keep-alive"}, "", "keep-alive"},
		{[]string{"keep-alive, Upgrade"}, "websocket", "keep-alive, Upgrade"},
		{[]string{"Upgrade"}, "SPDY/3.1", "Upgrade"},
		{nil, "", ""},
	} {
		h := http.Header{}
		if c.in != nil {
			h["Connection"] = c.in
		}
		if c.upgrade != "" {
			h["Upgrade"] = []string{c.upgrade}
		}
		SanitizeConnection(h)
		if got := strings.Join(h["Connection"], "|"); got != c.out {
			t.Errorf("Connection %q, Upgrade %q: %q, want %q", c.in, c.upgrade, got, c.out)
		}
		if h2c := strings.Contains(strings.ToLower(c.upgrade), "h2c"); c.upgrade != "" && h2c == (h.Get("Upgrade") != "") {
			t.Errorf("Upgrade %q became %q", c.upgrade, h.Get("Upgrade"))
		}
	}
}

// alone is a set that is the only one of its configuration.
type alone struct {
	*Set
	*Owned
}

func compileAlone(c Config) (*alone, error) {
	owned := NewOwned()
	s, err := Compile(c, owned)
	return &alone{s, owned}, err
}

// ED-01 HD-01 the names of every set of a configuration are removed, whichever set the request is for, and no more.
func TestNamesOfEverySetAreRemoved(t *testing.T) {
	owned := NewOwned()
	for _, c := range []Config{{}, {Preset: "grafana"}, {None: true, Preset: "vouch"},
		{Custom: []Custom{{"X-Late", "{http.auth.user.name}"}}}} {
		if _, err := Compile(c, owned); err != nil {
			t.Fatal(err)
		}
	}
	h := http.Header{}
	for _, name := range []string{"X-Webauth-User", "x_webauth_NAME", "X-Vouch-User", "X.Late", "Remote-User",
		"X-Truxe-Other", "Accept", "X-Later", "X-Webauth", "Remote"} {
		h[name] = []string{"attacker"}
	}
	owned.Strip(h)
	if left := slices.Sorted(maps.Keys(h)); !slices.Equal(left, []string{"Accept", "Remote", "X-Later", "X-Webauth"}) {
		t.Errorf("%q are left", left)
	}
}
