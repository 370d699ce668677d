package test

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// randomText is n characters that no compression makes shorter than three quarters.
func randomText(n int) string {
	raw := make([]byte, n)
	_, _ = rand.Read(raw)
	return base64.RawURLEncoding.EncodeToString(raw)[:n]
}

// ED-23 a deep link of any length that Caddy takes comes back, on one host and through the portal, however little it
// can be compressed. Caddy's own limit is the control.
func TestDeepLinkOfAnyLengthComesBack(t *testing.T) {
	s := ssoSites.open(t)
	for _, host := range []string{"app.test", "auth.test"} {
		for _, n := range []int{10, 2000, 4096, 4200, 8000, 12000, 16000, 18500} {
			for name, fill := range map[string]string{"random": randomText(n), "escapes": strings.Repeat("%C3%A4", n/6),
				"one letter": strings.Repeat("a", n)} {
				v := s.browser(host)
				link := "/.truxe/account?q=" + fill
				if host == "app.test" {
					link = "/deep/?q=" + fill
				}
				b := v.begin(host, link)
				portal := v.at("auth.test")
				last, where := portal.follow(portal.tryForm(b.login, "pia", piaPassword).want(http.StatusSeeOther))
				if last.status != http.StatusOK || !strings.HasSuffix(where, link) {
					t.Fatalf("%d bytes (%s) on %s: %d at %.120s", n, name, host, last.status, where)
				}
			}
		}
	}
	s.browser("app.test").get("/deep?q="+randomText(24000), navigate).want(http.StatusRequestHeaderFieldsTooLarge)
}

// ED-08 CS-06 a way back that was altered, cut, made up or sealed by another gateway is gone: the page says so, signing
// in works and ends at the start. Nothing about it is an error of the server.
func TestAlteredWayBackIsGone(t *testing.T) {
	s := ssoSites.open(t)
	good := s.browser("auth.test").begin("auth.test", "/.truxe/account").id
	middle := len(good) / 2
	flipped := func(at int) string {
		c := byte('A')
		if good[at] == 'A' {
			c = 'B'
		}
		return good[:at] + string(c) + good[at+1:]
	}
	bad := []string{flipped(0), flipped(1), flipped(middle), flipped(len(good) - 2), good[:middle], good + "A", good + "=",
		good + good, " " + good,
		"A", "%00", "..", "//evil.example", "aaaaaaaaaaaaaaaaaaaaaaaaaa", randomText(len(good)), randomText(9000),
		strings.ToUpper(good)}
	for _, id := range bad {
		v := s.browser("auth.test")
		query := url.QueryEscape(id)
		if page := v.get("/.truxe/login?r="+query, navigate).want(http.StatusOK); !strings.Contains(page.text(),
			"where you came from") {
			t.Errorf("%.60q: the page does not say that the way is gone: %.600s", id, page.text())
		}
		for _, path := range []string{"continue?r=", "callback?ticket=x&r=", "mfa?r=", "confirm?r="} {
			if a := v.get("/.truxe/"+path+query, navigate); a.status >= 500 {
				t.Errorf("%s with %.60q: %d", path, id, a.status)
			}
		}
	}
	v := s.browser("auth.test")
	v.get("/.truxe/login", navigate).want(http.StatusOK)
	last, where := v.follow(v.form("login", "username", "pia", "password", piaPassword, "return",
		flipped(middle)).want(http.StatusSeeOther))
	if last.status != http.StatusOK || !strings.HasSuffix(where, "/.truxe/?gone=1") {
		t.Errorf("signing in with an altered way back ends with %d at %s", last.status, where)
	}
	for _, id := range bad {
		if a := v.get("/.truxe/continue?r="+url.QueryEscape(id),
			navigate).want(http.StatusOK); !strings.Contains(a.header.Get("Refresh"), "url=/.truxe/?gone=1") {
			t.Errorf("%.60q: signed in, it leads to %s", id, a.header.Get("Refresh"))
		}
	}
	if a := v.get("/.truxe/continue?r="+good,
		navigate).want(http.StatusOK); a.header.Get("Refresh") != "0; url=/.truxe/account" {
		t.Errorf("control: %s", a.header.Get("Refresh"))
	}
}

// ED-08 a way back outlives a reload and a restart, since it is nowhere but in the browser.
func TestWayBackOutlivesReloadAndRestart(t *testing.T) {
	p := plot{sites: site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM")}
	s := tell(t, p)
	for name, change := range map[string]func(){
		"reload": func() {
			if err := s.g.Reload(s.caddyfile(p) + "\n# again\n"); err != nil {
				t.Fatal(err)
			}
		},
		"restart": func() { s.g.Restart() },
	} {
		v := s.browser("app.test")
		b := v.begin("app.test", "/deep?x="+name)
		change()
		last, where := v.follow(v.tryForm(b.login, "pia", piaPassword).want(http.StatusSeeOther))
		if last.status != http.StatusOK || !strings.HasSuffix(where, "/deep?x="+name) {
			t.Errorf("after a %s a sign-in ends with %d at %s", name, last.status, where)
		}
	}
}

// ED-08 a way back that one node sealed is opened by the other.
func TestWayBackOpensOnEveryNode(t *testing.T) {
	n := twoNodes(t)
	v := n.one.browser("app.test")
	b := v.begin("app.test", "/deep?x=1")
	there := n.two.bare("app.test")
	there.cookie = "__Host-truxe-flow=" + b.flow
	a := there.form("login", "username", "pia", "password", piaPassword, "return", b.id).want(http.StatusSeeOther)
	session, _, _ := strings.Cut(a.setsCookie("__Host-truxe"), ";")
	there.cookie += "; " + session
	if last := there.get(a.header.Get("Location"),
		navigate).want(http.StatusOK); last.header.Get("Refresh") != "0; url=/deep?x=1" {
		t.Errorf("the other node leads to %s", last.header.Get("Refresh"))
	}
}
