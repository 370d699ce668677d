package portal

import (
	"context"
	"crypto/subtle"
	"net/http"
	"net/url"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/signin"
)

// confirmed in place of an id: a step-up in a second tab is over, and the other tab can go on.
const confirmed = "confirmed"

// pageContinue leads on after a form: 200 with Refresh, since a redirect would be judged by form-action at every hop
// and could be blocked (UX section 1.1).
func pageContinue(c *call) error {
	query := c.r.URL.Query()
	id := query.Get("r")
	if c.entry == nil {
		c.redirect(http.StatusFound, c.Base+"/login?r="+url.QueryEscape(id))
		return nil
	}
	if id == goBack || id == confirmed {
		c.View.Render(c.w, c.r, http.StatusOK, view.SignedInGoBack{Viewer: c.viewer(), Host: c.host, Confirmed: id == confirmed})
		return nil
	}
	if query.Get("recovery") != "" {
		return c.recoveryUsed(id)
	}
	return c.goOn(id, http.StatusOK)
}

// recoveryUsed says how many recovery codes are left before the way goes on (MF-11).
func (c *call) recoveryUsed(id string) error {
	user, _, err := c.own()
	if err != nil {
		return err
	}
	factors, err := c.SignIn.Factors.Of(c.ctx(), user, c.host)
	if err != nil {
		return err
	}
	page := view.RecoveryUsed{Viewer: c.viewer(), Left: factors.RecoveryLeft, Continue: c.Base + "/continue?r=" + url.QueryEscape(id)}
	page.Host, page.App = c.target(id)
	if action, ok := confirmActions[id]; ok {
		page.Continue = c.Base + action.back
	}
	c.View.Render(c.w, c.r, http.StatusOK, page)
	return nil
}

// target returns the host and app that a way leads to, for the text of a page.
func (c *call) target(id string) (host, app string) {
	way, ok := c.Flows.way(c.ctx(), id)
	if !ok {
		return "", ""
	}
	return way.Host, c.appName(way.Host)
}

// goOn sends a signed-in visitor where they wanted to go: on this host, or with a ticket to another one. What has to be
// proven on the way (step-up) is asked for first. On this host the way need not have been begun in this browser: it leads
// to no more than a link to that page does.
func (c *call) goOn(id string, status int) error {
	way, ok := c.Flows.way(c.ctx(), id)
	if ok && way.Ask.Unmet(c.entry.Principal, c.Now()) != "" {
		c.redirect(http.StatusFound, c.Base+"/confirm?r="+url.QueryEscape(id))
		return nil
	}
	to, host, fragment := c.Base+"/", c.host, ""
	switch {
	case ok && way.Host == c.host:
		to, fragment = way.Target, way.Fragment
	case ok:
		var err error
		if to, err = c.ticketTo(way, id); err != nil {
			return err
		}
		host = way.Host
	case id != "":
		to += "?gone=1"
	}
	if status == http.StatusFound {
		c.redirect(status, to)
		return nil
	}
	c.View.Render(c.w, c.r, status, view.Continue{Target: to, Host: host, App: c.appName(host), Fragment: fragment})
	return nil
}

// ticketTo returns the URL that takes this sign-in to another host. A ticket is issued at the single sign-on host only,
// and leaves only for an origin that the configuration names, whatever host and port the way was begun at (DESIGN R13).
func (c *call) ticketTo(way Way, id string) (string, error) {
	to, named := c.Flows.origin(way)
	if c.PortalHost != c.host || !named {
		return c.Base + "/?gone=1", nil
	}
	code, err := c.SignIn.Tickets.Issue(c.ctx(), c.entry.Principal, way.Host, way.Flow)
	if err != nil {
		return "", err
	}
	return to.String() + c.Base + "/callback?ticket=" + url.QueryEscape(code) + "&r=" + url.QueryEscape(id), nil
}

// pageCallback turns a one-time ticket into a session of this host (SE-05), or brings what was proven at the single
// sign-on host to the session that is here already (step-up).
//
// A way that was begun with another flow cookie than the browser has now is begun again: the app's page is opened, asks
// for a sign-in with that cookie, and the single sign-on host answers at once. This is what becomes of tabs that were
// opened together, since each got a flow cookie and the browser kept the last. Whoever brings a foreign callback gets
// no session by it: the ticket is used up and the page opens as if by a link.
func pageCallback(c *call) error {
	query := c.r.URL.Query()
	way, ok := c.Flows.way(c.ctx(), query.Get("r"))
	flow := sentFlow(c.credential)
	switch {
	case ok && way.Host == c.host && flow != "":
	case c.entry != nil:
		c.redirect(http.StatusFound, c.Base+"/?gone=1")
		return nil
	default:
		return &identity.Error{Code: identity.CodeInvalidRequest, Detail: "This sign-in was begun in another browser or a while ago. Open the app again."}
	}
	if hash := flowHash(flow); subtle.ConstantTimeCompare(hash[:], way.Flow[:]) == 1 {
		if err := c.arrive(query.Get("ticket"), flow); err != nil {
			return err
		}
	}
	target := way.Target
	if way.Fragment != "" {
		target += "#" + way.Fragment
	}
	c.redirect(http.StatusFound, target)
	return nil
}

// arrive uses a ticket. A visitor who is signed in here and comes with a used one (Back, reload) goes on as they are.
func (c *call) arrive(ticket, flow string) error {
	c.redeemed = true
	by := c.by()
	var signed signin.SignedIn
	var err error
	if c.entry == nil {
		signed, err = c.SignIn.Tickets.SignIn(c.ctx(), ticket, c.host, flowHash(flow), by)
	} else if signed, err = c.SignIn.Tickets.Redeem(c.ctx(), ticket, c.host, flowHash(flow), by); identity.CodeOf(err) == identity.CodeInvalidRequest {
		return nil
	}
	if err == nil && signed.Secret != "" {
		c.signedIn(signed, signed.Session.Remember)
	}
	return err
}

// useUpTicket ends the ticket of a callback that did not try it: in another browser, on another host, in a frame, with a
// way back that is gone. Whoever opened the callback has seen the ticket, so it must not be good any more (SE-05). While the
// shared store is down this fails for every anonymous request that looks like a callback, so the log has a line a minute (R14).
func (c *call) useUpTicket() {
	if c.redeemed {
		return
	}
	err := c.SignIn.Tickets.Drop(context.WithoutCancel(c.ctx()), c.r.URL.Query().Get("ticket"))
	if err == nil {
		return
	}
	now, last := c.Now().UnixMilli(), c.ticketTrouble.Load()
	if max(now-last, last-now) >= time.Minute.Milliseconds() && c.ticketTrouble.CompareAndSwap(last, now) {
		c.Changes.Logger.Warn("could not use up a ticket; further failures within a minute are not logged", "error", err)
	}
}
