package portal

import (
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
)

func pageSessions(c *call) error {
	user, current, err := c.own()
	if err != nil {
		return err
	}
	list, err := c.SignIn.Sessions.List(c.ctx(), user)
	if err != nil {
		return err
	}
	page := view.Sessions{Viewer: c.viewer()}
	if c.r.URL.Query().Get("ended") != "" {
		page.Ended = 1
	}
	for _, s := range list {
		page.Sessions = append(page.Sessions, view.Session{ID: s.ID.String(), UserAgent: s.UserAgent, Address: s.IP, Host: s.Host, SignedIn: s.Created,
			LastSeen: s.LastSeen, Methods: s.AMR, Current: s.ID == current})
	}
	c.View.Render(c.w, c.r, http.StatusOK, page)
	return nil
}

// submitSessions ends one session or all others. Ending others needs a fresh sign-in (SE-14).
func submitSessions(c *call) error {
	user, current, err := c.own()
	if err != nil {
		return err
	}
	form, err := c.pageForm()
	if err != nil {
		return err
	}
	what := form.Get(view.FieldRevoke)
	id, ok := identity.ParseID(what)
	if !ok && what != view.RevokeOthers {
		return bad("There is no such session.")
	}
	if id == current {
		c.redirect(http.StatusSeeOther, c.Base+"/logout")
		return nil
	}
	if err := c.fresh(); err != nil {
		return c.askFirst(err, forEndSessions)
	}
	if what == view.RevokeOthers {
		err = c.SignIn.Sessions.EndAll(c.ctx(), c.by(), user, current, "signed_out_everywhere")
	} else {
		err = c.SignIn.Sessions.End(c.ctx(), c.by(), user, id)
	}
	if err != nil {
		return err
	}
	c.redirect(http.StatusSeeOther, c.Base+"/account/sessions?ended=1")
	return nil
}
