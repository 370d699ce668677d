package gate

import (
	"reflect"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/rules"
)

func compiled(t *testing.T, c SiteConfig, all *Sites) *Site {
	t.Helper()
	s, err := all.Compile(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ED-12 a reload sets the same sites up again, servers in any order, and copies of sites for questions among them: a
// site keeps the name under which its requests are counted, and sites that are alike keep theirs apart.
func TestSitesKeepTheirLimits(t *testing.T) {
	limited := SiteConfig{RateLimit: &RateLimit{Events: 3, Window: time.Hour}}
	names := func(copies int, listeners ...string) map[string][]string {
		sites, all := NewSites(rules.NewBook(nil)), map[string][]string{}
		for range copies {
			compiled(t, limited, sites)
		}
		for _, listener := range listeners {
			for range 2 {
				s := compiled(t, limited, sites)
				s.CountRequests(listener)
				all[listener] = append(all[listener], s.limit)
			}
		}
		return all
	}
	first := names(0, ":443", ":8443")
	for _, again := range []map[string][]string{names(2, ":443", ":8443"), names(5, ":8443", ":443")} {
		if !reflect.DeepEqual(first, again) {
			t.Errorf("%q became %q", first, again)
		}
	}
	seen := map[string]bool{}
	for _, list := range first {
		for _, name := range list {
			if name == "" || seen[name] {
				t.Errorf("%q is of two sites", name)
			}
			seen[name] = true
		}
	}
	if s := compiled(t, SiteConfig{}, NewSites(rules.NewBook(nil))); s.limit != "" {
		t.Errorf("control: a site without a limit counts as %q", s.limit)
	}
}
