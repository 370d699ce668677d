// Package cors lets the pages of listed origins read the gateway's answers.
package cors

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// Origins answers the origins of `cors`, compared exactly: no reflection, no "null", no "*" with credentials (CS-05).
type Origins struct{ origins map[string]bool }

// New checks the origins: scheme and host, without a path.
func New(origins []string) (*Origins, error) {
	c := &Origins{origins: map[string]bool{}}
	for _, o := range origins {
		u, err := url.Parse(o)
		if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.Path != "" || u.RawQuery != "" ||
			u.User != nil || u.Fragment != "" {
			return nil, errors.New("cors: " + o + " is not an origin such as https://spa.example.com (no path, no *)")
		}
		c.origins[strings.ToLower(o)] = true
	}
	return c, nil
}

// List returns them in no particular order.
func (c *Origins) List() []string {
	var list []string
	for o := range c.origins {
		list = append(list, o)
	}
	return list
}

// Allows reports whether an Origin header names a listed origin.
func (c *Origins) Allows(origin string) bool { return c != nil && c.origins[origin] }

// Allow lets a listed origin read the answer.
func (c *Origins) Allow(h http.Header, r *http.Request) bool {
	h.Add("Vary", "Origin")
	origin := first(r.Header, "Origin")
	if len(r.Header["Origin"]) != 1 || !c.Allows(origin) {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After, RateLimit, RateLimit-Policy")
	return true
}

// Preflight answers a preflight of a listed origin; false: it is judged as any request.
func (c *Origins) Preflight(w http.ResponseWriter, r *http.Request) bool {
	h := w.Header()
	if !c.Allow(h, r) {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Accept")
	h.Set("Access-Control-Max-Age", "600")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// first reads a header by its canonical name.
func first(h http.Header, canonical string) string {
	if v := h[canonical]; len(v) > 0 {
		return v[0]
	}
	return ""
}
