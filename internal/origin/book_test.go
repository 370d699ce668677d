package origin

import (
	"net/http"
	"slices"
	"testing"
)

func must(t testing.TB, text string) Origin {
	t.Helper()
	o, err := Parse(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return o
}

// ED-21: a host has one origin, with the configured scheme and port; what the client says adds nothing.
func TestOriginsComeFromTheConfiguration(t *testing.T) {
	b := NewBook([]Site{
		{"app.example.com", must(t, "https://app.example.com:8443")},
		{"app.example.com", must(t, "https://app.example.com")},
		{"*.example.com", must(t, "https://x.example.com:9443")},
		{"", Origin{}},
	})
	for _, c := range []struct{ host, want string }{
		{"app.example.com", "https://app.example.com"}, // browsers leave out the scheme's own port
		{"APP.example.com.:8443", "https://app.example.com:8443"},
		{"app.example.com:443", "https://app.example.com"},
		{"app.example.com:9999", "https://app.example.com:8443"}, // an unknown port is not believed
		{"other.example.com", "https://other.example.com:9443"},
		{"a.b.example.com", ""}, // a wildcard is one label
		{"example.com", ""},
		{"evil.example", ""},
		{"app.example.com@evil.example", ""},
		{"", ""},
	} {
		if o, ok := b.Named(c.host); o.String() != c.want || ok != (c.want != "") {
			t.Errorf("%q is called %q, want %q", c.host, o, c.want)
		}
	}
	if o, ok := (*Book)(nil).Named("app.example.com"); ok {
		t.Errorf("no configuration names %q", o)
	}
}

// ED-21: patterns mean what Caddy's host matcher means; what a link is made of is the main origin.
func TestPatternsOfHosts(t *testing.T) {
	b := NewBook([]Site{
		{"*.example.com", must(t, "https://x.example.com:9443")},
		{"*.example.com", must(t, "https://x.example.com")},
		{"*.*.example.com", must(t, "https://x.example.com")},
		{"eu.*.example.net", must(t, "https://x.example.com")},
		{"{env.HOST}", must(t, "https://x.example.com")},
		{"*.0.0.1", must(t, "https://x.example.com")},
	})
	for _, c := range []struct{ host, main string }{
		{"a.example.com", "https://a.example.com:9443"},
		{"a.b.example.com", "https://a.b.example.com"},
		{"eu.a.example.net", "https://eu.a.example.net"},
		{"us.a.example.net", ""},
		{"127.0.0.1", ""},
		{"::1", ""},
		{"example.com", ""},
		{"", ""},
	} {
		o, ok := b.Main(c.host)
		if o.String() != c.main || ok != (c.main != "") {
			t.Errorf("%q is called %q, want %q", c.host, o, c.main)
		}
		if ok && !slices.Contains(b.All(o.Host), o) {
			t.Errorf("%q is not named", o)
		}
	}
	for _, o := range []Origin{must(t, "http://a.example.com"), must(t, "https://a.example.com:1"), {}} {
		if slices.Contains(b.All(o.Host), o) {
			t.Errorf("%v is named, which the configuration does not have", o)
		}
	}
}

// ED-21: what the configuration may say.
func TestOriginsOfTheConfiguration(t *testing.T) {
	for text, want := range map[string]string{
		"https://app.example.com": "app.example.com", "https://app.example.com:8443": "app.example.com",
		"https://*.example.com:8443": "*.example.com",
		"http://localhost:8080":      "localhost", "http://[::1]:8080": "::1",
		"http://app.example.com": "", "app.example.com": "", "https://": "", "https://*": "", "https://a.*.example.com": "",
		"https://app.example.com/x": "", "": "",
	} {
		if o, err := ParsePublic(text); (err == nil) != (want != "") || o.Host != want {
			t.Errorf("%q: %v, %v", text, o, err)
		}
	}
}

// ED-05: http is another origin than https, and so is another port; the default port may be written or not.
func TestOriginHeaderMustBeTheHostsOwn(t *testing.T) {
	b := NewBook([]Site{{"app.example.com", must(t, "https://app.example.com")}})
	for _, c := range []struct {
		host, header string
		want         bool
	}{
		{"app.example.com", "https://app.example.com", true},
		{"app.example.com:443", "https://app.example.com", true},
		{"app.example.com", "https://app.example.com:443", true},
		{"app.example.com", "http://app.example.com", false},
		{"app.example.com", "https://app.example.com:8443", false},
		{"app.example.com", "https://app.example.com/", false},
		{"app.example.com", "https://evil.example", false},
		{"app.example.com", "null", false},
		{"app.example.com", "", false},
		{"catchall.example:8443", "https://catchall.example:8443", true},
		{"catchall.example", "http://catchall.example", false},
		{"localhost:8080", "http://localhost:8080", true},
		{"bad host", "https://bad host", false},
		{"", "", false},
	} {
		if got := b.same(&http.Request{Host: c.host}, c.header); got != c.want {
			t.Errorf("Host %q, Origin %q: %v", c.host, c.header, got)
		}
	}
}

// ED-21: what is not an origin is refused, and what is has one spelling.
func FuzzOrigin(f *testing.F) {
	for _, s := range []string{"https://app.example.com", "http://[::1]:80", "https://a:443", "https://a:0", "https://a@b",
		"//a", "https://a/b", "https://a?", "https://é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if o, err := ParsePublic(s); (err == nil) != (o != Origin{}) || err == nil && o.Host == "" {
			t.Fatalf("%q: %q, %v", s, o, err)
		}
		o, err := Parse(s)
		if err != nil {
			if o != (Origin{}) {
				t.Fatalf("%q: an error with %q", s, o)
			}
			return
		}
		if again, err := Parse(o.String()); err != nil || again != o {
			t.Fatalf("%q: %q is read as %q, %v", s, o, again, err)
		}
	})
}
