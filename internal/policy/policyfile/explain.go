package policyfile

import "github.com/truxeio/caddy-truxe/internal/policy"

// explain says which rules were looked at and marks those that were reached.
func (c Case) explain(set *policy.Set, failed *CaseResult, reached map[string]bool) {
	d := set.Decide(c.request, c.principal)
	reached[d.Rule] = true
	if d.Rule != "" {
		failed.Why = append(failed.Why, "decided by "+d.Rule)
	}
}
