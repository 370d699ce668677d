package portal

import (
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
)

// pageLogout asks before anything ends. A half sign-in can be ended here too.
func pageLogout(c *call) error {
	ask := view.LogoutAsk{Viewer: c.viewer(), Hosts: []string{c.host}}
	if c.entry == nil {
		_, half, ok, err := c.half()
		if err != nil {
			return err
		}
		if !ok {
			c.clearCookie(authn.SessionCookie)
			c.View.Render(c.w, c.r, http.StatusOK, view.SignedOut{Hosts: []string{c.host}})
			return nil
		}
		ask.Viewer, ask.Half = halfViewer(half), true
	}
	c.View.Render(c.w, c.r, http.StatusOK, ask)
	return nil
}

// submitLogout ends session and half sign-in of this browser.
func submitLogout(c *call) error {
	if c.entry != nil {
		if err := c.SignIn.Sessions.SignOut(c.ctx(), c.by()); err != nil {
			return err
		}
	}
	c.dropHalf()
	c.signedOut()
	c.redirect(http.StatusSeeOther, c.Base+"/logout")
	return nil
}

// signedOut tells the browser to forget the session and what it keeps of this host's pages, the back-forward cache
// included (Clear-Site-Data, W3C). Only the cache: "storage" would end service workers, and drafts and settings of the
// app with them.
func (c *call) signedOut() {
	c.clearCookie(authn.SessionCookie)
	c.w.Header().Set("Clear-Site-Data", `"cache"`)
}
