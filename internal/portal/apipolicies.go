package portal

import (
	"context"
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/policy"
)

// Policies are the rules in force, and what they would decide. Errors that are the caller's are *identity.Error.
type Policies interface {
	// Show lists the rules as they are written: all, or those that hold at a host.
	Show(host string) (policy.Listing, error)
	// Explain tells what would be decided about a request.
	Explain(ctx context.Context, q policy.Inquiry) (policy.Explanation, error)
}

// policiesRead is the permission to read rules, to be told which of them decides, and to ask on somebody else's behalf.
const policiesRead = "truxe:policies:read"

func apiPolicies(c *call) error {
	if err := c.needs(policiesRead); err != nil {
		return err
	}
	var site string
	if err := c.readQuery(map[string]*string{"site": &site}, "The query takes site, once."); err != nil {
		return err
	}
	listing, err := c.Policies.Show(site)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, listing)
}

// apiExplain shows how a request of anybody would be decided, rule by rule. It costs more than a check, and is counted as
// one (OP-06).
func apiExplain(c *call) error {
	if err := c.needs(policiesRead); err != nil {
		return err
	}
	if err := c.mayCheck(); err != nil {
		return err
	}
	var in policy.Inquiry
	if err := c.readJSON(&in); err != nil {
		return err
	}
	if len(in.URL) > maxAsked || len(in.Method) > maxMethod {
		return bad("url is at most 8 KiB long, and method 32 letters.")
	}
	e, err := c.Policies.Explain(c.ctx(), in)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, e)
}
