package gate

import (
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// Check tells what Serve would decide about a request that somebody might send. It reads the request as Serve does, every
// way its path can be read included, and changes nothing.
func (g *Gate) Check(r *http.Request, s *Site, p *identity.Principal, c Client) policy.Decision {
	canonical, err := policy.Canonical(r)
	if err != nil {
		return policy.Decision{Code: identity.CodeAmbiguousPath}
	}
	host, err := policy.FoldHost(r.Host)
	if err != nil {
		return policy.Decision{Code: identity.CodeInvalidRequest}
	}
	request := policy.RequestOf(r, host, canonical)
	request.Addr, request.Now = s.visitorAddress(r, c), g.Now()
	return s.letPass(s.set().Decide(request, p), p)
}

// Forwards tells whether another proxy protects a folded host with this site's rules.
func (s *Site) Forwards(host string) bool { return s.forwards[host] }
