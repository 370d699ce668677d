package gate

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// CORS answers the origins of `cors`, compared exactly: no reflection, no "null", no "*" with credentials (CS-05).
type CORS struct{ origins map[string]bool }

// NewCORS checks the origins: scheme and host, without a path.
func NewCORS(origins []string) (*CORS, error) {
	c := &CORS{origins: map[string]bool{}}
	for _, o := range origins {
		u, err := url.Parse(o)
		if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.User != nil || u.Fragment != "" {
			return nil, errors.New("cors: " + o + " is not an origin such as https://spa.example.com (no path, no *)")
		}
		c.origins[strings.ToLower(o)] = true
	}
	return c, nil
}

// Origins lists them.
func (c *CORS) Origins() []string {
	var list []string
	for o := range c.origins {
		list = append(list, o)
	}
	return list
}

// Allows tells whether an Origin header names a listed origin.
func (c *CORS) Allows(origin string) bool { return c != nil && c.origins[origin] }

// Allow lets a listed origin read the answer.
func (c *CORS) Allow(h http.Header, r *http.Request) bool {
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
func (c *CORS) Preflight(w http.ResponseWriter, r *http.Request) bool {
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

// sameOrigin tells whether an Origin header names the host that was asked.
func sameOrigin(origin string, r *http.Request) bool {
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}
