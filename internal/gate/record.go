package gate

import (
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/rules"
)

// record notes what was decided about a request of a signed-in user.
func (g *Gate) record(r *http.Request, s *Site, v *verdict, c Client) {
	p := v.principal()
	if g.Records == nil || p == nil || v.set == nil {
		return
	}
	d := &v.decision
	if d.Report != nil {
		d = d.Report
	}
	if !d.Allow && !rules.ByRule(d.Code) {
		return // not a matter of rules
	}
	if g.Records.IsNew(s.rules.Name(), &v.request, p, d.Allow) {
		g.Records.Add(rules.Record{Principal: p, Site: s.rules.Name(), Host: v.request.Host, Method: v.request.Method, Path: v.request.Path,
			Addr: s.visitorAddress(r, c), Allowed: d.Allow, At: g.Now()})
	}
}
