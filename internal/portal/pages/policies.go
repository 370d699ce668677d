package pages

import (
	"net/http"
	"slices"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
)

// shownRules bounds the rules on the page; `caddy truxe policy show` lists all.
const shownRules = 200

// Policies shows the rules in force and why newer ones are not.
func Policies(c *web.Call) error { return policies(c, func(*view.Policies) error { return nil }) }

// SubmitPolicies shows how a request would be decided, too. It changes nothing.
func SubmitPolicies(c *web.Call) error {
	return policies(c, func(page *view.Policies) error { return answer(c, page) })
}

func policies(c *web.Call, answer func(*view.Policies) error) error {
	listing, err := c.Policies.Show("")
	if err != nil {
		return err
	}
	state := listing.State
	page := view.Policies{Viewer: c.Viewer(), Dir: state.Dir, Digest: state.Digest[:min(12, len(state.Digest))],
		Problem: state.Problem}
	page.Since, _ = time.Parse(time.RFC3339, state.Since) // our own; without files there is none
	for i, r := range listing.Items {
		if i == shownRules {
			page.More = len(listing.Items) - shownRules
			break
		}
		page.Rules = append(page.Rules, view.Rule{ID: r.ID, Effect: r.Effect,
			About: slices.Concat(r.Hosts, r.Methods, r.Paths, r.From), Asks: slices.Concat(r.To, r.Require),
			When: r.When, Reason: r.Reason, Report: r.Mode == "report", Place: r.Place})
	}
	if err := answer(&page); err != nil {
		return err
	}
	c.Render(http.StatusOK, page)
	return nil
}

// answer explains the decision that the page's box asks about.
func answer(c *web.Call, page *view.Policies) error {
	form, err := web.ReadForm(c.R)
	if err != nil {
		return err
	}
	page.User, page.Method, page.URL = form.Get(view.FieldUser), form.Get(view.FieldMethod), form.Get(view.FieldURL)
	if err := c.CountCheck(); err != nil {
		return err
	}
	if len(page.URL) > web.MaxAsked || len(page.Method) > web.MaxMethod || len(page.User) > web.MaxAsked {
		page.Problems = []view.Problem{{Field: view.FieldURL,
			Text: "The address is at most 8 KiB long, and the method 32 letters."}}
		page.User, page.Method, page.URL = "", "", ""
		return nil
	}
	e, err := c.Policies.Explain(c.Context(), policy.Inquiry{User: page.User, Method: page.Method, URL: page.URL})
	if known, ok := web.KnownError(err); ok {
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
		page.Answer.Steps = append(page.Answer.Steps, view.RuleStep{Effect: s.Effect, Rule: s.Rule, Outcome: s.Outcome,
			Why: s.Why, Place: s.Place})
	}
	return nil
}
