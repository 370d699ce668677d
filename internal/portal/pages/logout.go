package pages

import (
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
)

// Logout asks before anything ends. A half sign-in can be ended here too.
func Logout(c *web.Call) error {
	ask := view.LogoutAsk{Viewer: c.Viewer(), Hosts: []string{c.Host}}
	if c.Entry == nil {
		_, half, ok, err := halfOf(c)
		if err != nil {
			return err
		}
		if !ok {
			authn.ClearCookie(c.W.Header(), authn.SessionCookie)
			c.Render(http.StatusOK, view.SignedOut{Hosts: []string{c.Host}})
			return nil
		}
		ask.Viewer, ask.Half = halfViewer(half), true
	}
	c.Render(http.StatusOK, ask)
	return nil
}

// SubmitLogout ends session and half sign-in of this browser.
func SubmitLogout(c *web.Call) error {
	if c.Entry != nil {
		if err := c.SignIn.Sessions.SignOut(c.Context(), c.By()); err != nil {
			return err
		}
	}
	c.Browser().DropHalf()
	c.Browser().SignedOut()
	c.Redirect(http.StatusSeeOther, c.Base+"/logout")
	return nil
}
