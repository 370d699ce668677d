package portal

import (
	"net/http"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/problem"
)

// serveJWKS publishes the public keys. Old keys stay listed until the last token they signed has ended, new ones are
// listed before they sign (JW-17), so a short cache time is safe.
func serveJWKS(c *call) error {
	body, etag := c.JWKS()
	h := c.w.Header()
	h.Set("Content-Type", "application/jwk-set+json")
	h.Set("Cache-Control", "public, max-age=60")
	h.Set("ETag", etag)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Access-Control-Allow-Origin", "*") // public keys, no credentials
	if strings.Contains(c.r.Header.Get("If-None-Match"), etag) {
		c.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	if c.r.Method != http.MethodHead {
		_, _ = c.w.Write(body)
	}
	return nil
}

// servePasskeyEndpoints tells password managers where passkeys are made and managed (W3C, "A Well-Known URL for Relying
// Party Passkey Endpoints"): one page for both, with an absolute URL on the host where passkeys work.
func servePasskeyEndpoints(c *call) error {
	if c.r.Method != http.MethodGet && c.r.Method != http.MethodHead {
		c.w.Header().Set("Allow", "GET, HEAD")
		return &identity.Error{Code: identity.CodeMethodNotAllowed}
	}
	page := c.home("/account/passkeys")
	if own, ok := c.Origins.Main(c.host); page[0] == '/' && ok {
		page = own.String() + page
	}
	return c.json(http.StatusOK, map[string]string{"enroll": page, "manage": page})
}

// healthLive says that the process answers; it stays yes while a dependency is down, so that nobody restarts a
// gateway for a database's sake (OP-03).
func healthLive(c *call) error { return c.json(http.StatusOK, map[string]any{"status": "ok"}) }

// healthReady says whether requests can be judged. It names components, never addresses or errors.
func healthReady(c *call) error {
	health, status := c.Health(), http.StatusOK
	state := map[string]any{}
	for component, ok := range health {
		state[component] = ok
		if !ok {
			status = http.StatusServiceUnavailable
		}
	}
	if status != http.StatusOK {
		c.w.Header().Set("Retry-After", "2")
		problemType := problem.Detail(identity.CodeStateUnavailable)
		return c.json(status, map[string]any{"type": "urn:truxe:problem:state_unavailable", "title": http.StatusText(status), "status": status,
			"detail": problemType, "code": identity.CodeStateUnavailable, "reference": identity.NewReference(), "components": state})
	}
	return c.json(status, map[string]any{"status": "ok", "components": state})
}
