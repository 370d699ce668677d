package authn

import (
	"encoding/base64"
	"net/http"
	"strings"
)

// Credential is what a request brought to prove who sends it, before it is verified.
type Credential struct {
	Cookie  string
	Cookies int    // how many cookies of our name; more than one means unauthenticated (SE-06)
	Bearer  string // only when it is ours to judge
	sent    string // all cookies as they came
}

// CookieNamed reads another cookie of the request and how many there are of that name.
func (c Credential) CookieNamed(name string) (value string, count int) {
	if c.sent == "" {
		return "", 0
	}
	return FindCookie(http.Header{"Cookie": {c.sent}}, name)
}

// Take reads our credentials and takes them off the request, so that no app ever sees them (HD-12, SE-09).
func (v *Verifier) Take(r *http.Request) Credential {
	var c Credential
	if lines := r.Header["Authorization"]; len(lines) > 0 {
		if c.Bearer = v.ownToken(r.Header); c.Bearer != "" {
			delete(r.Header, "Authorization")
		} else if left := v.withoutOurs(lines); len(left) == 0 {
			delete(r.Header, "Authorization")
		} else {
			r.Header["Authorization"] = left
		}
	}
	if lines := r.Header["Cookie"]; len(lines) > 0 {
		if c.sent = lines[0]; len(lines) > 1 { // HTTP/2 may send one line per cookie (RFC 9113 8.2.3)
			c.sent = strings.Join(lines, "; ")
		}
		c.Cookie, c.Cookies = FindCookie(r.Header, SessionCookie)
		StripCookies(r.Header)
	}
	return c
}

// maxAuthorization bounds what is looked at: our longest token is 16 KiB (JW-15).
const maxAuthorization = 17 << 10

// ownToken finds a token that is ours to judge in Authorization: as Bearer, or as a Basic password for clients that
// know nothing else. Any other Authorization is the app's own and stays untouched (CONTRACT section 3).
func (v *Verifier) ownToken(h http.Header) string {
	lines := h["Authorization"]
	for _, line := range lines {
		scheme, value, ok := strings.Cut(line, " ")
		if !ok || len(line) > maxAuthorization {
			continue
		}
		value = strings.TrimLeft(value, " ")
		if strings.EqualFold(scheme, "basic") {
			raw, err := base64.StdEncoding.DecodeString(value)
			if err != nil {
				continue
			}
			_, value, _ = strings.Cut(string(raw), ":")
		} else if !strings.EqualFold(scheme, "bearer") {
			continue
		}
		if !v.Tokens.Ours(value) {
			continue
		}
		if len(lines) > 1 { // two credentials: no telling which one an app would take; this one never verifies
			return value + " "
		}
		return value
	}
	return ""
}
