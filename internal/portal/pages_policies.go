package portal

import (
	"net/http"
	"slices"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
)

// shownRules bounds the rules on the page; `caddy truxe policy show` lists all.
const shownRules = 200

// pagePolicies shows the rules in force and why newer ones are not.
func pagePolicies(c *call) error { return c.policies(func(*view.Policies) error { return nil }) }

// submitPolicies shows how a request would be decided, too. It changes nothing.
func submitPolicies(c *call) error { return c.policies(c.answer) }

func (c *call) policies(answer func(*view.Policies) error) error {
	if err := c.needs(policiesRead); err != nil {
		return err
	}
	listing, err := c.Policies.Show("")
	if err != nil {
		return err
	}
	state := listing.State
	page := view.Policies{Viewer: c.viewer(), Dir: state.Dir, Digest: state.Digest[:min(12, len(state.Digest))], Problem: state.Problem}
	page.Since, _ = time.Parse(time.RFC3339, state.Since) // our own; without files there is none
	for i, r := range listing.Items {
		if i == shownRules {
			page.More = len(listing.Items) - shownRules
			break
		}
		page.Rules = append(page.Rules, view.Rule{ID: r.ID, Effect: r.Effect, About: slices.Concat(r.Hosts, r.Methods, r.Paths, r.From), Asks: slices.Concat(r.To, r.Require),
			When: r.When, Reason: r.Reason, Report: r.Mode == "report", Place: r.Place})
	}
	if err := answer(&page); err != nil {
		return err
	}
	c.View.Render(c.w, c.r, http.StatusOK, page)
	return nil
}

// answer explains the decision that the page's box asks about.
func (c *call) answer(page *view.Policies) error {
	form, err := c.pageForm()
	if err != nil {
		return err
	}
	page.User, page.Method, page.URL = form.Get(view.FieldUser), form.Get(view.FieldMethod), form.Get(view.FieldURL)
	if err := c.mayCheck(); err != nil {
		return err
	}
	if len(page.URL) > maxAsked || len(page.Method) > maxMethod || len(page.User) > maxAsked {
		page.Problems = []view.Problem{{Field: view.FieldURL, Text: "The address is at most 8 KiB long, and the method 32 letters."}}
		page.User, page.Method, page.URL = "", "", ""
		return nil
	}
	e, err := c.Policies.Explain(c.ctx(), policy.Inquiry{User: page.User, Method: page.Method, URL: page.URL})
	if known, ok := asError(err); ok {
		switch known.Code {
		case identity.CodeInvalidRequest:
			page.Problems = []view.Problem{{Field: view.FieldURL, Text: known.Detail}}
			return nil
		case identity.CodeNotFound:
			page.Problems = []view.Problem{{Field: view.FieldUser, Text: known.Detail}}
			return nil
		}
	}
	if err != nil {
		return err
	}
	page.Answer = &view.Answer{Decision: e.Decision, Code: string(e.Code), Remedy: e.Remedy, More: e.Omitted}
	for _, s := range e.Steps {
		page.Answer.Steps = append(page.Answer.Steps, view.RuleStep{Effect: s.Effect, Rule: s.Rule, Outcome: s.Outcome, Why: s.Why, Place: s.Place})
	}
	return nil
}
