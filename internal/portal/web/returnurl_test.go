package web

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/origin"
)

func askedAt(t testing.TB, host string, origins ...string) *Call {
	t.Helper()
	var sites []origin.Site
	for _, text := range origins {
		o, err := origin.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		sites = append(sites, origin.Site{Host: o.Host, Public: o})
	}
	book := origin.NewBook(sites)
	r := httptest.NewRequest("GET", "https://"+host+"/.truxe/login", nil)
	return &Call{Config: &Config{Base: "/.truxe", Origins: book}, Exchange: Exchange{R: r}, Host: FoldHost(host)}
}

// ED-22 CS-06 CVE-2021-21291: an address is a way back only when its origin, with scheme and port, is one of the
// configuration's. For this host it is a path; for another one it is that host's own login page.
func TestAddressOfTheConfigurationIsAWayBack(t *testing.T) {
	c := askedAt(t, "auth.example.com", "https://auth.example.com", "https://app.example.com:8443")
	for text, want := range map[string][2]string{
		"/x?y=1":                           {"/x?y=1", ""},
		"https://auth.example.com/x?y=1#z": {"/x?y=1", ""},
		"https://auth.example.com:443/x":   {"/x", ""},
		"https://auth.example.com":         {"/", ""},
		"https://auth.example.com?y=1":     {"/?y=1", ""},
		"https://app.example.com:8443/a%2fb?c=d%26": {"",
			"https://app.example.com:8443/.truxe/login?return=%2Fa%252fb%3Fc%3Dd%2526"},
		"https://app.example.com:8443": {"", "https://app.example.com:8443/.truxe/login?return=%2F"},
	} {
		if target, other := c.RequestedReturn(url.Values{"rd": {text}}); target != want[0] || other != want[1] {
			t.Errorf("%q: %q %q", text, target, other)
		}
	}
	for _, text := range []string{"https://app.example.com/", "http://app.example.com:8443/",
		"https://app.example.com:8443//evil.example", "https://app.example.com:8443/\\evil.example",
		"https://app.example.com:8443@evil.example/", "https://a:b@app.example.com:8443/",
		"https://app.example.com:8443\\@evil.example/", "https://evil.example/?https://app.example.com:8443/",
		"//app.example.com:8443/", "https:/app.example.com:8443/", "https:app.example.com", "HTTPS://evil.example",
		"https://app.example.com:08443/", "https://app%2eexample.com:8443/",
		"https://app.example.com:8443/ x", "https://app.example.com:8443/\r\nx: y", "\thttps://app.example.com:8443/",
		"https://app.example.com:8443/é", "javascript://app.example.com:8443/%0aalert(1)"} {
		if target, other := c.RequestedReturn(url.Values{"rd": {text}}); target != "" || other != "" &&
			!strings.HasPrefix(other, "https://app.example.com:8443/.truxe/login?return=%2F") {
			t.Errorf("%q: %q %q", text, target, other)
		} else if other != "" && text != "https://app.example.com:08443/" { // a spelling of the same port
			t.Errorf("%q is taken: %q", text, other)
		}
	}
}

// ED-22 whatever a link asks for, it leads to this host or to an origin of the configuration.
func FuzzAddressOfALink(f *testing.F) {
	for _, s := range []string{"/x", "https://app.test/x?y#z", "https://app.test@evil.test/", "//evil.test",
		"https://app.test:443/", "https://app.test\\.evil.test"} {
		f.Add(s)
	}
	c := askedAt(f, "auth.test", "https://auth.test", "https://app.test")
	base, _ := url.Parse("https://auth.test/.truxe/login")
	f.Fuzz(func(t *testing.T, s string) {
		target, other := c.RequestedReturn(url.Values{"return": {s}})
		for _, to := range []string{target, other} {
			u, err := base.Parse(to)
			if err != nil || u.Scheme != "https" || u.Host != "auth.test" && u.Host != "app.test" || u.User != nil {
				t.Fatalf("%q leads to %q (%v)", s, to, err)
			}
		}
		if other != "" && !strings.HasPrefix(other, "https://app.test/.truxe/login?return=%2F") {
			t.Fatalf("%q leads to %q", s, other)
		}
	})
}
