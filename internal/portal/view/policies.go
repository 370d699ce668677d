package view

import "time"

// Policies is the administrators' page of rules in force, with a box that explains a decision.
type Policies struct {
	Viewer Viewer
	Dir    string    // of the policy files; "": none are configured
	Digest string    // of the files in force
	Since  time.Time // since when they are
	// Problem is why newer files are not in force; "" when those in force are the newest.
	Problem string
	Rules   []Rule
	More    int // rules beyond those

	// The question, and the answer.
	User, Method, URL string
	Answer            *Answer
	Problems          []Problem
}

// Rule is one rule, in the words of its file.
type Rule struct {
	ID, Effect   string
	About        []string // hosts, methods, paths, networks
	Asks         []string // whom it is for, or what it requires
	When, Reason string
	Report       bool
	Place        string
}

// Answer is an explained decision.
type Answer struct {
	Decision, Code, Remedy string
	Steps                  []RuleStep
	More                   int
}

// RuleStep is a rule that was looked at.
type RuleStep struct {
	Effect, Rule, Outcome, Why, Place string
}

func (p Policies) meta() meta {
	return meta{name: "policies", title: "policies.title", wide: true, viewer: p.Viewer}
}

// Picture is the icon of a rule's effect.
func (r Rule) Picture() string { return pictureOf(r.Effect) }

// Picture is the icon of a rule's effect.
func (s RuleStep) Picture() string { return pictureOf(s.Effect) }

// Bad reports whether the rule refuses this request.
func (s RuleStep) Bad() bool { return s.Outcome == "UNMET" || s.Effect == "deny" && s.Outcome == "yes" }

// Allowed reports whether the answer lets in.
func (a Answer) Allowed() bool { return a.Decision == "allow" }

func pictureOf(effect string) string {
	switch effect {
	case "deny":
		return "lock"
	case "require":
		return "shield"
	case "public":
		return "door"
	}
	return "check"
}
