package pages

import (
	"net/http"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
	"github.com/truxeio/caddy-truxe/internal/problem"
)

// TOTP shows the authenticator app, or sets one up: the same key on every reload until it is confirmed or expires.
func TOTP(c *web.Call) error {
	user, _, err := c.Own()
	if err != nil {
		return err
	}
	query := c.R.URL.Query()
	factors, err := c.SignIn.Factors.Of(c.Context(), user, c.Host)
	if err != nil {
		return err
	}
	switch {
	case factors.TOTP.IsZero():
		return totpSetup(c, http.StatusOK, view.TOTP{Removed: query.Get("removed") != ""}, web.ForAddTOTP)
	case query.Get("replace") != "":
		return totpSetup(c, http.StatusOK, view.TOTP{}, web.ForReplaceTOTP)
	}
	page := view.TOTP{Viewer: c.Viewer(), Added: factors.TOTP, Used: factors.TOTPUsed,
		Remove: query.Get("remove") != ""}
	if page.Remove {
		if err := c.CheckFresh(); err != nil {
			return c.AskFirst(err, web.ForRemoveTOTP)
		}
		required, err := factorRequired(c, user)
		if err != nil {
			return err
		}
		page.Required = required && factors.Passkeys == 0
	}
	c.Render(http.StatusOK, page)
	return nil
}

func factorRequired(c *web.Call, user identity.ID) (bool, error) {
	profile, err := c.People.Profile(c.Context(), user)
	return c.SignIn.Factors.Required(profile.User.User), err
}

func totpSetup(c *web.Call, status int, page view.TOTP, action string) error {
	setup, err := c.SignIn.Factors.BeginTOTP(c.Context(), c.By())
	if err != nil {
		return c.AskFirst(err, action)
	}
	page.Viewer = c.Viewer()
	if err := fillTOTP(&page, setup); err != nil {
		return err
	}
	c.Render(status, page)
	return nil
}

// SubmitTOTP confirms the key with a code, removes the app, or begins with another one.
func SubmitTOTP(c *web.Call) error {
	form, err := web.ReadForm(c.R)
	if err != nil {
		return err
	}
	switch form.Get(view.FieldAction) {
	case view.ActionReplace:
		if err := c.CheckFresh(); err != nil {
			return c.AskFirst(err, web.ForReplaceTOTP)
		}
		c.Redirect(http.StatusSeeOther, c.Base+"/account/totp?replace=1")
		return nil
	case view.ActionRemove:
		return removeTOTP(c)
	case "":
	default:
		return identity.Invalid("This form has no such action.")
	}
	code := form.Get(view.FieldCode)
	if err := web.TypedCode(view.MethodTOTP, code); err != nil {
		return totpFailed(c, err, 0)
	}
	changed, drift, err := c.SignIn.Factors.ConfirmTOTP(c.Context(), c.By(), c.Address(), code)
	if err != nil {
		return totpFailed(c, err, drift)
	}
	c.Browser().SetSession(changed.Cookie)
	to := "/account/totp"
	if len(changed.Codes) > 0 {
		to = "/account/recovery-codes"
	}
	c.Redirect(http.StatusSeeOther, c.Base+to)
	return nil
}

func removeTOTP(c *web.Call) error {
	changed, err := c.SignIn.Factors.RemoveTOTP(c.Context(), c.By())
	switch identity.CodeOf(err) {
	case identity.CodeConflict, identity.CodeNotFound:
		if err != nil {
			c.Redirect(http.StatusSeeOther, c.Base+"/account/totp?remove=1")
			return nil //nolint:nilerr // the page says which
		}
	}
	if err != nil {
		return c.AskFirst(err, web.ForRemoveTOTP)
	}
	c.Browser().SetSession(changed.Cookie)
	c.Redirect(http.StatusSeeOther, c.Base+"/account/totp?removed=1")
	return nil
}

// totpFailed says what was wrong with the code of a set-up. How far off a phone's clock is helps here and discloses
// nothing: the reader of the answer has the key.
func totpFailed(c *web.Call, err error, drift time.Duration) error {
	known, ok := web.KnownError(err)
	if !ok {
		return err
	}
	c.RateFields(err)
	page, status := view.TOTP{}, problem.Status(known.Code)
	switch known.Code {
	case identity.CodeInvalidCode:
		status = http.StatusUnprocessableEntity
		wrong := web.CodeProblem(known, view.MethodTOTP, view.FieldCode)
		page.Problems = []view.Problem{clockProblem(drift, wrong)}
	case identity.CodeInvalidRequest: // the key is gone, so a new one is shown
		page.Problems, status = []view.Problem{{Field: view.FieldCode, Key: "problem.enrolment_over"}},
			http.StatusUnprocessableEntity
	case identity.CodeRateLimited:
		page.Wait = c.WaitFor(known)
	default:
		return c.AskFirst(err, web.ForAddTOTP)
	}
	return totpSetup(c, status, page, web.ForAddTOTP)
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
