package policyfile

import (
	"fmt"

	"github.com/truxeio/caddy-truxe/internal/policy"
)

// maxWhy is how many rules are told of a case that failed: those about the request, then what nearly was.
const maxWhy = 6

// why describes how a decision came about, one rule a line (AZ-11).
func why(t policy.Trace) []string {
	width := 0
	steps := t.Steps[:min(len(t.Steps), maxWhy)]
	for _, s := range steps {
		width = max(width, len(s.Rule))
	}
	var lines []string
	for _, s := range steps {
		mode := ""
		if s.Report {
			mode = " (report)"
		}
		lines = append(lines, fmt.Sprintf("%-8s %-*s  %-5s  %s%s", s.Effect, width, s.Rule, s.Outcome, s.Why, mode))
	}
	if more := len(t.Steps) - len(steps) + t.Omitted; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	if t.Remedy != "" {
		lines = append(lines, t.Remedy)
	}
	return lines
}

// reach marks the rules that had a say: they let in, refuse, or were met.
func reach(t policy.Trace, reached map[string]bool) {
	for _, s := range t.Steps {
		if s.Outcome != policy.No {
			reached[s.Rule] = true
		}
	}
}
