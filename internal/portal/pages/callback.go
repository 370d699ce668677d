package pages

import (
	"context"
	"crypto/subtle"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
	"github.com/truxeio/caddy-truxe/internal/signin"
	"github.com/truxeio/caddy-truxe/internal/signin/sessions"
)

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
		if err := redeemTicket(c, query.Get("ticket"), flow); err != nil {
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

// redeemTicket uses a ticket. A visitor who is signed in here and comes with a used one (Back, reload) goes on as they
// are.
func redeemTicket(c *web.Call, ticket, flow string) error {
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
