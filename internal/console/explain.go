package console

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// ReferenceArg is the reference that an answer carried.
type ReferenceArg struct {
	Reference string `json:"reference"`
}

// ExplainReference returns what happened under a reference: an answer that this node still remembers, or an event of
// the audit log.
func (c *Console) ExplainReference(ctx context.Context, in ReferenceArg) (policy.Explanation, error) {
	reference := strings.ToUpper(strings.TrimSpace(in.Reference))
	if r, ok := c.Refusals.Find(reference); ok {
		e := policy.Explanation{Reference: reference, Time: stamp(r.At),
			ExplainedRequest: policy.ExplainedRequest{Method: r.Method, URL: "https://" + r.Host + r.Path, IP: r.Address}}
		e.About(r.Principal())
		t, _ := r.Trace()
		t.Decision, t.Path = r.Decision, r.Path
		e.Take(t)
		return e, nil
	}
	rows, err := c.Store.ListAudit(ctx, store.AuditFilter{Reference: reference, Limit: 1})
	if err != nil {
		return policy.Explanation{}, err
	}
	if len(rows) == 0 {
		return policy.Explanation{}, identity.NotFound("nothing is known of the reference " + reference +
			"; sign-in redirects and step-ups are remembered by the node that answered, the last 2,048 of them, until it restarts")
	}
	return explainEvent(rows[0].Line)
}

// explainEvent reads an event of the audit log.
func explainEvent(raw []byte) (policy.Explanation, error) {
	var line struct {
		Time, Event, Outcome, IP, Host, Method, Path, Reason, Reference string
		Actor                                                           audit.Actor
		Details                                                         map[string]string
	}
	if err := json.Unmarshal(raw, &line); err != nil {
		return policy.Explanation{}, err
	}
	e := policy.Explanation{Reference: line.Reference, Time: line.Time,
		ExplainedRequest: policy.ExplainedRequest{Method: line.Method, URL: "https://" + line.Host + line.Path,
			Path: line.Path, User: line.Actor.Name, Roles: []string{}, AMR: []string{}, IP: line.IP},
		ExplainedDecision: policy.ExplainedDecision{Code: identity.Code(line.Reason)}, Steps: []policy.ExplainedRule{}}
	if t, err := policy.ParseTrace(audit.Unpack(line.Details[audit.PackedDetail])); err == nil {
		e.Take(t)
		e.Roles, e.AMR = splitList(line.Details["roles"]), splitList(line.Details["amr"])
		if line.Outcome == "report" {
			e.Remedy = strings.TrimSpace("Nothing was refused: the mode is report. " + e.Remedy)
		}
		return e, nil
	}
	e.Event, e.Decision, e.Rule, e.Details = line.Event, line.Outcome, line.Details["rule"], line.Details
	if line.Host == "" {
		e.URL = ""
	}
	return e, nil
}

func splitList(list string) []string {
	if list == "" {
		return []string{}
	}
	return strings.Split(list, ",")
}
