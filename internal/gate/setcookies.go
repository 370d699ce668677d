package gate

import (
	"net/http"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/authn"
)

// stripSetCookies removes the Set-Cookie lines of an app's answer that a browser could take for a cookie of ours
// (CWE-384). It changes the slice only when it finds one, and allocates nothing.
func stripSetCookies(h http.Header) {
	lines := h["Set-Cookie"]
	first := 0
	for first < len(lines) && !setsOurCookie(lines[first]) {
		first++
	}
	if first == len(lines) {
		return
	}
	kept := lines[:first]
	for _, line := range lines[first+1:] {
		if !setsOurCookie(line) {
			kept = append(kept, line)
		}
	}
	if len(kept) == 0 {
		delete(h, "Set-Cookie")
		return
	}
	h["Set-Cookie"] = kept
}

// setsOurCookie reports whether a Set-Cookie line names a cookie of ours. Browsers cut white space before the name,
// send a line without a name as its value alone ("=__Host-truxe=x", RFC 6265bis section 5.6), and Apple's read a comma
// as the start of another cookie.
func setsOurCookie(line string) bool {
	for {
		start := 0
		for start < len(line) && (line[start] <= ' ' || line[start] == '=' || line[start] == ';') {
			start++
		}
		line = line[start:]
		if len(line) >= len(authn.CookiePrefix) && strings.EqualFold(line[:len(authn.CookiePrefix)], authn.CookiePrefix) {
			return true
		}
		comma := strings.IndexByte(line, ',')
		if comma < 0 {
			return false
		}
		line = line[comma+1:]
	}
}
