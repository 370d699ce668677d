package gate

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/authn"
)

// ED-31 CWE-384: lines that browsers could take for our cookies, and lines that only look like them.
func TestSetCookieLinesOfOurs(t *testing.T) {
	ours := []string{"__Host-truxe=1", "__Host-truxe-flow=1; Path=/", "__Host-truxe-device=1", "\t __HOST-Truxe = 1",
		"=__Host-truxe=1", "= =__Host-truxe=1",
		"__Host-truxe", "; __Host-truxe=1", "a=1, __Host-truxe=1; Path=/", "\x00__Host-truxe=1", "__Host-truxe2=1"}
	kept := []string{"sid=1", "__Host-app=1", "__Host-trux=1", "x__Host-truxe=1", "x=__Host-truxe", "a=1; b=__Host-truxe",
		"", "=", ",", "__Secure-truxe=1"}
	h := http.Header{}
	for i := range max(len(ours), len(kept)) {
		if i < len(ours) {
			h.Add("Set-Cookie", ours[i])
		}
		if i < len(kept) {
			h.Add("Set-Cookie", kept[i])
		}
	}
	if stripSetCookies(h); !slices.Equal(h["Set-Cookie"], kept) {
		t.Errorf("%q stay, want %q", h["Set-Cookie"], kept)
	}
	for _, line := range ours {
		h := http.Header{"Set-Cookie": {line}}
		if stripSetCookies(h); len(h) != 0 {
			t.Errorf("%q stays", line)
		}
	}
	if n := testing.AllocsPerRun(100, func() { stripSetCookies(h) }); n != 0 {
		t.Errorf("%v allocations without a cookie of ours", n)
	}
}

// Whatever a browser by the book (RFC 6265bis section 5.6) reads as our cookie is gone; what remains is untouched.
func FuzzStripSet(f *testing.F) {
	f.Add("__Host-truxe=1; Path=/", "sid=2")
	f.Add(" =\t__host-truxe", "a=1, __Host-truxe=x")
	f.Fuzz(func(t *testing.T, one, two string) {
		h := http.Header{"Set-Cookie": {one, two}}
		stripSetCookies(h)
		for _, line := range h["Set-Cookie"] {
			if line != one && line != two {
				t.Fatalf("%q became %q", []string{one, two}, line)
			}
			pair, _, _ := strings.Cut(line, ";")
			name, value, found := strings.Cut(pair, "=")
			sent := strings.Trim(name, " \t")
			if found && sent == "" {
				sent = strings.Trim(value, " \t") // the value alone
			}
			if len(sent) >= len(authn.CookiePrefix) && strings.EqualFold(sent[:len(authn.CookiePrefix)], authn.CookiePrefix) {
				t.Fatalf("%q stays", line)
			}
		}
	})
}
