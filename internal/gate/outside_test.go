package gate

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/ratelimit"
)

// A client's headers choose the form of an answer. Only GET and HEAD are led to the login page, and a form is offered
// again only when its page is of the same host.
func FuzzKindOf(f *testing.F) {
	f.Add("GET", "navigate", "document", "none", "text/html", "", "")
	f.Add("POST", "navigate", "document", "same-origin", "text/html", "", "https://app.test")
	f.Add("POST", "", "", "", "text/html", "text/plain", "https://app.test")
	f.Add("POST", "", "", "", "text/html", "multipart/form-data; boundary=x", "http://app.test")
	f.Add("OPTIONS", "cors", "empty", "cross-site", "*/*", "", "https://spa.test")
	f.Add("GET", "websocket", "empty", "same-origin", "", "", "https://app.test")
	f.Fuzz(func(t *testing.T, method, mode, dest, site, accept, content, origin string) {
		r := httptest.NewRequest(http.MethodGet, "https://app.test/x", nil)
		r.Method = method
		for name, value := range map[string]string{"Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest, "Sec-Fetch-Site": site,
			"Accept": accept, "Content-Type": content, "Origin": origin} {
			if value != "" {
				r.Header[name] = []string{value}
			}
		}
		kind := (&request{Request: r, socket: isWebSocket(r)}).kindOf(nil)
		page, err := url.Parse(origin)
		safe := method == http.MethodGet || method == http.MethodHead
		switch {
		case kind > KindPreflight,
			kind == KindNavigate && !safe,
			kind == KindPreflight && method != http.MethodOptions,
			(kind == KindPost || kind == KindPostCross) && safe,
			kind == KindPost && site == "cross-site",
			kind == KindPost && mode+dest+site == "" && (err != nil || !strings.EqualFold(page.Host, "app.test")):
			t.Errorf("%s %q %q %q %q: kind %d", method, mode, dest, site, origin, kind)
		}
	})
}

// An address is of one form however it is written, and its key for a limiter is bounded: IPv4 alone, IPv6 by its /64.
func FuzzAddress(f *testing.F) {
	for _, text := range []string{"192.0.2.1", "192.0.2.1:80", "::ffff:192.0.2.1", "[::ffff:192.0.2.1]:80", "2001:db8::1",
		"[2001:db8::1%eth0]:1", "fe80::1%eth0", "", "x", "@"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		addr := authn.ParseAddress(text)
		key := ratelimit.Source(addr)
		if addr.Is4In6() || addr.Zone() != "" {
			t.Errorf("%q is read as %s", text, addr)
		}
		if addr.IsValid() && (authn.ParseAddress(addr.String()) != addr ||
			authn.ParseAddress(netip.AddrPortFrom(addr, 7).String()) != addr) {
			t.Errorf("%q is read as %s, which is read as another", text, addr)
		}
		if _, err := netip.ParseAddr(key); err == nil || key == "" {
			return
		}
		if p, err := netip.ParsePrefix(key); err != nil || p.Bits() != 64 || p.Masked() != p {
			t.Errorf("%q has the key %q", text, key)
		}
	})
}
