package gate

import (
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// Judgement is a decision with what it was made of.
type Judgement struct {
	policy.Decision

	set       *policy.Set    // the rules that were asked; nil: none was
	asked     policy.Request // the request as rules see it
	principal *identity.Principal
}

// Trace returns the decision rule by rule. It reports false when no rule was asked.
func (j *Judgement) Trace() (policy.Trace, bool) {
	if j.set == nil {
		return policy.Trace{Method: j.asked.Method, Decision: j.Decision}, false
	}
	return j.set.Explain(j.asked, j.principal), true
}

// Check returns what Serve would decide about a request. It reads the request as Serve does, every
// way its path can be read included, and changes nothing.
func (g *Gate) Check(r *http.Request, s *Site, p *identity.Principal, c Client) Judgement {
	q := request{Request: r, site: s, client: c, before: trailOf(r)}
	if code := q.resolve(); code != "" {
		q.refuse(code)
		return q.Judgement
	}
	q.principal = p
	q.locate(g.Now()) // also where no rule asks: the trace shows it
	q.set, q.Decision = s.rules.Decide(&q.asked, p, func() {})
	return q.Judgement
}
