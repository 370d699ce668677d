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

// Test reads policy files and judges the cases of the tests beside them. An error is a mistake in either, not a failed
// case.
func Test(sources []Source) (*Document, *Report, error) {
	doc, err := Parse(sources)
	if err != nil {
		return nil, nil, err
	}
	tests, err := ParseTests(sources, doc)
	if err != nil {
		return nil, nil, err
	}
	report, err := RunTests(doc, tests)
	return doc, report, err
}

// RunTests judges every case by the rules of the document. An error is a mistake in the rules.
func RunTests(doc *Document, tests []TestFile) (*Report, error) {
	report := &Report{Files: []FileResult{}, Untested: []string{}}
	reached := map[string]bool{}
	sets := map[string]*tested{}
	for _, f := range tests {
		key := strings.Join(f.Policies, "\x00")
		set := sets[key]
		if set == nil {
			rules, err := doc.RulesFor(f.Policies)
			if err != nil {
				return nil, err
			}
			set = &tested{rules: rules, roles: doc.Roles, byHost: map[string]*policy.Set{}}
			if set.all, err = policy.Compile(rules, doc.Roles); err != nil {
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

// tested are the rules of some files.
type tested struct {
	rules  []policy.Rule
	roles  *policy.RoleModel
	all    *policy.Set
	byHost map[string]*policy.Set
}

// about returns the rules for one host. An explanation looks at every rule of its set, and of 10,000 few are for the
// host.
func (s *tested) about(host string) *policy.Set {
	if set := s.byHost[host]; set != nil {
		return set
	}
	var some []policy.Rule
	for _, r := range s.rules {
		if len(r.Hosts) == 0 || slices.Contains(r.Hosts, host) {
			some = append(some, r)
		}
	}
	set, err := policy.Compile(some, s.roles)
	if err != nil { // not so: all of them compile
		set = s.all
	}
	s.byHost[host] = set
	return set
}

// run returns nil if the outcome is the expected one.
func (c Case) run(set *tested, reached map[string]bool) *CaseResult {
	failed := &CaseResult{Case: c, Place: c.place()}
	if c.ambiguous {
		failed.Got, failed.Code, failed.Why = Deny, string(identity.CodeAmbiguousPath), []string{"the path can be read in more than one way; the gateway answers 400"}
	} else {
		d := set.all.Decide(c.request, c.principal)
		reach(set.about(c.request.Host).Explain(c.request, c.principal), reached)
		failed.Got, failed.Code = OutcomeOf(d), string(d.Code)
	}
	if failed.Got == c.Want {
		return nil
	}
	if !c.ambiguous {
		failed.Why = why(set.all.Explain(c.request, c.principal))
	}
	return failed
}

// OutcomeOf is the word of tests for a decision.
func OutcomeOf(d policy.Decision) Outcome { return Outcome(d.Verdict()) }

// place is the file and line of a case.
func (c Case) place() string { return fmt.Sprintf("%s:%d", c.At.File, c.At.Line) }

// name identifies a case in JUnit.
func (c Case) name() string { return fmt.Sprintf("%s %s as %s: %s", c.Method, c.URL, c.Who, c.Want) }
