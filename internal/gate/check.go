package gate

import (
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// Judgement is a decision with what it was made of.
type Judgement struct {
	Decision policy.Decision

	set       *policy.Set // nil: no rule was asked
	request   policy.Request
	principal *identity.Principal
}

// Trace shows the decision rule by rule; false when no rule was asked.
func (j *Judgement) Trace() (policy.Trace, bool) {
	if j.set == nil {
		return policy.Trace{Method: j.request.Method, Decision: j.Decision}, false
	}
	return j.set.Explain(j.request, j.principal), true
}

// Check returns what Serve would decide about a request. It reads the request as Serve does, every
// way its path can be read included, and changes nothing.
func (g *Gate) Check(r *http.Request, s *Site, p *identity.Principal, c Client) Judgement {
	request, code, _ := requestOf(r)
	if code != "" {
		return Judgement{Decision: policy.Decision{Code: code}}
	}
	j := Judgement{set: s.rules.Set(), request: request, principal: p}
	j.request.Addr, j.request.Now = s.visitorAddress(r, c), g.Now()
	j.Decision = s.rules.ApplyReportMode(j.set.Decide(j.request, p), p)
	return j
}

// Forwards reports whether another proxy protects a folded host with this site's rules.
func (s *Site) Forwards(host string) bool { return s.forwards[host] }

// requestOf reads a request as rules see it; a code says why it cannot be judged. Address and time are not in it.
func requestOf(r *http.Request) (policy.Request, identity.Code, error) {
	canonical, err := PathOf(r)
	if err != nil {
		return policy.Request{}, identity.CodeAmbiguousPath, err
	}
	host, err := policy.FoldHost(r.Host)
	if err != nil {
		return policy.Request{}, identity.CodeInvalidRequest, err
	}
	return policy.RequestOf(r, host, canonical), "", nil
}
