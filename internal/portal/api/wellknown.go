package api

import (
	"net/http"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
	"github.com/truxeio/caddy-truxe/internal/problem"
)

// JWKS publishes the public keys. Old keys stay listed until the last token they signed has ended, new ones are
// listed before they sign (JW-17), so a short cache time is safe.
func JWKS(c *web.Call) error {
	body, etag := c.JWKS()
	h := c.W.Header()
	h.Set("Content-Type", "application/jwk-set+json")
	h.Set("Cache-Control", "public, max-age=60")
	h.Set("ETag", etag)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Access-Control-Allow-Origin", "*") // public keys, no credentials
	if strings.Contains(c.R.Header.Get("If-None-Match"), etag) {
		c.W.WriteHeader(http.StatusNotModified)
		return nil
	}
	if c.R.Method != http.MethodHead {
		_, _ = c.W.Write(body)
	}
	return nil
}

// PasskeyEndpoints shows password managers where passkeys are made and managed (W3C, "A Well-Known URL for Relying
// Party Passkey Endpoints"): one page for both, with an absolute URL on the host where passkeys work.
func PasskeyEndpoints(c *web.Call) error {
	if c.R.Method != http.MethodGet && c.R.Method != http.MethodHead {
		c.W.Header().Set("Allow", "GET, HEAD")
		return identity.Refuse(identity.CodeMethodNotAllowed, "")
	}
	page := c.Home("/account/passkeys")
	if own, ok := c.Origins.Main(c.Host); page[0] == '/' && ok {
		page = own.String() + page
	}
	return c.JSON(http.StatusOK, map[string]string{"enroll": page, "manage": page})
}

// HealthLive reports that the process answers; it stays yes while a dependency is down, so that no supervisor restarts
// a gateway for a database's sake (OP-03).
func HealthLive(c *web.Call) error { return c.JSON(http.StatusOK, map[string]any{"status": "ok"}) }

// HealthReady says whether requests can be judged. It names components, never addresses or errors.
func HealthReady(c *web.Call) error {
	health, status := c.Health(), http.StatusOK
	state := map[string]any{}
	for component, ok := range health {
		state[component] = ok
		if !ok {
			status = http.StatusServiceUnavailable
		}
	}
	if status != http.StatusOK {
		c.W.Header().Set("Retry-After", "2")
		return c.JSON(status, struct {
			problem.Problem
			Components map[string]any `json:"components"`
		}{problem.Problem{Code: identity.CodeStateUnavailable}.Fill(), state})
	}
	return c.JSON(status, map[string]any{"status": "ok", "components": state})
}
