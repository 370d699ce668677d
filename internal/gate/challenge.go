package gate

import (
	"net/http"
	"strings"
)

// basicChallenge is answered with a token as the password; the realm is what a client shows to its user (RFC 7617).
const basicChallenge = `Basic realm="Use an access token as the password", charset="UTF-8"`

// challenge sets the WWW-Authenticate of a 401. Clients that are no browser also get a Basic challenge: git, WebDAV and
// curl send what they were given only when they are asked for it.
func challenge(h http.Header, r *request, bearer string) {
	h.Set("WWW-Authenticate", bearer)
	if answersBasic(r) {
		h.Add("WWW-Authenticate", basicChallenge)
	}
}

// answersBasic reports whether a Basic challenge helps the client that sent a request. A browser would show its native
// prompt, for pages, images and scripts alike, so anything that only browsers send means no, and so does a client that
// does not say what it is.
func answersBasic(r *request) bool {
	h := r.Header
	for name := range h {
		if strings.HasPrefix(name, "Sec-") {
			return false // Fetch Metadata, client hints, WebSockets: names that scripts cannot set (Fetch section 2.2.2)
		}
	}
	for _, name := range []string{"Origin", "Referer", "X-Requested-With", "Upgrade-Insecure-Requests", "Dnt",
		"Access-Control-Request-Method"} {
		if len(h[name]) > 0 {
			return false
		}
	}
	return !r.socket && !acceptsHTML(h) && !browserAgent(first(h, "User-Agent"))
}

// browserAgents are words in the User-Agent of everything that renders pages and prompts its user for a password. All
// graphical browsers since 1995 call themselves Mozilla; the rest are text browsers and those of old phones.
var browserAgents = []string{"mozilla", "opera", "webkit", "gecko", "msie", "browser", "lynx", "links", "w3m", "dillo",
	"netsurf", "konqueror", "netfront", "nokia", "blackberry", "samsung", "maui"}

func browserAgent(agent string) bool {
	if strings.TrimSpace(agent) == "" {
		return true
	}
	agent = strings.ToLower(agent)
	for _, word := range browserAgents {
		if strings.Contains(agent, word) {
			return true
		}
	}
	return false
}
