package test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// verifySite answers another proxy on loopback for two hosts; a third host is not in its list.
var verifySite = share(plot{
	global: "\tservers {\n\t\ttrusted_proxies static 127.0.0.1/32\n\t\ttrusted_proxies_strict\n\t}",
	sites: site("verify.test, one.test, two.test",
		"\ttruxe forward_auth {\n\t\thosts one.test two.test\n\t\tpublic /open/*\n\t\tallow role member\n\t}"),
})

// asked is the sub-request of a proxy that sends X-Forwarded-*.
func asked(method, host, uri string) []string {
	return []string{"X-Forwarded-Method", method, "X-Forwarded-Proto", "https", "X-Forwarded-Host", host,
		"X-Forwarded-Uri", uri}
}

const endpoint = "/.truxe/forward-auth"

var identityNames = []string{"Remote-User", "Remote-Name", "Remote-Email", "Remote-Groups", "X-Truxe-User-Id",
	"X-Truxe-Session", "X-Truxe-Amr"}

// HD-06 HD-05 CVE-2026-30851: 200 names every identity header, empty where there is none; navigations are redirected to
// the app's own host, programs get 401, the wrong role 403.
func TestForwardAuthAnswersTheOtherProxy(t *testing.T) {
	s := verifySite.open(t)
	pia := s.browser("one.test")
	pia.signIn("pia", piaPassword)
	proxy := s.bare("verify.test")
	proxy.cookie = "__Host-truxe=" + pia.session()

	a := proxy.get(endpoint, asked("GET", "one.test", "/x?y=1"), program).want(http.StatusOK)
	if a.header.Get("Remote-User") != "pia" || a.header.Get("Remote-Groups") != "member" {
		t.Errorf("identity: %v", a.header)
	}
	anonymous := s.bare("verify.test")
	a = anonymous.get(endpoint, asked("GET", "one.test", "/open/x"), program,
		[]string{"Remote-User", "root"}).want(http.StatusOK)
	for _, name := range identityNames {
		if v, there := a.header[name]; !there || len(v) != 1 || v[0] != "" {
			t.Errorf("public path: %s is %q", name, v)
		}
	}
	a = anonymous.get(endpoint, asked("GET", "one.test", "/x?y=1"), navigate).want(http.StatusFound)
	if to := a.header.Get("Location"); !strings.HasPrefix(to, "https://one.test/.truxe/login?r=") {
		t.Errorf("redirected to %q", to)
	}
	anonymous.get(endpoint, asked("POST", "one.test", "/x"), program).problem(http.StatusUnauthorized, "login_required")
	// the session belongs to one.test alone
	proxy.get(endpoint, asked("GET", "two.test", "/x"), program).want(http.StatusUnauthorized)
	s.user("stranger", "lanterns over the quiet bay")
	stranger := s.browser("one.test")
	stranger.signIn("stranger", "lanterns over the quiet bay")
	proxy.cookie = "__Host-truxe=" + stranger.session()
	proxy.get(endpoint, asked("GET", "one.test", "/x"), program).problem(http.StatusForbidden, "role_required")
}

// ED-05 SE-18: the other proxy asks about a WebSocket that another site's page opens. nginx drops Upgrade from the
// sub-request, and Traefik writes wss as the scheme: what browsers say of a WebSocket is still there, and so is its
// Origin.
func TestForwardAuthLooksAtTheOriginOfWebSockets(t *testing.T) {
	s := verifySite.open(t)
	pia := s.browser("one.test")
	pia.signIn("pia", piaPassword)
	proxy := s.bare("verify.test")
	proxy.cookie = "__Host-truxe=" + pia.session()
	nginx := []string{"X-Original-Method", "GET", "X-Original-Url", "https://one.test/ws"}
	traefik := []string{"X-Forwarded-Method", "GET", "X-Forwarded-Proto", "wss", "X-Forwarded-Host", "one.test",
		"X-Forwarded-Uri", "/ws"}
	socket := []string{"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version", "13"}
	for name, c := range map[string]struct {
		headers [][]string
		status  int
	}{
		"nginx, another site": {[][]string{nginx, socket, {"Origin", "https://evil.test"}}, 403},
		"nginx, http":         {[][]string{nginx, socket, {"Origin", "http://one.test"}}, 403},
		"nginx, no origin":    {[][]string{nginx, socket}, 403},
		"nginx, Fetch Metadata alone": {[][]string{nginx, {"Sec-Fetch-Mode", "websocket", "Sec-Fetch-Site", "cross-site",
			"Origin", "https://evil.test"}}, 403},
		"nginx, own":            {[][]string{nginx, socket, {"Origin", "https://one.test"}}, 200},
		"nginx, no socket":      {[][]string{nginx, {"Origin", "https://evil.test"}}, 200},
		"Traefik, another site": {[][]string{traefik, socket, {"Origin", "https://evil.test"}}, 403},
		"Traefik, scheme alone": {[][]string{traefik, {"Origin", "https://evil.test"}}, 403},
		"Traefik, own":          {[][]string{traefik, socket, {"Origin", "https://one.test"}}, 200},
	} {
		if a := proxy.get(endpoint, c.headers...); a.status != c.status {
			t.Errorf("%s: %d, want %d: %.200s", name, a.status, c.status, a.body)
		}
	}
}

// HD-05: nginx knows 2xx, 401 and 403 only, so a redirect becomes 401 with Location.
func TestForwardAuthSpeaksNginx(t *testing.T) {
	s := verifySite.open(t)
	a := s.bare("verify.test").get(endpoint, []string{"X-Original-Method", "GET", "X-Original-Url",
		"https://one.test/x?y=1"}, navigate).want(http.StatusUnauthorized)
	if to := a.header.Get("Location"); !strings.HasPrefix(to, "https://one.test/.truxe/login?r=") {
		t.Errorf("Location %q", to)
	}
	pia := s.browser("one.test")
	pia.signIn("pia", piaPassword)
	proxy := s.bare("verify.test")
	proxy.cookie = "__Host-truxe=" + pia.session()
	proxy.get(endpoint, []string{"X-Original-Method", "GET", "X-Original-Url",
		"https://one.test/x?y=1"}).want(http.StatusOK)
}

// HD-05 CVE-2026-40575 CVE-2026-35051: only listed hosts, only whole and well-formed descriptions, each header once.
func TestForwardAuthRefusesWhatItCannotBelieve(t *testing.T) {
	s := verifySite.open(t)
	pia := s.browser("one.test")
	pia.signIn("pia", piaPassword)
	proxy := s.bare("verify.test")
	proxy.cookie = "__Host-truxe=" + pia.session()
	proxy.get(endpoint, asked("GET", "one.test", "/x"), program).want(http.StatusOK) // control
	for name, headers := range map[string][]string{
		"unlisted host": asked("GET", "evil.test", "/x"), "no headers": nil,
		"no method":  {"X-Forwarded-Proto", "https", "X-Forwarded-Host", "one.test", "X-Forwarded-Uri", "/x"},
		"empty host": asked("GET", "", "/x"), "bad method": asked("G ET", "one.test", "/x"),
		"relative uri": asked("GET", "one.test", "x"),
		"absolute uri": asked("GET", "one.test", "https://evil.test/x"), "fragment": asked("GET", "one.test", "/x#/open/"),
		"bad escape": asked("GET", "one.test", "/%zz"),
		"two hosts":  append(asked("GET", "one.test", "/x"), "X-Forwarded-Host", "two.test"),
		"host list":  asked("GET", "one.test, evil.test", "/x"),
		"plain http": {"X-Forwarded-Method", "GET", "X-Forwarded-Proto", "http", "X-Forwarded-Host", "one.test",
			"X-Forwarded-Uri", "/x"},
		"strange scheme": {"X-Forwarded-Method", "GET", "X-Forwarded-Proto", "ftp", "X-Forwarded-Host", "one.test",
			"X-Forwarded-Uri", "/x"},
		"nginx without method": {"X-Original-Url", "https://one.test/x"},
		"nginx with userinfo":  {"X-Original-Method", "GET", "X-Original-Url", "https://a@one.test/x"},
	} {
		if a := proxy.get(endpoint, headers, program); a.status < 400 || a.status >= 500 {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	// path tricks are judged as on the wire
	anonymous := s.bare("verify.test")
	for _, uri := range []string{"/open/../x", "/open/..%2fx", "/open/%2e%2e/x", "/open/..;/x"} {
		if a := anonymous.get(endpoint, asked("GET", "one.test", uri), program); a.status == http.StatusOK {
			t.Errorf("%s is public", uri)
		}
	}
}

// HD-05 CVE-2023-36456: a peer that trusted_proxies does not name is not answered, whatever it says.
func TestForwardAuthIgnoresUntrustedPeers(t *testing.T) {
	s := tell(t, plot{sites: site("verify.test, one.test",
		"\ttruxe forward_auth {\n\t\thosts one.test\n\t\tpublic /open/*\n\t}")})
	proxy := s.bare("verify.test")
	proxy.get(endpoint, asked("GET", "one.test", "/open/x"), program).problem(http.StatusForbidden, "forbidden")
	pia := s.browser("one.test")
	pia.signIn("pia", piaPassword)
	proxy.cookie = "__Host-truxe=" + pia.session()
	proxy.get(endpoint, asked("GET", "one.test", "/x"), program).want(http.StatusForbidden)
}

// HD-06 HD-02: a real second Caddy in front of the app asks this one, and the app sees who it is.
func TestAnotherCaddyAsksThisOne(t *testing.T) {
	s := verifySite.open(t)
	front := rig.Gateway(t, rig.Options{Caddyfile: strings.NewReplacer("VERIFY", strconv.Itoa(s.g.Port("https")),
		"UPSTREAM", s.up.Addr()).Replace(site("one.test", `	handle /.truxe/* {
		reverse_proxy https://127.0.0.1:VERIFY {
			header_up Host one.test
			transport http {
				tls_server_name one.test
				tls_insecure_skip_verify
			}
		}
	}
	handle {
		forward_auth https://127.0.0.1:VERIFY {
			uri /.truxe/forward-auth
			header_up Host verify.test
			copy_headers Remote-User Remote-Name Remote-Email Remote-Groups X-Truxe-User-Id X-Truxe-Session X-Truxe-Amr
			transport http {
				tls_server_name verify.test
				tls_insecure_skip_verify
			}
		}
		reverse_proxy UPSTREAM
	}`))})
	outside := &story{t: t, g: front, up: s.up}
	pia := outside.browser("one.test")
	pia.get("/x", navigate).want(http.StatusFound)
	pia.signIn("pia", piaPassword)
	pia.get("/x", navigate, []string{"Remote-User", "root"}).want(http.StatusOK)
	if seen := s.up.Last(); strings.Join(seen.Get("Remote-User"), ",") != "pia" {
		t.Errorf("the app saw %v", seen.Get("Remote-User"))
	}
}

// MF-08: a half sign-in is anonymous at the endpoint for other proxies.
func TestForwardAuthKnowsNoHalfSignIn(t *testing.T) {
	s := verifySite.open(t)
	f := s.withTOTP("one.test", "marit", "member")
	v := f.pending()
	proxy := s.bare("verify.test")
	for _, cookie := range []string{"__Host-truxe-flow=" + v.inJar("__Host-truxe-flow"),
		"__Host-truxe=" + v.inJar("__Host-truxe-flow"), "__Host-truxe=" + f.begin().Token} {
		proxy.cookie = cookie
		proxy.get(endpoint, asked("GET", "one.test", "/x"), program).problem(http.StatusUnauthorized, "login_required")
		proxy.get(endpoint, asked("GET", "one.test", "/x"), navigate).want(http.StatusFound)
	}
	v.second("method", "totp", "code", f.code()).want(http.StatusSeeOther)
	proxy.cookie = "__Host-truxe=" + v.session()
	proxy.get(endpoint, asked("GET", "one.test", "/x"), program).want(http.StatusOK)
}
