package pages

import (
	"net/http"
	"net/url"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// shownCodes returns the recovery codes that may still be shown to this session.
func shownCodes(c *web.Call) []string {
	_, session, err := c.Own()
	if err != nil || session.IsZero() || c.Entry.Principal.Credential != identity.CredentialCookie {
		return nil
	}
	return c.SignIn.Factors.ShownCodes(c.Context(), session)
}

// Recovery shows recovery codes, or how many are left.
func Recovery(c *web.Call) error {
	query := c.R.URL.Query()
	page := view.RecoveryCodes{Ask: query.Get("new") != "", Forced: query.Has("r"), Return: query.Get("r")}
	return recovery(c, http.StatusOK, page)
}

// recovery shows new codes while they may be shown, and else how many are left.
func recovery(c *web.Call, status int, page view.RecoveryCodes) error {
	factors, err := ownFactors(c)
	if err != nil {
		return err
	}
	page.Viewer, page.Host, page.Codes = c.Viewer(), c.R.Host, shownCodes(c)
	page.Made, page.Left, page.NoFactor = factors.RecoveryMade, factors.RecoveryLeft, !factors.Any()
	switch {
	case len(page.Codes) > 0:
		page.Ask = false
	case page.Forced: // finished already, in another tab or before Back
		c.Redirect(http.StatusSeeOther, c.Base+"/continue?r="+url.QueryEscape(page.Return))
		return nil
	case page.Ask:
		if err := c.CheckFresh(); err != nil {
			return c.AskFirst(err, web.ForRecoveryCodes)
		}
	}
	c.Render(status, page)
	return nil
}

// SubmitRecovery creates new recovery codes, downloads them or ends showing them.
func SubmitRecovery(c *web.Call) error {
	form, err := web.ReadForm(c.R)
	if err != nil {
		return err
	}
	switch form.Get(view.FieldAction) {
	case view.ActionNew:
		return newCodes(c)
	case view.ActionDownload:
		return downloadCodes(c)
	case view.ActionFinish:
		return finishCodes(c, form)
	}
	return identity.Invalid("This form has no such action.")
}

func newCodes(c *web.Call) error {
	changed, err := c.SignIn.Factors.NewRecoveryCodes(c.Context(), c.By())
	if identity.CodeOf(err) == identity.CodeConflict && err != nil {
		c.Redirect(http.StatusSeeOther, c.Base+"/account/recovery-codes")
		return nil //nolint:nilerr // no factor they could replace; the page says so
	}
	if err != nil {
		return c.AskFirst(err, web.ForRecoveryCodes)
	}
	c.Browser().SetSession(changed.Cookie)
	c.Redirect(http.StatusSeeOther, c.Base+"/account/recovery-codes")
	return nil
}

func downloadCodes(c *web.Call) error {
	user, _, err := c.Own()
	if err != nil {
		return err
	}
	codes := shownCodes(c)
	if len(codes) == 0 { // they are not shown any more
		c.Redirect(http.StatusSeeOther, c.Base+"/account/recovery-codes")
		return nil
	}
	factors, err := c.SignIn.Factors.Of(c.Context(), user, c.Host)
	if err != nil {
		return err
	}
	c.View.RecoveryFile(c.W, c.R, view.RecoveryCodes{Viewer: c.Viewer(), Host: c.R.Host, Codes: codes,
		Made: factors.RecoveryMade})
	return nil
}

// finishCodes ends the showing, once the box says that the codes are kept.
func finishCodes(c *web.Call, form url.Values) error {
	_, session, err := c.Own()
	if err != nil {
		return err
	}
	id := form.Get(view.FieldReturn)
	if form.Get(view.FieldSaved) != "on" && len(shownCodes(c)) > 0 {
		return recovery(c, http.StatusUnprocessableEntity, view.RecoveryCodes{Forced: id != "", Return: id,
			Problems: []view.Problem{{Field: view.FieldSaved, Key: "problem.saved_missing"}}})
	}
	if err := c.SignIn.Factors.HideCodes(c.Context(), session); err != nil {
		return err
	}
	if id != "" {
		c.Redirect(http.StatusSeeOther, c.Base+"/continue?r="+url.QueryEscape(id))
		return nil
	}
	c.Redirect(http.StatusSeeOther, c.Base+"/account/recovery-codes")
	return nil
}

// ownFactors returns the caller's factors on this host.
func ownFactors(c *web.Call) (store.Factors, error) {
	user, _, err := c.Own()
	if err != nil {
		return store.Factors{}, err
	}
	return c.SignIn.Factors.Of(c.Context(), user, c.Host)
}
