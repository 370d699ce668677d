package gate

import "github.com/truxeio/caddy-truxe/internal/rules"

// record notes what was decided about a request of a signed-in user.
func (g *Gate) record(q *request) {
	if g.Records == nil || q.principal == nil || q.set == nil {
		return
	}
	d := &q.Decision
	if d.Report != nil {
		d = d.Report
	}
	if !d.Allow && !rules.ByRule(d.Code) {
		return // not a matter of rules
	}
	site := q.site.rules.Name()
	if g.Records.IsNew(site, &q.asked, q.principal, d.Allow, q.judged) {
		g.Records.Add(rules.Record{Principal: q.principal, Site: site, Host: q.asked.Host, Method: q.asked.Method,
			Path: q.asked.Path, Addr: q.address(), Allowed: d.Allow, At: g.Now()})
	}
}
