package portal

import (
	"net/http"
	"net/url"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
)

// shownCodes gives the recovery codes that may still be shown to this session.
func (c *call) shownCodes() []string {
	_, session, err := c.own()
	if err != nil || session.IsZero() || c.entry.Principal.Credential != identity.CredentialCookie {
		return nil
	}
	return c.SignIn.Factors.ShownCodes(c.ctx(), session)
}

func pageRecovery(c *call) error {
	query := c.r.URL.Query()
	page := view.RecoveryCodes{Ask: query.Get("new") != "", Forced: query.Has("r"), Return: query.Get("r")}
	return c.recovery(http.StatusOK, page)
}

// recovery shows new codes while they may be shown, and else how many are left.
func (c *call) recovery(status int, page view.RecoveryCodes) error {
	user, _, err := c.own()
	if err != nil {
		return err
	}
	factors, err := c.SignIn.Factors.Of(c.ctx(), user, c.host)
	if err != nil {
		return err
	}
	page.Viewer, page.Host, page.Codes = c.viewer(), c.r.Host, c.shownCodes()
	page.Made, page.Left, page.NoFactor = factors.RecoveryMade, factors.RecoveryLeft, !factors.Any()
	switch {
	case len(page.Codes) > 0:
		page.Ask = false
	case page.Forced: // finished already, in another tab or before Back
		c.redirect(http.StatusSeeOther, c.Base+"/continue?r="+url.QueryEscape(page.Return))
		return nil
	case page.Ask:
		if err := c.fresh(); err != nil {
			return c.askFirst(err, forRecoveryCodes)
		}
	}
	c.View.Render(c.w, c.r, status, page)
	return nil
}

func submitRecovery(c *call) error {
	form, err := c.pageForm()
	if err != nil {
		return err
	}
	switch form.Get(view.FieldAction) {
	case view.ActionNew:
		return c.newCodes()
	case view.ActionDownload:
		return c.downloadCodes()
	case view.ActionFinish:
		return c.finishCodes(form)
	}
	return bad("This form has no such action.")
}

func (c *call) newCodes() error {
	changed, err := c.SignIn.Factors.NewRecoveryCodes(c.ctx(), c.by())
	if identity.CodeOf(err) == identity.CodeConflict && err != nil { // no factor they could stand in for; the page says so
		c.redirect(http.StatusSeeOther, c.Base+"/account/recovery-codes")
		return nil
	}
	if err != nil {
		return c.askFirst(err, forRecoveryCodes)
	}
	c.setSession(changed.Cookie)
	c.redirect(http.StatusSeeOther, c.Base+"/account/recovery-codes")
	return nil
}

func (c *call) downloadCodes() error {
	user, _, err := c.own()
	if err != nil {
		return err
	}
	codes := c.shownCodes()
	if len(codes) == 0 { // they are not shown any more
		c.redirect(http.StatusSeeOther, c.Base+"/account/recovery-codes")
		return nil
	}
	factors, err := c.SignIn.Factors.Of(c.ctx(), user, c.host)
	if err != nil {
		return err
	}
	c.View.RecoveryFile(c.w, c.r, view.RecoveryCodes{Viewer: c.viewer(), Host: c.r.Host, Codes: codes, Made: factors.RecoveryMade})
	return nil
}

// finishCodes ends the showing, once the box says that the codes are kept.
func (c *call) finishCodes(form url.Values) error {
	_, session, err := c.own()
	if err != nil {
		return err
	}
	id := form.Get(view.FieldReturn)
	if form.Get(view.FieldSaved) != "on" && len(c.shownCodes()) > 0 {
		return c.recovery(http.StatusUnprocessableEntity, view.RecoveryCodes{Forced: id != "", Return: id,
			Problems: []view.Problem{{Field: view.FieldSaved, Key: "problem.saved_missing"}}})
	}
	if err := c.SignIn.Factors.HideCodes(c.ctx(), session); err != nil {
		return err
	}
	if id != "" {
		c.redirect(http.StatusSeeOther, c.Base+"/continue?r="+url.QueryEscape(id))
		return nil
	}
	c.redirect(http.StatusSeeOther, c.Base+"/account/recovery-codes")
	return nil
}
