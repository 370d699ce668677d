package origin

import (
	"net/http"
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
		{"app.example.com", "https://app.example.com:8443"}, // the first one
		{"APP.example.com.:8443", "https://app.example.com:8443"},
		{"app.example.com:443", "https://app.example.com"},
		{"app.example.com:9999", "https://app.example.com:8443"}, // a port of nobody is not believed
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
		if got := b.Same(&http.Request{Host: c.host}, c.header); got != c.want {
			t.Errorf("Host %q, Origin %q: %v", c.host, c.header, got)
		}
	}
}

// ED-21: what is not an origin is refused, and what is has one spelling.
func FuzzOrigin(f *testing.F) {
	for _, s := range []string{"https://app.example.com", "http://[::1]:80", "https://a:443", "https://a:0", "https://a@b", "//a", "https://a/b", "https://a?", "https://é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
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
