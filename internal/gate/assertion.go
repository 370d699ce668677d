package gate

import (
	"github.com/truxeio/caddy-truxe/internal/identity"
)

// assertion returns the signed proof for the upstream, "" when the site wants none or the request is anonymous. Its
// audience is the host that was asked for, so no app can use it at another (HD-04). Signing costs over a millisecond:
// it is kept with the credential's entry, and is deleted with it when roles or factors change; when what roles grant
// changes, it is signed anew.
func (g *Gate) assertion(q *request) (string, error) {
	if q.entry == nil || !q.site.cfg.Headers.Assertion {
		return "", nil
	}
	return q.entry.Assertions.For(q.asked.Host, g.Signer.Version(), g.Now(), q.principal, g.Signer.Sign)
}

// failedToSign logs why no assertion could be made and returns the reference of the answer. An app that trusts
// assertions must not get a request without one.
func (g *Gate) failedToSign(err error) (reference string) {
	reference = identity.NewReference()
	g.Logger.Error("no assertion could be signed for the upstream", "reference", reference, "error", err)
	return reference
}
