package portal

import (
	"net/http"
	"slices"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/origin"
	"github.com/truxeio/caddy-truxe/internal/rules"
)

// maxApps bounds how many sites the list of apps asks about.
const maxApps = 1000

// openApp is an app that the caller may open.
type openApp struct {
	site   Site
	url    string
	stepUp bool // after more than the present sign-in
}

// apps lists what the caller may open: the sites that would let their GET of the app's first page through, at once or after
// a step-up. The rules of Caddyfile and policy files are asked as the request itself would ask them, so the list is right
// whatever they say, and changes with them.
func (c *call) apps() []openApp {
	if c.Checker == nil {
		return nil
	}
	var list []openApp
	for _, s := range c.Sites[:min(len(c.Sites), maxApps)] {
		if strings.Contains(s.Host, "*") { // of a wildcard, the host that was asked is known
			if !origin.Covers(s.Host, c.host) || slices.ContainsFunc(c.Sites, func(other Site) bool { return other.Host == c.host }) {
				continue
			}
			s.Host, s.Origin = c.host, s.Origin.At(c.host)
		}
		if s.Host == "" || s.PortalOnly {
			continue
		}
		start := s.Start
		if start == "" {
			start = "/"
		}
		r, err := askedRequest(c.r, checkItem{Method: http.MethodGet, Path: start}, s.Origin.Authority())
		if err != nil {
			continue
		}
		d := c.Checker.Check(rules.Question{Asker: c.r, Principal: c.entry.Principal, Client: c.client, Host: s.Host, Request: r})
		if stepUp := d.Ask != (identity.Assurance{}); d.Allow || stepUp {
			list = append(list, openApp{site: s, url: s.Origin.String() + start, stepUp: !d.Allow})
		}
	}
	return list
}

// appRow is an app in the API.
type appRow struct {
	Name        string `json:"name"` // the host when the app has none
	Host        string `json:"host"`
	URL         string `json:"url"`
	Description string `json:"description"`
	Icon        string `json:"icon"`
	StepUp      bool   `json:"step_up"`
}

func apiApps(c *call) error {
	rows := []appRow{}
	for _, a := range c.apps() {
		row := appRow{Name: a.site.Name, Host: a.site.Host, URL: a.url, Description: a.site.Description, Icon: a.site.Icon, StepUp: a.stepUp}
		if row.Name == "" {
			row.Name = row.Host
		}
		rows = append(rows, row)
	}
	return c.json(http.StatusOK, map[string]any{"items": rows, "next_cursor": ""})
}
