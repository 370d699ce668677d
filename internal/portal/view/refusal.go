package view

import (
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Denied is the 403 of a signed-in person. It names no role and no rule.
type Denied struct {
	Viewer Viewer
	Host   string
	Path   string // of the request; shortened when long
	Code   identity.Code
	// Reason is the rule's own words for users; empty: the words of the code.
	Reason    string
	Reference string
	// SwitchURL is where another account signs in; empty: {base}/login?switch=1.
	SwitchURL string
}

func (p Denied) meta() meta {
	return meta{name: "denied", title: "denied.title", failed: true, viewer: p.Viewer}
}

// Where is host and path, short enough to read.
func (p Denied) Where() string { return shorten(p.Host+p.Path, 80) }

// Why is the key of the code's words.
func (p Denied) Why() string {
	if key := "why." + string(p.Code); english[key].other != "" {
		return key
	}
	return "why.rule_denied"
}

// Next is the key of what to do, "" for nothing.
func (p Denied) Next() string {
	if key := codeKey(p.Code) + ".next"; english[key].other != "" {
		return key
	}
	return ""
}

func shorten(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}

// SessionEnded is the 401 of a form whose session is over. It answers the form's own request, so that a reload after
// signing in sends the same body again (UX section 1.2).
type SessionEnded struct {
	// LoginURL opens in a second tab.
	LoginURL string
	// Resubmit offers "Submit again": only for a form of the same site. A cross-site one could be forged.
	Resubmit  bool
	Host      string
	Reference string
}

func (p SessionEnded) meta() meta {
	return meta{name: "ended", title: "ended.title", failed: true}
}

// FrameSignIn is the small 401 page inside an app's frame.
type FrameSignIn struct {
	LoginURL string
	Host     string
}

func (p FrameSignIn) meta() meta {
	return meta{name: "frame", title: "frame.title", failed: true, framed: true}
}

// ErrorPage says what went wrong. With a Code its words come from the shared table, with a Status alone from the
// status.
type ErrorPage struct {
	Viewer Viewer
	Status int
	Code   identity.Code
	// Detail replaces the code's words, when it is safe to show (identity.Error.Detail).
	Detail     string
	Reference  string
	RetryAfter time.Duration
	// Sent says that a form was sent to an app that is down: only a reload sends it again.
	Sent bool
	// TryAgain is where "Try again" leads; empty: the same address for a status worth trying again, else nothing.
	TryAgain string
}

func (p ErrorPage) meta() meta {
	return meta{name: "error", title: p.Key() + ".title", failed: true, viewer: p.Viewer, retry: p.RetryAfter}
}

// Key is the prefix of the page's words.
func (p ErrorPage) Key() string {
	if p.Code != "" {
		return codeKey(p.Code)
	}
	switch p.Status {
	case http.StatusBadRequest:
		return "code.invalid_request"
	case http.StatusUnauthorized:
		return "code.login_required"
	case http.StatusForbidden:
		return "code.forbidden"
	case http.StatusNotFound:
		return "code.not_found"
	case http.StatusMethodNotAllowed:
		return "code.method_not_allowed"
	case http.StatusTooManyRequests:
		return "code.rate_limited"
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return "code.app_down"
	case http.StatusServiceUnavailable:
		return "code.state_unavailable"
	}
	return "code.internal_error"
}

// HasNext reports whether the table says what to do next.
func (p ErrorPage) HasNext() bool { return english[p.Key()+".next"].other != "" }

// Again reports whether the same request may work later.
func (p ErrorPage) Again() bool {
	if p.Sent {
		return false
	}
	switch p.Status {
	case http.StatusTooEarly, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return link(p.TryAgain) != ""
}
