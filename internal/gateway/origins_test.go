package gateway

import (
	"slices"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/origin"
)

// called are the origins of a site.
func called(texts ...string) []origin.Origin {
	var list []origin.Origin
	for _, text := range texts {
		o, err := origin.ParsePublic(text)
		if err != nil {
			panic(err)
		}
		list = append(list, o)
	}
	return list
}

// ED-21 R13: issuers, links and books are made of what the configuration names, and of nothing else.
func TestOwnURLsAreOfTheConfiguration(t *testing.T) {
	sites := []SiteInfo{
		{Host: ""},
		{Host: "*.wild.test", Origins: called("https://*.wild.test:8443")},
		{Host: "app.test", Origins: called("https://app.test:8443", "https://app.test")},
		{Host: "verify.test", Origins: called("https://verify.test"), ForwardHosts: []string{"one.test", "two.test"},
			ForwardOrigins: called("https://two.test:9443")},
	}
	forwards := []string{"https://one.test", "https://two.test:9443"}
	for name, c := range map[string]struct {
		cfg     Config
		main    string
		issuers []string
		called  map[string]string
	}{
		"sites": {Config{Sites: sites}, "https://app.test:8443",
			append(forwards, "https://*.wild.test:8443", "https://app.test:8443", "https://app.test", "https://verify.test"),
			map[string]string{"a.wild.test": "https://a.wild.test:8443", "app.test": "https://app.test:8443",
				"one.test": "https://one.test", "two.test": "https://two.test:9443", "evil.test": "", "": ""}},
		"a portal": {Config{Sites: sites, Portal: "verify.test"}, "https://verify.test", []string{"https://verify.test"},
			nil},
		"a portal mapped outside": {Config{Sites: sites, Portal: "verify.test",
			PortalOrigin: called("https://verify.test:7443")[0]}, "https://verify.test:7443",
			[]string{"https://verify.test:7443"}, map[string]string{"verify.test": "https://verify.test:7443"}},
		"a portal of a wildcard": {Config{Sites: sites[1:2], Portal: "auth.wild.test"}, "https://auth.wild.test:8443",
			[]string{"https://auth.wild.test:8443"}, nil},
		"a named issuer": {Config{Sites: sites, JWT: JWT{Issuer: "https://iss.test"}}, "https://app.test:8443",
			[]string{"https://iss.test"}, nil},
		"no name": {Config{Sites: sites[:1]}, "", []string{"https://localhost"},
			map[string]string{"localhost": ""}},
	} {
		if got := c.cfg.mainOrigin(); got != c.main {
			t.Errorf("%s: the main origin is %q, want %q", name, got, c.main)
		}
		if got := c.cfg.issuers(); !slices.Equal(got, c.issuers) {
			t.Errorf("%s: issuers %q, want %q", name, got, c.issuers)
		}
		if g := (&Gateway{cfg: c.cfg, origins: c.cfg.origins()}); c.cfg.Portal != "" &&
			g.issuerOf("app.test") != c.issuers[0] {
			t.Errorf("%s: tokens have the issuer %q, want %q", name, g.issuerOf("app.test"), c.issuers[0])
		}
		for host, want := range c.called {
			if got := c.cfg.originOf(host); got != want {
				t.Errorf("%s: %q is called %q, want %q", name, host, got, want)
			}
		}
	}
}
