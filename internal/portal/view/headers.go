package view

import (
	"net/http"
	"strings"
)

// Trusted Types need no policy: the module has no HTML sink. Redirects after a form are checked against form-action
// too, which is why a sign-in ends on the Continue page and not in a redirect.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// framedPolicy is for the one page that is shown in a frame, of the app's or of another host's page: a dashboard shows
// apps of other hosts. All it holds is a link that opens at the top, so a click that was stolen leads to our login
// page.
var framedPolicy = strings.Replace(policy, "frame-ancestors 'none'", "frame-ancestors *", 1)

// permissions leaves passkeys to ourselves and takes the rest away.
const permissions = "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), " +
	"midi=(), payment=(), usb=(), publickey-credentials-create=(self), publickey-credentials-get=(self)"

// SecurityHeaders sets what every answer of the portal says: pages, JSON and redirects alike. loopback leaves out HSTS,
// which would lock users out of other servers on their own machine.
func SecurityHeaders(h http.Header, loopback bool) {
	h.Set("Content-Security-Policy", policy)
	// Not no-referrer: that makes browsers send "Origin: null" with our own forms.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", permissions)
	if !loopback {
		h.Set("Strict-Transport-Security", "max-age=63072000") // two years
	}
}
