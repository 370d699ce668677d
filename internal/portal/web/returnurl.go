package web

import (
	"net/url"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/origin"
)

// RequestedReturn reads where a link to the login page wants to lead: ?return= of our own pages and of apps, ?rd= as
// ingress-nginx appends it. target is a path on this host. other is the login page of another host of the
// configuration, which takes the visitor on from there: a sign-in ends with a ticket only on the host that it was begun
// on. Both are empty for anything else (CS-06).
func (c *Call) RequestedReturn(query url.Values) (target, other string) {
	text := query.Get("return")
	if text == "" {
		text = query.Get("rd")
	}
	if target = LocalPath(text); target != "" {
		return target, ""
	}
	to, target, ok := absoluteURL(text)
	if !ok {
		return "", ""
	}
	if to == c.Origins.Asked(c.R) {
		return target, ""
	}
	if named, ok := c.Origins.Named(to.Authority()); !ok || named != to {
		return "", ""
	}
	return "", to.String() + c.Base + "/login?return=" + url.QueryEscape(target)
}

// absoluteURL reads a URL with a scheme and a host as an origin and a path with query. It refuses whatever two parsers
// could read in two ways: user information, backslashes, control characters, spaces, and a path that LocalPath refuses.
// What follows # is dropped.
func absoluteURL(text string) (to origin.Origin, target string, ok bool) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Opaque != "" {
		return origin.Origin{}, "", false
	}
	rest, ok := strings.CutPrefix(text, u.Scheme+"://"+u.Host) // as it stands: nothing is decoded and encoded again
	if !ok {
		return origin.Origin{}, "", false
	}
	rest, _, _ = strings.Cut(rest, "#")
	if rest == "" || rest[0] == '?' {
		rest = "/" + rest
	}
	if to, err = origin.New(u.Scheme, u.Host); err != nil || LocalPath(rest) == "" {
		return origin.Origin{}, "", false
	}
	return to, rest, true
}

// IsFragment reports whether a text can follow # in an address as browsers write it: bounded, and with everything but
// printable ASCII percent-encoded.
func IsFragment(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return len(s) <= maxFragment
}

// LocalPath takes a path on this host from ?return=; anything that a browser could read as another host is refused.
func LocalPath(s string) string {
	u, err := url.Parse(s)
	if err != nil || len(s) > maxTarget || len(s) == 0 || s[0] != '/' || len(s) > 1 && (s[1] == '/' || s[1] == '\\') ||
		u.Host != "" || u.Scheme != "" {
		return ""
	}
	for _, c := range []byte(s) {
		if c <= ' ' || c == '\\' || c >= 0x7f {
			return ""
		}
	}
	return s
}
