package test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// ED-26 (FIELD-CASES 52, 53): shapes of Caddyfiles in which no one could ever sign in are refused, and say what to do.
func TestShapesWithoutALoginPageAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		caddyfile string
		says      []string // nil: it is good
	}{
		"a path in the address": {site("app.example.com/tools/*", "\ttruxe\n\trespond ok"),
			[]string{"app.example.com", "/.truxe/", "truxe /tools/*", "path /tools/.truxe"}},
		"the path of the gateway in it": {"{\n\ttruxe {\n\t\tpath /tools/.truxe\n\t}\n}\n" +
			site("app.example.com/tools/*", "\ttruxe\n\trespond ok"), nil},
		"the whole host beside it": {site("app.example.com/tools/*",
			"\ttruxe\n\trespond ok") + site("app.example.com", "\ttruxe portal"), nil},
		"plain http on a name of a LAN": {site("http://nas.lan", "\ttruxe\n\trespond ok"),
			[]string{"nas.lan", "https", "tls internal", "trusted_proxies"}},
		"plain http on an address": {site("http://192.168.1.5", "\ttruxe\n\trespond ok"),
			[]string{"192.168.1.5", "tls internal"}},
		"inside a handle": {site("app.example.com",
			"\thandle /tools/* {\n\t\ttruxe\n\t}\n\thandle {\n\t\trespond ok\n\t}"), []string{"app.example.com", "/.truxe/"}},
		"inside a handle, with the portal": {site("app.example.com",
			"\thandle /.truxe/* {\n\t\ttruxe portal\n\t}\n\thandle /tools/* {\n\t\ttruxe\n\t\trespond ok\n\t}"), nil},
		"a snippet": {"(auth) {\n\ttruxe {\n\t\tallow role {args[0]}\n\t}\n}\n" +
			site("app.example.com", "\timport auth staff\n\trespond ok"), nil},
		"wildcard with handle by host": {site("*.example.com",
			"\t@a host a.example.com\n\thandle @a {\n\t\ttruxe\n\t\trespond a\n\t}\n\thandle {\n\t\tabort\n\t}"), nil},
		"an origin of another host": {site("app.example.com",
			"\ttruxe {\n\t\torigin https://other.example.com\n\t}\n\trespond ok"),
			[]string{"other.example.com", "app.example.com"}},
		"an origin with a path": {site("app.example.com",
			"\ttruxe {\n\t\torigin https://app.example.com/x\n\t}\n\trespond ok"), []string{"origin", "Caddyfile:3"}},
		"an http origin": {site("app.example.com",
			"\ttruxe {\n\t\torigin http://app.example.com\n\t}\n\trespond ok"), []string{"origin", "https"}},
		"a portal with a path": {"{\n\ttruxe {\n\t\tportal https://auth.example.com/x\n\t}\n}\n" +
			site("auth.example.com", "\ttruxe portal"), []string{"portal", "Caddyfile:3"}},
		"a named route": {"&(auth) {\n\ttruxe\n}\n" + site("app.example.com",
			"\tinvoke auth\n\trespond ok"), []string{"named route", "import"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, code, _ := rig.Validate(t, c.caddyfile)
			if (code == 0) != (c.says == nil) {
				t.Fatalf("exit %d: %s", code, out)
			}
			for _, word := range c.says {
				if !strings.Contains(strings.ReplaceAll(out, `\"`, `"`), word) {
					t.Errorf("%q is not in: %s", word, out)
				}
			}
		})
	}
}

// ED-26 (FIELD-CASES 17): two sites on one host name, on two ports, are two sites: the check call and the page of apps
// ask the rules of the port that is meant.
func TestTwoPortsOfOneHostAreTwoSites(t *testing.T) {
	s := tell(t, plot{sites: site("app.test", "\ttruxe {\n\t\tapp Open\n\t}\n\treverse_proxy UPSTREAM") +
		site(`app.test:{{port "second"}}`, "\ttruxe {\n\t\tallow role boss\n\t\tapp Closed\n\t}\n\treverse_proxy UPSTREAM")})
	out := s.login("app.test", "pia", piaPassword)
	first := s.withBearer("app.test", out.Access)
	second := s.withBearer("app.test:"+itoa(s.g.Port("second")), out.Access)
	first.get("/", program).want(http.StatusOK)
	second.get("/", program).want(http.StatusForbidden)
	for v, allow := range map[*visitor]bool{first: true, second: false} {
		var answer struct{ Allow bool }
		v.api("GET", "check?method=GET&path=/", nil).want(http.StatusOK).json(&answer)
		if answer.Allow != allow {
			t.Errorf("check at %s says %v", v.host, answer.Allow)
		}
		var list appList
		v.api("GET", "apps", nil).want(http.StatusOK).json(&list)
		if len(list.Items) != 1 || list.Items[0].Name != "Open" ||
			strings.Contains(list.Items[0].URL, itoa(s.g.Port("second"))) {
			t.Errorf("apps at %s: %+v", v.host, list.Items)
		}
	}
	s.cli("roles", "grant", "pia", "boss")
	second.get("/", program).want(http.StatusOK)
	var list appList
	first.api("GET", "apps", nil).want(http.StatusOK).json(&list)
	if len(list.Items) != 2 {
		t.Errorf("with the role: %+v", list.Items)
	}
}
