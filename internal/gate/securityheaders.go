package gate

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/loopback"
)

// Values of `security_headers on`. They follow the OWASP Secure Headers Project as far as an app that never heard of
// them goes on working: no policy on scripts, no Cross-Origin-Opener-, -Embedder- or -Resource-Policy, no
// Permissions-Policy.
const (
	noSniff         = "nosniff"
	referrerPolicy  = "strict-origin-when-cross-origin" // not no-referrer: apps compare Referer against forgery
	sameOriginFrame = "SAMEORIGIN"
	frameAncestors  = "frame-ancestors 'self'"
	twoYearsHTTPS   = "max-age=63072000" // no includeSubDomains: the names below may be another owner's
)

// addSecurityHeaders adds what the app's answer leaves unsaid.
func addSecurityHeaders(h http.Header, https bool) {
	a := adder{header: h}
	a.add("X-Content-Type-Options", noSniff)
	a.add("Referrer-Policy", referrerPolicy)
	if https {
		a.add("Strict-Transport-Security", twoYearsHTTPS)
	}
	// frame-ancestors outranks X-Frame-Options (CSP 3 section 6.4.2), so an app that says either has said it
	if len(h["X-Frame-Options"]) > 0 || hasFrameAncestors(h["Content-Security-Policy"]) {
		return
	}
	a.add("X-Frame-Options", sameOriginFrame)
	a.add("Content-Security-Policy", frameAncestors)
}

// adder adds headers that are not there. Their values have one array for the answer, never shared with another: other
// handlers edit header values in place.
type adder struct {
	header http.Header
	values []string
}

func (a *adder) add(name, value string) {
	if len(a.header[name]) > 0 {
		return
	}
	if a.values == nil {
		a.values = make([]string, 0, 5)
	}
	n := len(a.values)
	a.values = append(a.values, value)
	a.header[name] = a.values[n : n+1 : n+1]
}

// hasFrameAncestors reports whether a policy says who may frame the page. Directive names have no case.
func hasFrameAncestors(policies []string) bool {
	for _, p := range policies {
		if strings.Contains(strings.ToLower(p), "frame-ancestors") {
			return true
		}
	}
	return false
}

// sendsHSTS reports whether Strict-Transport-Security makes sense for a request's host: the connection is https, and
// the name is neither an address, for which browsers ignore it (RFC 6797 section 8.1.1), nor this machine, where it
// would lock users out of other servers.
func sendsHSTS(r *http.Request, c Client) bool {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return false
	}
	return !loopback.Host(host) && c.Secure(r)
}
