package gateway

import "testing"

// CS-08: where the link of a mail leads is the configuration's to say.
func TestLinksOfMailsComeFromTheConfiguration(t *testing.T) {
	sites := []SiteInfo{{Host: "a.test", Origins: called("https://a.test")},
		{Host: "b.test", Origins: called("https://b.test:8443")}, {Host: ""}}
	for _, c := range []struct {
		cfg        Config
		host, want string
	}{
		{Config{Sites: sites}, "b.test", "https://b.test:8443"},
		{Config{Sites: sites}, "evil.example", "https://a.test"},
		{Config{Sites: sites}, "", "https://a.test"},
		{Config{Sites: sites, Portal: "b.test"}, "a.test", "https://b.test:8443"},
		{Config{Sites: sites[2:]}, "evil.example", ""},
	} {
		if got := c.cfg.noticeOrigin(c.cfg.origins(), c.host); got != c.want {
			t.Errorf("%q with portal %q leads to %q, want %q", c.host, c.cfg.Portal, got, c.want)
		}
	}
}
