package pages

import (
	"net/http"
	"net/url"

	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
)

// confirmed in place of an id: a step-up in a second tab is over, and the other tab can go on.
const confirmed = "confirmed"

// Continue leads on after a form: 200 with Refresh, since a redirect would be judged by form-action at every hop
// and could be blocked (UX section 1.1).
func Continue(c *web.Call) error {
	query := c.R.URL.Query()
	id := query.Get("r")
	if c.Entry == nil {
		c.Redirect(http.StatusFound, c.Base+"/login?r="+url.QueryEscape(id))
		return nil
	}
	if id == goBack || id == confirmed {
		c.Render(http.StatusOK, view.SignedInGoBack{Viewer: c.Viewer(), Host: c.Host, Confirmed: id == confirmed})
		return nil
	}
	if query.Get("recovery") != "" {
		return recoveryUsed(c, id)
	}
	return redirectToTarget(c, id, http.StatusOK)
}

// recoveryUsed says how many recovery codes are left before the way goes on (MF-11).
func recoveryUsed(c *web.Call, id string) error {
	factors, err := ownFactors(c)
	if err != nil {
		return err
	}
	page := view.RecoveryUsed{Viewer: c.Viewer(), Left: factors.RecoveryLeft,
		Continue: c.Base + "/continue?r=" + url.QueryEscape(id)}
	page.Host, page.App = target(c, id)
	if action, ok := web.ConfirmActions[id]; ok {
		page.Continue = c.Base + action.Back
	}
	c.Render(http.StatusOK, page)
	return nil
}

// target returns the host and app that a way leads to, for the text of a page.
func target(c *web.Call, id string) (host, app string) {
	way, ok := c.Flows.Open(c.Context(), id)
	if !ok {
		return "", ""
	}
	return way.Host, appName(c, way.Host)
}

// redirectToTarget sends a signed-in visitor where they wanted to go: on this host, or with a ticket to another one.
// What has to be proven on the way (step-up) is asked for first. On this host the way need not have been begun in this
// browser: it leads to no more than a link to that page does.
func redirectToTarget(c *web.Call, id string, status int) error {
	way, ok := c.Flows.Open(c.Context(), id)
	if ok && way.Ask.Unmet(c.Entry.Principal, c.Now()) != "" {
		c.Redirect(http.StatusFound, c.Base+"/confirm?r="+url.QueryEscape(id))
		return nil
	}
	to, host, fragment := c.Base+"/", c.Host, ""
	switch {
	case ok && way.Host == c.Host:
		to, fragment = way.Target, way.Fragment
	case ok:
		var err error
		if to, err = ticketTo(c, way, id); err != nil {
			return err
		}
		host = way.Host
	case id != "":
		to += "?gone=1"
	}
	if status == http.StatusFound {
		c.Redirect(status, to)
		return nil
	}
	c.Render(status, view.Continue{Target: to, Host: host, App: appName(c, host), Fragment: fragment})
	return nil
}

// ticketTo returns the URL that takes this sign-in to another host. A ticket is issued at the single sign-on host only,
// and leaves only for an origin that the configuration names, whatever host and port the way was begun at (DESIGN R13).
func ticketTo(c *web.Call, way web.Way, id string) (string, error) {
	to, named := c.Flows.Origin(way)
	if c.PortalHost != c.Host || !named {
		return c.Base + "/?gone=1", nil
	}
	code, err := c.SignIn.Tickets.Issue(c.Context(), c.Entry.Principal, way.Host, way.Flow)
	if err != nil {
		return "", err
	}
	return to.String() + c.Base + "/callback?ticket=" + url.QueryEscape(code) + "&r=" + url.QueryEscape(id), nil
}
