package portal

import (
	"net/http"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/problem"
)

// pageTOTP shows the authenticator app, or sets one up: the same key on every reload until it is confirmed or expires.
func pageTOTP(c *call) error {
	user, _, err := c.own()
	if err != nil {
		return err
	}
	query := c.r.URL.Query()
	factors, err := c.SignIn.Factors.Of(c.ctx(), user, c.host)
	if err != nil {
		return err
	}
	switch {
	case factors.TOTP.IsZero():
		return c.totpSetup(http.StatusOK, view.TOTP{Removed: query.Get("removed") != ""}, forAddTOTP)
	case query.Get("replace") != "":
		return c.totpSetup(http.StatusOK, view.TOTP{}, forReplaceTOTP)
	}
	page := view.TOTP{Viewer: c.viewer(), Added: factors.TOTP, Used: factors.TOTPUsed, Remove: query.Get("remove") != ""}
	if page.Remove {
		if err := c.fresh(); err != nil {
			return c.askFirst(err, forRemoveTOTP)
		}
		required, err := c.factorRequired(user)
		if err != nil {
			return err
		}
		page.Required = required && factors.Passkeys == 0
	}
	c.View.Render(c.w, c.r, http.StatusOK, page)
	return nil
}

func (c *call) factorRequired(user identity.ID) (bool, error) {
	profile, err := c.People.Profile(c.ctx(), user)
	return c.SignIn.Factors.Required(profile.User.User), err
}

func (c *call) totpSetup(status int, page view.TOTP, action string) error {
	setup, err := c.SignIn.Factors.BeginTOTP(c.ctx(), c.by())
	if err != nil {
		return c.askFirst(err, action)
	}
	page.Viewer = c.viewer()
	if err := fillTOTP(&page, setup); err != nil {
		return err
	}
	c.View.Render(c.w, c.r, status, page)
	return nil
}

// submitTOTP confirms the key with a code, removes the app, or begins with another one.
func submitTOTP(c *call) error {
	form, err := c.pageForm()
	if err != nil {
		return err
	}
	switch form.Get(view.FieldAction) {
	case view.ActionReplace:
		if err := c.fresh(); err != nil {
			return c.askFirst(err, forReplaceTOTP)
		}
		c.redirect(http.StatusSeeOther, c.Base+"/account/totp?replace=1")
		return nil
	case view.ActionRemove:
		return c.removeTOTP()
	case "":
	default:
		return bad("This form has no such action.")
	}
	code := form.Get(view.FieldCode)
	if err := codeShape(view.MethodTOTP, code); err != nil {
		return c.totpFailed(err, 0)
	}
	changed, drift, err := c.SignIn.Factors.ConfirmTOTP(c.ctx(), c.by(), c.address(), code)
	if err != nil {
		return c.totpFailed(err, drift)
	}
	c.setSession(changed.Cookie)
	to := "/account/totp"
	if len(changed.Codes) > 0 {
		to = "/account/recovery-codes"
	}
	c.redirect(http.StatusSeeOther, c.Base+to)
	return nil
}

func (c *call) removeTOTP() error {
	changed, err := c.SignIn.Factors.RemoveTOTP(c.ctx(), c.by())
	switch identity.CodeOf(err) {
	case identity.CodeConflict, identity.CodeNotFound: // the page says which
		if err != nil {
			c.redirect(http.StatusSeeOther, c.Base+"/account/totp?remove=1")
			return nil
		}
	}
	if err != nil {
		return c.askFirst(err, forRemoveTOTP)
	}
	c.setSession(changed.Cookie)
	c.redirect(http.StatusSeeOther, c.Base+"/account/totp?removed=1")
	return nil
}

// totpFailed says what was wrong with the code of a set-up. How far off a phone's clock is helps here and tells nobody
// anything: who sees the answer has the key.
func (c *call) totpFailed(err error, drift time.Duration) error {
	known, ok := asError(err)
	if !ok {
		return err
	}
	c.rateFields(err)
	page, status := view.TOTP{}, problem.Status(known.Code)
	switch known.Code {
	case identity.CodeInvalidCode:
		page.Problems, status = []view.Problem{clockProblem(drift, codeProblem(known, view.MethodTOTP, view.FieldCode))}, http.StatusUnprocessableEntity
	case identity.CodeInvalidRequest: // the key is gone, so a new one is shown
		page.Problems, status = []view.Problem{{Field: view.FieldCode, Key: "problem.enrolment_over"}}, http.StatusUnprocessableEntity
	case identity.CodeRateLimited:
		page.Wait = c.waitFor(known)
	default:
		return c.askFirst(err, forAddTOTP)
	}
	return c.totpSetup(status, page, forAddTOTP)
}

// clockProblem words a clock that is off by so much; other is for one that is not.
func clockProblem(drift time.Duration, other view.Problem) view.Problem {
	minutes := int((drift.Abs() + 30*time.Second) / time.Minute)
	switch {
	case drift < 0:
		return view.Problem{Field: view.FieldCode, Key: "problem.clock_slow", N: max(1, minutes)}
	case drift > 0:
		return view.Problem{Field: view.FieldCode, Key: "problem.clock_fast", N: max(1, minutes)}
	}
	return other
}
