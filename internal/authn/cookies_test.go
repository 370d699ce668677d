package authn

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// SE-09 SE-07 ours and what looks like a chunk of ours never reach the upstream; the app's own do, byte by byte.
func TestOwnCookiesAreRemovedAndTheAppsKeepTheirBytes(t *testing.T) {
	for _, c := range []struct{ in, out string }{
		{"__Host-truxe=abc", ""},
		{"__Host-truxe=abc; __Host-truxe-flow=x;__Host-truxe-device=y", ""},
		{"__Host-truxe=abc;", ""},
		{"a=1; __Host-truxe=abc; b=\"x y\"", "a=1; b=\"x y\""},
		{"__Host-truxe=abc; a=1", "a=1"},
		{"a=1; __Host-truxe=abc", "a=1"},
		{"a=1;__Host-truxe-flow=z;;b=2", "a=1;;b=2"},
		{";a=1; __Host-truxe=x; b=2; __Host-truxe=y; c=3", ";a=1; b=2; c=3"},
		{"__HOST-Truxe=abc", ""},
		{"__Host-truxe_0=chunk; a=1", "a=1"},
		{"__Host-truxe.1=chunk; \t__host-truxe =v; a=1", "a=1"},
		// accept controls: none of these is ours
		{"a=__Host-truxe", "a=__Host-truxe"},
		{"__Host-trux=1;  __Secure-x=\"a\\\"b\" ", "__Host-trux=1;  __Secure-x=\"a\\\"b\" "},
		{"a=1", "a=1"},
		{"", ""},
	} {
		h := http.Header{"Cookie": {c.in}}
		StripCookies(h)
		if got := strings.Join(h["Cookie"], "|"); got != c.out {
			t.Errorf("StripCookies(%q) = %q, want %q", c.in, got, c.out)
		}
		if _, there := h["Cookie"]; there && c.out == "" && c.in != "" {
			t.Errorf("StripCookies(%q) left an empty Cookie header", c.in)
		}
	}
	h := http.Header{"Cookie": {"a=1", "__Host-truxe=x", "b=2; __Host-truxe-flow=y", "c=3"}}
	StripCookies(h)
	if want := []string{"a=1", "b=2", "c=3"}; !slices.Equal(h["Cookie"], want) {
		t.Errorf("several lines: %q, want %q", h["Cookie"], want)
	}
}

// SE-06 cookie tossing: two cookies of our name are counted, on one line or on two.
func TestTwoCookiesOfOneNameAreCounted(t *testing.T) {
	for in, want := range map[string]int{
		"__Host-truxe=a": 1, "__Host-truxe=a; __Host-truxe=b": 2, "__Host-truxe=a;__Host-truxe =b": 2,
		"__Host-truxe=;__Host-truxe=": 2,
		"x__Host-truxe=a":             0, "__Host-truxeX=a": 0, "__Host-truxe": 0, "__Host-truxe ": 0, "__host-truxe=a": 0,
		"": 0,
	} {
		if _, n := FindCookie(http.Header{"Cookie": {in}}, "__Host-truxe"); n != want {
			t.Errorf("FindCookie(%q) counted %d, want %d", in, n, want)
		}
	}
	lines := http.Header{"Cookie": {"__Host-truxe=a", "b=1; __Host-truxe=c"}}
	if v, n := FindCookie(lines, "__Host-truxe"); n != 2 || v != "a" {
		t.Errorf("two lines: %q %d", v, n)
	}
	// SE-08 quotes are part of the value, so it is not a value of ours
	if v, n := FindCookie(http.Header{"Cookie": {`b=2; __Host-truxe="a" ;c=3`}}, "__Host-truxe"); n != 1 || v != `"a"` {
		t.Errorf("quoted: %q %d", v, n)
	}
}

// SE-09 for any mix of cookies, what is left is exactly the app's cookies in their order.
func TestWhatIsLeftIsTheAppsCookies(t *testing.T) {
	app := rapid.SampledFrom([]string{"a=1", "theme=\"x y\"", "", " sp=1", "__Secure-q=1", "x=__Host-truxe=1", "\tt=2 "})
	our := rapid.SampledFrom([]string{"__Host-truxe=v", " __Host-truxe-flow=", "__HOST-TRUXE9=x",
		"\t__Host-truxe-device=d "})
	rapid.Check(t, func(t *rapid.T) {
		var all, apps []string
		for range rapid.IntRange(1, 8).Draw(t, "n") {
			if rapid.Bool().Draw(t, "ours") {
				all = append(all, our.Draw(t, "our"))
			} else {
				c := app.Draw(t, "app")
				all, apps = append(all, c), append(apps, c)
			}
		}
		h := http.Header{"Cookie": {strings.Join(all, ";")}}
		StripCookies(h)
		got, want := strings.Join(h["Cookie"], ""), strings.Join(apps, ";")
		if len(all) == len(apps) && got != want {
			t.Fatalf("nothing was ours, but %q became %q", want, got)
		}
		if trimLeft(got) != trimLeft(want) {
			t.Fatalf("%q became %q, want %q", all, got, want)
		}
	})
}

func FuzzStripCookies(f *testing.F) {
	f.Add("a=1; __Host-truxe=abc; b=2")
	f.Add("__host-TRUXE")
	f.Add(";;__Host-truxe;; __")
	f.Fuzz(func(t *testing.T, line string) {
		h := http.Header{"Cookie": {line}}
		StripCookies(h)
		left := strings.Join(h["Cookie"], ";")
		for part := range strings.SplitSeq(left, ";") {
			if p := strings.ToLower(strings.Trim(part, " \t")); strings.HasPrefix(p, "__host-truxe") {
				t.Fatalf("%q kept %q", line, part)
			}
		}
		StripCookies(h)
		if again := strings.Join(h["Cookie"], ";"); again != left {
			t.Fatalf("%q: a second time gives %q after %q", line, again, left)
		}
	})
}

func FuzzCookieScan(f *testing.F) {
	f.Add("a=1; __Host-truxe=abc; b=2")
	f.Add("__Host-truxe = x;__Host-truxe=y")
	f.Fuzz(func(t *testing.T, line string) {
		want := 0
		for part := range strings.SplitSeq(line, ";") {
			if name, _, ok := strings.Cut(part, "="); ok && strings.Trim(name, " \t") == "__Host-truxe" {
				want++
			}
		}
		if _, n := FindCookie(http.Header{"Cookie": {line}}, "__Host-truxe"); n != want {
			t.Fatalf("%q: counted %d, want %d", line, n, want)
		}
	})
}

const typical = "theme=dark; __Host-truxe=0123456789012345678901234567890123456789012; lang=en"

// The warm path pays nothing where nothing of ours is sent or ours is the only cookie, one string otherwise.
func TestCookieWorkStaysWithinItsAllocations(t *testing.T) {
	for _, c := range []struct {
		line string
		most float64
	}{{"theme=dark; lang=en", 0}, {"__Host-truxe=0123", 0}, {"theme=dark; __Host-truxe=0123", 0}, {typical, 1}} {
		h := http.Header{}
		lines := []string{c.line}
		n := testing.AllocsPerRun(100, func() {
			lines[0] = c.line
			h["Cookie"] = lines
			FindCookie(h, CookiePrefix)
			StripCookies(h)
		})
		if n > c.most {
			t.Errorf("%q: %v allocations, at most %v", c.line, n, c.most)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	b.ReportAllocs()
	h := http.Header{"Cookie": {typical}}
	for b.Loop() {
		FindCookie(h, CookiePrefix)
	}
}

func BenchmarkStrip(b *testing.B) {
	b.ReportAllocs()
	h, lines := http.Header{}, []string{""}
	for b.Loop() {
		lines[0] = typical
		h["Cookie"] = lines
		StripCookies(h)
	}
}
