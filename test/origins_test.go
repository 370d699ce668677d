package test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// behind is the servers option of a gateway that a TLS-terminating proxy on this machine asks.
const behind = "\tservers {\n\t\ttrusted_proxies static 127.0.0.0/8\n\t\ttrusted_proxies_strict\n\t}"

// secure is what a proxy in front says of the visitor's connection.
var secure = []string{"X-Forwarded-Proto", "https", "X-Forwarded-For", "192.0.2.7"}

// inner asks a plain-http listener of the gateway as a proxy in front does, with the visitor's Host.
func (v *visitor) inner(port int, method, path string, body any, headers ...[]string) answer {
	v.s.t.Helper()
	headers = append(headers, secure, []string{"Host", v.host})
	text := ""
	if body != nil {
		text = jsonText(v.s.t, body)
		headers = append(headers, sendsJSON)
	}
	return v.do(method, "http://127.0.0.1:"+strconv.Itoa(port)+path, text, headers...)
}

func (v *visitor) innerLogin(port int, username, password string) tokens {
	v.s.t.Helper()
	var out tokens
	v.inner(port, "POST", "/.truxe/api/v1/login", map[string]string{"username": username,
		"password": password}).want(http.StatusOK).json(&out)
	return out
}

// ED-21 (FIELD-CASES 9): TLS ends in front. Every URL of our own is https on the public port: issuer, apps, passkey
// endpoints, setup link.
func TestTLSEndsInFrontAndOwnURLsAreHTTPS(t *testing.T) {
	s := tell(t, plot{global: behind, sites: site(`http://app.example.com:{{port "inner"}}`,
		"\ttruxe\n\treverse_proxy UPSTREAM") +
		site(`http://odd.example.com:{{port "inner"}}`,
			"\ttruxe {\n\t\torigin https://odd.example.com:8443\n\t}\n\treverse_proxy UPSTREAM")})
	for host, origin := range map[string]string{"app.example.com": "https://app.example.com",
		"odd.example.com": "https://odd.example.com:8443"} {
		port := s.g.Port("inner")
		v := s.bare(host)
		out := v.innerLogin(port, "pia", piaPassword)
		if iss := claimsOf(t, out.Access)["iss"]; iss != origin {
			t.Errorf("%s: iss %v", host, iss)
		}
		v.bearer = out.Access
		var list appList
		v.inner(port, "GET", "/.truxe/api/v1/apps", nil).want(http.StatusOK).json(&list)
		for _, a := range list.Items {
			if a.Host == host && a.URL != origin+"/" {
				t.Errorf("%s opens at %s", host, a.URL)
			}
		}
		var where map[string]string
		v.inner(port, "GET", "/.well-known/passkey-endpoints", nil).want(http.StatusOK).json(&where)
		if where["enroll"] != origin+"/.truxe/account/passkeys" {
			t.Errorf("%s: passkeys at %v", host, where)
		}
	}
}

// ED-21 (FIELD-CASES 9): the setup link is the first URL that any user sees.
func TestSetupLinkIsThePublicOne(t *testing.T) {
	for name, c := range map[string]struct{ caddyfile, want string }{
		"behind a proxy": {"{\n" + behind + "\n}\n" + site(`http://app.example.com:{{port "inner"}}`,
			"\ttruxe\n\trespond ok"), "https://app.example.com/.truxe/setup"},
		"no host name": {"{\n" + behind + "\n}\n" + site(`http://:{{port "inner"}}`,
			"\ttruxe {\n\t\torigin https://app.example.com\n\t}\n\trespond ok"), "https://app.example.com/.truxe/setup"},
		"port mapped outside": {site("app.example.com",
			"\ttruxe {\n\t\torigin https://app.example.com:9443\n\t}\n\trespond ok"),
			"https://app.example.com:9443/.truxe/setup"},
		"portal mapped outside": {"{\n\ttruxe {\n\t\tportal https://auth.example.com:9443\n\t}\n}\n" + site("app.example.com",
			"\ttruxe\n\trespond ok") + site("auth.example.com", "\ttruxe portal"), "https://auth.example.com:9443/.truxe/setup"},
		"loopback": {site(`http://localhost:{{port "inner"}}`, "\ttruxe\n\trespond ok"),
			"http://localhost:INNER/.truxe/setup"},
	} {
		t.Run(name, func(t *testing.T) {
			g := rig.Gateway(t, rig.Options{Caddyfile: c.caddyfile})
			want := strings.ReplaceAll(c.want, "INNER", strconv.Itoa(g.Port("inner")))
			if link := g.WaitLog(`create the first admin at (\S+)#t=`)[1]; link != want {
				t.Errorf("the link is %s, want %s", link, want)
			}
			g.Stop()
			out, errs, code := g.CLI("setup", "--link")
			if code != 0 || !strings.Contains(out+errs, want+"#t=") {
				t.Errorf("caddy truxe setup, with Caddy stopped: exit %d: %s%s, want %s", code, out, errs, want)
			}
		})
	}
}

// ED-21 (FIELD-CASES 10): the single sign-on host can be behind the same proxy as the apps.
func TestPortalBehindAProxy(t *testing.T) {
	s := tell(t, plot{options: "portal auth.example.com", global: behind,
		sites: site(`http://auth.example.com:{{port "inner"}}`, "\ttruxe portal") +
			site(`http://app.example.com:{{port "inner"}}`, "\ttruxe\n\treverse_proxy UPSTREAM")})
	v := s.bare("app.example.com")
	a := v.inner(s.g.Port("inner"), "GET", "/deep", nil, navigate).want(http.StatusFound)
	if to := a.header.Get("Location"); !strings.HasPrefix(to, "https://auth.example.com/.truxe/login?r=") {
		t.Errorf("to %s", to)
	}
	if iss := claimsOf(t, s.bare("auth.example.com").innerLogin(s.g.Port("inner"), "pia",
		piaPassword).Access)["iss"]; iss != "https://auth.example.com" {
		t.Errorf("iss %v", iss)
	}
}

// ED-21 (FIELD-CASES 15): a port that is mapped outside is part of every URL that leads to the portal.
func TestPortalOnAMappedPort(t *testing.T) {
	s := tell(t, plot{options: "portal https://auth.example.com:8443", sites: site("auth.example.com", "\ttruxe portal") +
		site("app.example.com", "\ttruxe {\n\t\torigin https://app.example.com:8443\n\t}\n\treverse_proxy UPSTREAM")})
	v := s.browser("app.example.com")
	to := v.get("/deep?x=1", navigate,
		[]string{"Host", "app.example.com:8443"}).want(http.StatusFound).header.Get("Location")
	if !strings.HasPrefix(to, "https://auth.example.com:8443/.truxe/login?r=") {
		t.Errorf("to %s", to)
	}
}

// ED-21 (FIELD-CASES 11): a proxy that comes over a unix socket is named by trusted_proxies_unix.
func TestProxyOverAUnixSocket(t *testing.T) {
	s := tell(t, plot{global: "\tservers {\n\t\ttrusted_proxies_unix\n\t}",
		sites: site("http://app.example.com", "\tbind unix/{{dir}}/c.sock\n\ttruxe\n\treverse_proxy UPSTREAM")})
	v := s.bare("app.example.com")
	v.c.Transport.(*http.Transport).DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(s.g.Dir, "c.sock"))
	}
	if iss := claimsOf(t, v.innerLogin(80, "pia", piaPassword).Access)["iss"]; iss != "https://app.example.com" {
		t.Errorf("iss %v", iss)
	}
	v.inner(80, "GET", "/x", nil, navigate).want(http.StatusFound)
}

func jsonText(t testing.TB, body any) string {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func itoa(n int) string { return strconv.Itoa(n) }
