package web

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/ratelimit"
	"github.com/truxeio/caddy-truxe/internal/rules"
)

// Bounds of questions about requests.
const (
	MaxAsked  = 8 << 10 // of a URL
	MaxMethod = 32
	checkRate = 600 // calls a minute, for each user and node
)

// CountCheck bounds how often a user asks (OP-06).
func (c *Call) CountCheck() error {
	limit, ok := c.Limits.Allow("portal check", ratelimit.Rate{Events: checkRate, Window: time.Minute},
		ratelimit.UserKey(c.Entry.Principal.UserID), c.Now())
	if !ok {
		return identity.Refuse(identity.CodeRateLimited, "Too many checks. Ask for up to 100 things in one call.").
			RetryIn(limit.RetryAfter)
	}
	return nil
}

// NewQuestion returns the caller's question about a request to a folded host. It reads method and path as a server
// reads a request line: what no server would take is refused, and how the path can be read is for the rules to say.
// authority is the host with the port that the request would name.
func (c *Call) NewQuestion(method, path, host, authority string) (rules.Question, error) {
	r, err := askedRequest(c.R, method, path, authority)
	return rules.Question{Asker: c.R, Principal: c.Entry.Principal, Client: c.Client, Host: host, Request: r}, err
}

func askedRequest(asker *http.Request, method, path, authority string) (*http.Request, error) {
	if method == "" || len(method) > MaxMethod || strings.ContainsFunc(method,
		func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r) }) {
		return nil, identity.Invalid("method is an HTTP method, such as GET.")
	}
	if !strings.HasPrefix(path, "/") || len(path) > MaxAsked ||
		strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return nil, identity.Invalid("path begins with a slash and is as in a request line, at most 8 KiB.")
	}
	u, err := url.ParseRequestURI(path)
	if err != nil {
		return nil, identity.Invalid("path is not a path of a request.")
	}
	if _, err := netip.ParseAddr(authority); err == nil && strings.Contains(authority, ":") {
		authority = "[" + authority + "]"
	}
	r := &http.Request{Method: method, URL: u, RequestURI: path, Host: authority, Header: http.Header{},
		Body:  http.NoBody,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, RemoteAddr: asker.RemoteAddr, TLS: asker.TLS}
	return r.WithContext(asker.Context()), nil
}
