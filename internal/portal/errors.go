package portal

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/problem"
	"github.com/truxeio/caddy-truxe/internal/ratelimit"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// asError finds the error that a client may see.
func asError(err error) (*identity.Error, bool) {
	var known *identity.Error
	if errors.As(err, &known) {
		return known, true
	}
	if errors.Is(err, store.ErrUnavailable) {
		return &identity.Error{Code: identity.CodeStateUnavailable, RetryAfter: 2 * time.Second, Err: err}, true
	}
	return nil, false
}

// fail writes an error as a page or as problem+json.
func (c *call) fail(err error) {
	known, ok := asError(err)
	reference := c.reference
	if reference == "" {
		reference = identity.NewReference()
	}
	if !ok {
		c.Changes.Logger.Error("request failed", "path", c.path, "reference", reference, "error", err)
		known = &identity.Error{Code: identity.CodeInternal}
	}
	if known.Code == identity.CodeStateUnavailable && known.Err != nil {
		c.Changes.Logger.Warn("state unavailable", "path", c.path, "reference", reference, "error", known.Err)
	}
	if known.Code == identity.CodeInvalidToken { // RFC 6750 3
		c.w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	}
	c.rateFields(err)
	if c.api {
		c.problem(known, reference)
		return
	}
	c.failPage(known, reference)
}

func (c *call) problem(e *identity.Error, reference string) {
	p := problem.Problem{Code: e.Code, Detail: e.Detail, Reference: reference, RetryAfter: e.RetryAfter, Limits: limitNames(e)}
	if e.Code == identity.CodeLoginRequired {
		c.w.Header().Set("WWW-Authenticate", "Bearer")
		p.LoginURL = c.Flows.LoginPage(c.host)
	}
	if e.Code == identity.CodeStepUpRequired { // RFC 9470 3
		p.ACRValues, p.MaxAge = e.Ask.ACRValues(), int(e.Ask.MaxAge/time.Second)
		challenge := `Bearer error="insufficient_user_authentication", acr_values="` + p.ACRValues + `"`
		if p.MaxAge > 0 {
			challenge += `, max_age="` + strconv.Itoa(p.MaxAge) + `"`
		}
		c.w.Header().Set("WWW-Authenticate", challenge)
	}
	problem.Write(c.w, p)
}

// failPage shows an error to a person.
func (c *call) failPage(e *identity.Error, reference string) {
	if e.Code == identity.CodeLoginRequired {
		c.View.Render(c.w, c.r, http.StatusUnauthorized, view.SessionEnded{LoginURL: c.Flows.LoginBeside(),
			Resubmit: true, Host: c.host, Reference: reference})
		return
	}
	c.View.Render(c.w, c.r, problem.Status(e.Code), view.ErrorPage{Viewer: c.viewer(), Status: problem.Status(e.Code), Code: e.Code, Detail: e.Detail,
		Reference: reference, RetryAfter: e.RetryAfter})
}

// rateFields tells clients how much of a limit is left (LK-10).
func (c *call) rateFields(err error) {
	if fields, policy, ok := ratelimit.FieldsOf(err); ok {
		c.w.Header().Set("RateLimit", fields)
		c.w.Header().Set("RateLimit-Policy", policy)
	}
}

func limitNames(err error) []string { return ratelimit.LimitsOf(err) }

// triesLeft says how many tries a person has left before a pause, when they are few, for known and unknown names alike.
func triesLeft(err error) (tries int, pause time.Duration) {
	left, pause, ok := ratelimit.LeftOf(err)
	if !ok || left > fewTries {
		return 0, 0
	}
	return left, pause
}

func retryAfter(e *identity.Error) string { return strconv.Itoa(problem.Seconds(e.RetryAfter)) }

// foldHost folds the host asked for; a host that cannot be folded matches nothing.
func foldHost(host string) string {
	folded, err := policy.FoldHost(host)
	if err != nil {
		return ""
	}
	return folded
}
