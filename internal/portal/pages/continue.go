package pages

import (
	"context"
	"crypto/subtle"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
	"github.com/truxeio/caddy-truxe/internal/signin"
	"github.com/truxeio/caddy-truxe/internal/signin/sessions"
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
	return goOn(c, id, http.StatusOK)
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

// goOn sends a signed-in visitor where they wanted to go: on this host, or with a ticket to another one. What has to be
// proven on the way (step-up) is asked for first. On this host the way need not have been begun in this browser: it
// leads to no more than a link to that page does.
func goOn(c *web.Call, id string, status int) error {
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

// Callback is where a ticket of the single sign-on host arrives.
type Callback struct {
	trouble atomic.Int64 // when a ticket that could not be used up was logged last, Unix ms
}

// Show turns a one-time ticket into a session of this host (SE-05), or brings what was proven at the single
// sign-on host to the session that is here already (step-up).
//
// A way that was begun with another flow cookie than the browser has now is begun again: the app's page is opened, asks
// for a sign-in with that cookie, and the single sign-on host answers at once. This is what becomes of tabs that were
// opened together, since each got a flow cookie and the browser kept the last. Whoever brings a foreign callback gets
// no session by it: the ticket is used up and the page opens as if by a link.
func (b *Callback) Show(c *web.Call) error {
	query := c.R.URL.Query()
	way, ok := c.Flows.Open(c.Context(), query.Get("r"))
	flow := c.Browser().FlowCookie()
	switch {
	case ok && way.Host == c.Host && flow != "":
	case c.Entry != nil:
		c.Redirect(http.StatusFound, c.Base+"/?gone=1")
		return nil
	default:
		return identity.Invalid("This sign-in was begun in another browser or a while ago. Open the app again.")
	}
	if hash := web.FlowHash(flow); subtle.ConstantTimeCompare(hash[:], way.Flow[:]) == 1 {
		if err := arrive(c, query.Get("ticket"), flow); err != nil {
			return err
		}
	}
	target := way.Target
	if way.Fragment != "" {
		target += "#" + way.Fragment
	}
	c.Redirect(http.StatusFound, target)
	return nil
}

// arrive uses a ticket. A visitor who is signed in here and comes with a used one (Back, reload) goes on as they are.
func arrive(c *web.Call, ticket, flow string) error {
	c.Redeemed = true
	by := c.By()
	var opened sessions.Opened
	var err error
	if c.Entry == nil {
		opened, err = c.SignIn.Tickets.SignIn(c.Context(), ticket, c.Host, web.FlowHash(flow), by)
	} else if opened, err = c.SignIn.Tickets.Redeem(c.Context(), ticket, c.Host, web.FlowHash(flow),
		by); identity.CodeOf(err) == identity.CodeInvalidRequest {
		return nil
	}
	if err == nil && opened.Secret != "" {
		c.Browser().SignedIn(signin.SignedIn{Opened: opened}, opened.Session.Remember)
	}
	return err
}

// DropTicket ends the ticket of a callback that did not try it: in another browser, on another host, in a frame, with a
// way back that is gone. Whoever opened the callback has seen the ticket, so it must not be good any more (SE-05).
// While the shared store is down this fails for every anonymous request that looks like a callback, so the log has a
// line a minute (R14).
func (b *Callback) DropTicket(c *web.Call) {
	if c.Redeemed {
		return
	}
	err := c.SignIn.Tickets.Drop(context.WithoutCancel(c.Context()), c.R.URL.Query().Get("ticket"))
	if err == nil {
		return
	}
	now, last := c.Now().UnixMilli(), b.trouble.Load()
	if max(now-last, last-now) >= time.Minute.Milliseconds() && b.trouble.CompareAndSwap(last, now) {
		c.Changes.Logger.Warn("could not use up a ticket; further failures within a minute are not logged",
			"error", err)
	}
}
