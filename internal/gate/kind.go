package gate

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/loopback"
	"github.com/truxeio/caddy-truxe/internal/origin"
)

// Kind is what a request without a credential is answered by (CONTRACT section 3).
type Kind uint8

// The kinds, in the order of the contract's table.
const (
	KindAPI       Kind = iota // fetch, XHR, SSE, images, curl: 401 problem+json
	KindNavigate              // top-level GET or HEAD: 302 to the login page
	KindFrame                 // in a frame: 401 with a target=_top link
	KindPost                  // navigation with a body, same origin or site: 401 page with "Submit again"
	KindPostCross             // the same from another site: no "Submit again", a forged form would need only a click
	KindWebSocket             // a browser's WebSocket cannot follow a redirect
	KindPreflight             // CORS preflight
)

// kindOf returns the kind by which the request is answered. The book says what the hosts are called outside.
func (r *request) kindOf(hosts *origin.Book) Kind {
	if !r.sorted {
		r.kind, r.sorted = r.sort(hosts), true
	}
	return r.kind
}

// sort finds the kind by the Fetch Metadata, or by Accept where a client sends none (UX section 1.3).
func (r *request) sort(hosts *origin.Book) Kind {
	if r.socket {
		return KindWebSocket
	}
	h := r.Header
	if r.Method == http.MethodOptions && first(h, "Access-Control-Request-Method") != "" && first(h, "Origin") != "" {
		return KindPreflight
	}
	mode, known := first(h, "Sec-Fetch-Mode"), fetchMetadata(h)
	safe := r.Method == http.MethodGet || r.Method == http.MethodHead
	if !known {
		switch {
		case !acceptsHTML(h):
			return KindAPI
		case safe:
			return KindNavigate
		case isForm(h):
			return oldPost(r.Request, hosts)
		}
		return KindAPI
	}
	if mode != "navigate" {
		return KindAPI
	}
	switch first(h, "Sec-Fetch-Dest") {
	case "iframe", "frame", "embed", "object", "fencedframe":
		return KindFrame
	}
	if safe {
		return KindNavigate
	}
	switch first(h, "Sec-Fetch-Site") {
	case "same-origin", "none":
		return KindPost
	case "same-site":
		if !insecureOrigin(r.Request) {
			return KindPost
		}
	}
	return KindPostCross
}

// isForm reports whether a request is what a form of a page sends: one of the three types of HTML forms, and not from a
// script, whose libraries say so.
func isForm(h http.Header) bool {
	if len(h["X-Requested-With"]) > 0 {
		return false
	}
	media, _, _ := strings.Cut(first(h, "Content-Type"), ";")
	switch strings.ToLower(strings.TrimSpace(media)) {
	case "application/x-www-form-urlencoded", "multipart/form-data", "text/plain":
		return true
	}
	return false
}

// oldPost sorts the form of a browser without Fetch Metadata by where it says that the form's page is. Only a page of
// the same host makes it one that may be submitted again.
func oldPost(r *http.Request, hosts *origin.Book) Kind {
	from := first(r.Header, "Origin")
	if from == "" {
		u, err := url.Parse(first(r.Header, "Referer"))
		if err != nil {
			return KindPostCross
		}
		from = u.Scheme + "://" + u.Host
	}
	if hosts.Here(r, from) {
		return KindPost
	}
	return KindPostCross
}

// isWebSocket reports whether a request opens a WebSocket: by the upgrade of HTTP/1.1 or the extended CONNECT of HTTP/2
// and 3 (RFC 8441, RFC 9220), which only reverse_proxy turns into a GET. Where another proxy asks about one, Upgrade
// and Connection are gone, being of its own connection; what no script can write (Sec-*) is still there.
func isWebSocket(r *http.Request) bool {
	h := r.Header
	if r.Method == http.MethodConnect && (r.Proto == "websocket" || first(h, ":protocol") == "websocket") {
		return true
	}
	return strings.EqualFold(first(h, "Upgrade"), "websocket") || first(h, "Sec-Fetch-Mode") == "websocket" ||
		len(h["Sec-Websocket-Key"]) > 0 || len(h["Sec-Websocket-Version"]) > 0
}

// insecureOrigin reports whether a page on http made a request to a site on https. Browsers that do not look at schemes
// yet call it the same site, but such a page is whoever is on the wire.
func insecureOrigin(r *http.Request) bool {
	plain := r.TLS == nil && loopback.Host(r.Host)
	return !plain && strings.HasPrefix(first(r.Header, "Origin"), "http:")
}

// fetchMetadata reports whether the client is a browser that says what kind of request it makes.
func fetchMetadata(h http.Header) bool {
	return len(h["Sec-Fetch-Mode"]) > 0 || len(h["Sec-Fetch-Dest"]) > 0 || len(h["Sec-Fetch-Site"]) > 0
}

func acceptsHTML(h http.Header) bool {
	for _, line := range h["Accept"] {
		for part := range strings.SplitSeq(line, ",") {
			media, _, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(media), "text/html") {
				return true
			}
		}
	}
	return false
}

// first reads a header by its canonical name without the cost of canonicalising it again.
func first(h http.Header, canonical string) string {
	if v := h[canonical]; len(v) > 0 {
		return v[0]
	}
	return ""
}
