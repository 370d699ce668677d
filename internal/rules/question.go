package rules

import (
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// Checker reports what the site of a host would decide about a request, without sending it anywhere.
type Checker interface {
	Check(q Question) policy.Decision
	// Explain returns how that decision is made; false when no rule would be asked, with the decision alone.
	Explain(q Question) (policy.Trace, bool)
}

// Question is a request that a user might send.
type Question struct {
	Asker     *http.Request // the call that asks: connection and context
	Principal *identity.Principal
	Client    authn.Client
	Host      string        // folded
	Request   *http.Request // method, URL and Host of the request asked about; it has no headers but those
}
