package web

import (
	"net/http"
	"slices"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/origin"
)

// maxApps bounds how many sites the list of apps asks about.
const maxApps = 1000

// App is an app that the caller may open.
type App struct {
	Site   Site
	URL    string
	StepUp bool // after more than the present sign-in
}

// Apps lists what the caller may open: the sites that would let their GET of the app's first page through, at once or
// after a step-up. The rules of Caddyfile and policy files are asked as the request itself would ask them, so the list
// is right whatever they say, and changes with them.
func (c *Call) Apps() []App {
	if c.Checker == nil {
		return nil
	}
	var list []App
	for _, s := range c.Sites[:min(len(c.Sites), maxApps)] {
		if strings.Contains(s.Host, "*") { // of a wildcard, the host that was asked is known
			if !origin.Covers(s.Host, c.Host) || slices.ContainsFunc(c.Sites,
				func(other Site) bool { return other.Host == c.Host }) {
				continue
			}
			s.Host, s.Origin = c.Host, s.Origin.At(c.Host)
		}
		if s.Host == "" || s.PortalOnly {
			continue
		}
		start := s.Start
		if start == "" {
			start = "/"
		}
		q, err := c.NewQuestion(http.MethodGet, start, s.Host, s.Origin.Authority())
		if err != nil {
			continue
		}
		d := c.Checker.Check(q)
		if stepUp := d.Ask != (identity.Assurance{}); d.Allow || stepUp {
			list = append(list, App{Site: s, URL: s.Origin.String() + start, StepUp: !d.Allow})
		}
	}
	return list
}
