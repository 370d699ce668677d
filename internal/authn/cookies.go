package authn

import (
	"net/http"
	"strings"
)

// Cookies are read and removed by scanning the Cookie header: building net/http's list of all cookies costs twenty
// times as much. The app's own cookies keep their bytes.

// CookiePrefix begins the name of every cookie of ours. Anything that begins with it, in any case, is removed before
// the upstream, so a cookie that looks like a chunk of ours is ignored and never passed on (SE-07).
const CookiePrefix = "__Host-truxe"

// FindCookie returns the first value of a cookie and how many of that name were sent, over all Cookie lines (HTTP/2 may
// send one line per cookie, RFC 9113 8.2.3). Two or more mean unauthenticated (SE-06). Names compare exactly; quotes
// stay in the value.
func FindCookie(h http.Header, name string) (value string, count int) {
	for _, line := range h["Cookie"] {
		for line != "" {
			var part string
			part, line, _ = strings.Cut(line, ";")
			part = trim(part)
			if len(part) <= len(name) || part[:len(name)] != name {
				continue
			}
			rest := part[len(name):]
			if rest[0] != '=' { // "name =v": servers trim the name, so it counts as a second one of it
				if rest = strings.TrimLeft(rest, " \t"); rest == "" || rest[0] != '=' {
					continue
				}
			}
			if count == 0 {
				value = rest[1:]
			}
			count++
		}
	}
	return value, count
}

// StripCookies removes our cookies (SE-09). Without any it changes and allocates nothing; a line is copied only when
// the app has cookies on both sides of ours. It works in the header's own slice, which belongs to this request alone.
func StripCookies(h http.Header) {
	lines := h["Cookie"]
	kept, found := 0, false
	for i, line := range lines {
		rest, had := withoutOurCookies(line)
		found = found || had
		if had && rest == "" {
			continue
		}
		if kept != i || had {
			lines[kept] = rest
		}
		kept++
	}
	switch {
	case !found:
	case kept == 0:
		delete(h, "Cookie")
	default:
		h["Cookie"] = lines[:kept:kept]
	}
}

// withoutOurCookies returns the line without our cookies, and whether it had any.
func withoutOurCookies(line string) (rest string, had bool) {
	if !strings.Contains(line, "__") { // the prefix's two bytes without case: most apps' cookies end here
		return line, false
	}
	for line != "" { // ours at the front
		part, after, _ := strings.Cut(line, ";")
		if !isOurCookie(part) {
			break
		}
		line, had = trimLeft(after), true
	}
	for line != "" { // ours at the end
		at := strings.LastIndexByte(line, ';')
		if !isOurCookie(line[at+1:]) {
			break
		}
		line, had = line[:max(at, 0)], true
	}
	between := false
	for rest := line; rest != "" && !between; {
		var part string
		part, rest, _ = strings.Cut(rest, ";")
		between = isOurCookie(part)
	}
	if !between {
		return line, had
	}
	var b strings.Builder
	b.Grow(len(line))
	first, _, _ := strings.Cut(line, ";") // not ours: those were cut from the front
	b.WriteString(first)
	for rest := line[len(first):]; rest != ""; {
		part := rest[1:]
		if at := strings.IndexByte(part, ';'); at >= 0 {
			part = part[:at]
		}
		if !isOurCookie(part) {
			b.WriteString(rest[:1+len(part)])
		}
		rest = rest[1+len(part):]
	}
	return b.String(), true
}

// isOurCookie reports whether a cookie's name begins with our prefix. Browsers compare the prefix without case, and so
// does this.
func isOurCookie(part string) bool {
	part = trimLeft(part)
	return len(part) >= len(CookiePrefix) && part[0] == '_' && strings.EqualFold(part[:len(CookiePrefix)], CookiePrefix)
}

func trim(s string) string {
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return trimLeft(s)
}

func trimLeft(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	return s
}
