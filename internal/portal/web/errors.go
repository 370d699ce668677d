package web

import (
	"errors"
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/problem"
	"github.com/truxeio/caddy-truxe/internal/ratelimit"
)

// KnownError finds the error that a client may see.
func KnownError(err error) (*identity.Error, bool) {
	var known *identity.Error
	ok := errors.As(err, &known)
	return known, ok
}

// Fail writes an error as a page or as problem+json.
func (c *Call) Fail(err error) {
	known, ok := KnownError(err)
	reference := c.reference
	if reference == "" {
		reference = identity.NewReference()
	}
	if !ok {
		c.Changes.Logger.Error("request failed", "path", c.Path, "reference", reference, "error", err)
		known = identity.Refuse(identity.CodeInternal, "")
	}
	if known.Code == identity.CodeStateUnavailable && known.Err != nil {
		c.Changes.Logger.Warn("state unavailable", "path", c.Path, "reference", reference, "error", known.Err)
	}
	if known.Code == identity.CodeInvalidToken { // RFC 6750 3
		c.W.Header().Set("WWW-Authenticate", problem.BearerInvalidToken)
	}
	c.RateFields(err)
	if c.API {
		c.problem(known, reference)
		return
	}
	c.failPage(known, reference)
}

func (c *Call) problem(e *identity.Error, reference string) {
	p := problem.Problem{Code: e.Code, Detail: e.Detail, Reference: reference, RetryAfter: e.RetryAfter,
		Limits: ratelimit.LimitsOf(e)}
	if e.Code == identity.CodeLoginRequired {
		c.W.Header().Set("WWW-Authenticate", problem.Bearer)
		p.LoginURL = c.Flows.LoginPage(c.Host)
	}
	if e.Code == identity.CodeStepUpRequired { // RFC 9470 3
		p.Ask(e.Ask)
		c.W.Header().Set("WWW-Authenticate", problem.StepUpChallenge(e.Ask))
	}
	problem.Write(c.W, p)
}

// failPage shows an error as a page.
func (c *Call) failPage(e *identity.Error, reference string) {
	if e.Code == identity.CodeLoginRequired {
		c.Render(http.StatusUnauthorized, view.SessionEnded{LoginURL: c.Flows.LoginBeside(),
			Resubmit: true, Host: c.Host, Reference: reference})
		return
	}
	c.Render(problem.Status(e.Code), view.ErrorPage{Viewer: c.Viewer(), Status: problem.Status(e.Code), Code: e.Code,
		Detail:    e.Detail,
		Reference: reference, RetryAfter: e.RetryAfter})
}

// RateFields says how much of a limit is left (LK-10).
func (c *Call) RateFields(err error) {
	if fields, policy, ok := ratelimit.FieldsOf(err); ok {
		c.W.Header().Set("RateLimit", fields)
		c.W.Header().Set("RateLimit-Policy", policy)
	}
}
