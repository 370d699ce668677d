package cookie

import (
	"net/http"
	"strings"
	"testing"
)

// SE-09 SE-06 SE-07: ours never reach the upstream, the app's own do, byte by byte.
func TestOwnCookiesAreRemovedAndTheAppsKeepTheirBytes(t *testing.T) {
	for _, c := range []struct{ in, out string }{
		{"__Host-truxe=abc", ""},
		{"a=1; __Host-truxe=abc; b=\"x y\"", "a=1; b=\"x y\""},
		{"__Host-truxe=abc; a=1", "a=1"},
		{"a=1;__Host-truxe-flow=z;;b=2", "a=1;;b=2"},
		{"__HOST-Truxe=abc", ""},
		{"__Host-truxe_0=chunk; a=1", "a=1"},
		{"a=__Host-truxe", "a=__Host-truxe"},
		{"a=1", "a=1"},
	} {
		h := http.Header{"Cookie": {c.in}}
		Strip(h)
		if got := strings.Join(h["Cookie"], "|"); got != c.out {
			t.Errorf("Strip(%q) = %q, want %q", c.in, got, c.out)
		}
	}
}

// SE-06 cookie tossing: two cookies of our name are counted, on one line or on two.
func TestTwoCookiesOfOneNameAreCounted(t *testing.T) {
	for in, want := range map[string]int{"__Host-truxe=a": 1, "__Host-truxe=a; __Host-truxe=b": 2, "x__Host-truxe=a": 0, "__Host-truxeX=a": 0, "": 0} {
		if _, n := Find(http.Header{"Cookie": {in}}, "__Host-truxe"); n != want {
			t.Errorf("Find(%q) counted %d, want %d", in, n, want)
		}
	}
	if v, n := Find(http.Header{"Cookie": {"__Host-truxe=a", "b=1; __Host-truxe=c"}}, "__Host-truxe"); n != 2 || v != "a" {
		t.Errorf("two lines: %q %d", v, n)
	}
}

func FuzzStripCookies(f *testing.F) {
	f.Add("a=1; __Host-truxe=abc; b=2")
	f.Add("__host-TRUXE")
	f.Fuzz(func(t *testing.T, line string) {
		h := http.Header{"Cookie": {line}}
		Strip(h)
		for _, l := range h["Cookie"] {
			for part := range strings.SplitSeq(l, ";") {
				if p := strings.ToLower(strings.Trim(part, " \t")); strings.HasPrefix(p, "__host-truxe") {
					t.Fatalf("%q kept %q", line, part)
				}
			}
		}
	})
}

func BenchmarkFindAndStrip(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		h := http.Header{"Cookie": {"theme=dark; __Host-truxe=0123456789012345678901234567890123456789012; lang=en"}}
		Find(h, "__Host-truxe")
		Strip(h)
	}
}
