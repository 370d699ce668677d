package web

import (
	"net/http"
	"strconv"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/problem"
	"github.com/truxeio/caddy-truxe/internal/ratelimit"
)

// FormFailed turns an error into words at the form, or returns it.
func (c *Call) FormFailed(err error, passwordField string, show func([]view.Problem, view.Wait, int)) error {
	known, ok := KnownError(err)
	if !ok {
		return err
	}
	c.RateFields(err)
	status := problem.Status(known.Code)
	switch known.Code {
	case identity.CodeInvalidCredentials:
		show([]view.Problem{{Field: passwordField, Key: "problem.current_wrong"}}, view.Wait{},
			http.StatusUnprocessableEntity)
	case identity.CodePasswordRefused:
		show([]view.Problem{{Field: view.FieldNew, Text: known.Detail}}, view.Wait{}, status)
	case identity.CodeConflict, identity.CodeInvalidRequest:
		show([]view.Problem{{Text: known.Detail}}, view.Wait{}, http.StatusUnprocessableEntity)
	case identity.CodeRateLimited:
		show(nil, c.WaitFor(known), status)
	case identity.CodeBusy:
		c.RetryAfter(known)
		show([]view.Problem{{Text: problem.Detail(known.Code)}}, view.Wait{}, status)
	default:
		return err
	}
	return nil
}

// WaitFor returns a limit as a page shows it.
func (c *Call) WaitFor(e *identity.Error) view.Wait {
	return view.Wait{Until: c.Now().Add(e.RetryAfter), For: e.RetryAfter}
}

// RetryAfter says when to try again, as a header.
func (x *Exchange) RetryAfter(e *identity.Error) {
	x.W.Header().Set("Retry-After", strconv.Itoa(problem.Seconds(e.RetryAfter)))
}

// fewTries is when a page begins to say how many tries are left.
const fewTries = 2

// TriesLeft returns how many tries a user has left before a pause, when they are few, for known and unknown names
// alike.
func TriesLeft(err error) (tries int, pause time.Duration) {
	left, pause, ok := ratelimit.LeftOf(err)
	if !ok || left > fewTries {
		return 0, 0
	}
	return left, pause
}
