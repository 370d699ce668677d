package policyfile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// Report is the outcome of all tests.
type Report struct {
	Files    []FileResult `json:"files"`
	Untested []string     `json:"untested"` // rules that no case reaches
	Cases    int          `json:"cases"`
	Failed   int          `json:"failed"`
}

// FileResult is the outcome of one file.
type FileResult struct {
	File   string       `json:"file"`
	Cases  int          `json:"cases"`
	Failed []CaseResult `json:"failed"`

	cases []Case // all of them, for JUnit
}

// CaseResult is a case whose outcome is not the expected one.
type CaseResult struct {
	Case
	Place string   `json:"place"`
	Got   Outcome  `json:"got"`
	Code  string   `json:"code"`
	Why   []string `json:"why"` // the rules that were looked at, one a line
}

// RunTests judges every case by the rules of the document. An error is a mistake in the rules.
func RunTests(doc *Document, tests []TestFile) (*Report, error) {
	report := &Report{Files: []FileResult{}, Untested: []string{}}
	reached := map[string]bool{}
	sets := map[string]*policy.Set{}
	for _, f := range tests {
		key := strings.Join(f.Policies, "\x00")
		set := sets[key]
		if set == nil {
			rules, err := doc.RulesFor(f.Policies)
			if err != nil {
				return nil, err
			}
			if set, err = policy.Compile(rules, doc.Roles); err != nil {
				return nil, err
			}
			sets[key] = set
		}
		result := FileResult{File: f.Name, Cases: len(f.Cases), Failed: []CaseResult{}, cases: f.Cases}
		for _, c := range f.Cases {
			if failed := c.run(set, reached); failed != nil {
				result.Failed = append(result.Failed, *failed)
			}
		}
		report.Files = append(report.Files, result)
		report.Cases += result.Cases
		report.Failed += len(result.Failed)
	}
	for _, r := range doc.Rules {
		if !reached[r.ID] {
			report.Untested = append(report.Untested, r.ID)
		}
	}
	slices.Sort(report.Untested)
	return report, nil
}

// run gives nil when the outcome is the expected one.
func (c Case) run(set *policy.Set, reached map[string]bool) *CaseResult {
	failed := &CaseResult{Case: c, Place: c.place()}
	if c.ambiguous {
		failed.Got, failed.Code, failed.Why = Deny, string(identity.CodeAmbiguousPath), []string{"the path can be read in more than one way; the gateway answers 400"}
	} else {
		t := set.Explain(c.request, c.principal)
		reach(t, reached)
		if failed.Got = OutcomeOf(t.Decision); failed.Got == c.Want {
			return nil
		}
		failed.Code, failed.Why = string(t.Decision.Code), why(t)
	}
	if failed.Got == c.Want {
		return nil
	}
	return failed
}

// OutcomeOf is the word of tests for a decision.
func OutcomeOf(d policy.Decision) Outcome { return Outcome(d.Verdict()) }

// place is the file and line of a case.
func (c Case) place() string { return fmt.Sprintf("%s:%d", c.At.File, c.At.Line) }

// name tells a case apart in JUnit.
func (c Case) name() string { return fmt.Sprintf("%s %s as %s: %s", c.Method, c.URL, c.Who, c.Want) }
