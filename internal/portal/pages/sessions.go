package pages

import (
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
)

// Sessions lists the sessions of the account.
func Sessions(c *web.Call) error {
	user, current, err := c.Own()
	if err != nil {
		return err
	}
	list, err := c.SignIn.Sessions.List(c.Context(), user)
	if err != nil {
		return err
	}
	page := view.Sessions{Viewer: c.Viewer()}
	if c.R.URL.Query().Get("ended") != "" {
		page.Ended = 1
	}
	for _, s := range list {
		page.Sessions = append(page.Sessions, view.Session{ID: s.ID.String(), UserAgent: s.UserAgent, Address: s.IP,
			Host: s.Host, SignedIn: s.Created,
			LastSeen: s.LastSeen, Methods: s.AMR, Current: s.ID == current})
	}
	c.Render(http.StatusOK, page)
	return nil
}

// SubmitSessions ends one session or all others. Ending others needs a fresh sign-in (SE-14).
func SubmitSessions(c *web.Call) error {
	user, current, err := c.Own()
	if err != nil {
		return err
	}
	form, err := web.ReadForm(c.R)
	if err != nil {
		return err
	}
	what := form.Get(view.FieldRevoke)
	id, ok := identity.ParseID(what)
	if !ok && what != view.RevokeOthers {
		return identity.Invalid("There is no such session.")
	}
	if id == current {
		c.Redirect(http.StatusSeeOther, c.Base+"/logout")
		return nil
	}
	if err := c.CheckFresh(); err != nil {
		return c.AskFirst(err, web.ForEndSessions)
	}
	if what == view.RevokeOthers {
		err = c.SignIn.Sessions.EndAll(c.Context(), c.By(), user, current, "signed_out_everywhere")
	} else {
		err = c.SignIn.Sessions.End(c.Context(), c.By(), user, id)
	}
	if err != nil {
		return err
	}
	c.Redirect(http.StatusSeeOther, c.Base+"/account/sessions?ended=1")
	return nil
}
