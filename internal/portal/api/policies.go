package api

import (
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
)

// Policies lists the rules in force.
func Policies(c *web.Call) error {
	var site string
	if err := web.ReadQuery(c.R, map[string]*string{"site": &site}, "The query takes site, once."); err != nil {
		return err
	}
	listing, err := c.Policies.Show(site)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, listing)
}

// Explain shows how a request of any user would be decided, rule by rule. It costs more than a check, and is counted as
// one (OP-06).
func Explain(c *web.Call) error {
	if err := c.CountCheck(); err != nil {
		return err
	}
	var in policy.Inquiry
	if err := web.ReadJSON(c.R, &in); err != nil {
		return err
	}
	if len(in.URL) > web.MaxAsked || len(in.Method) > web.MaxMethod {
		return identity.Invalid("url is at most 8 KiB long, and method 32 letters.")
	}
	e, err := c.Policies.Explain(c.Context(), in)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, e)
}
