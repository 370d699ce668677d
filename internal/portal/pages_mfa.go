package portal

import (
	"net/http"
	"net/url"
	"time"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/problem"
	"github.com/truxeio/caddy-truxe/internal/signin"
)

// half reads the half sign-in of this browser; false when there is none (any more).
func (c *call) half() (signin.HalfKey, signin.Half, bool, error) {
	flow := sentFlow(c.credential)
	if flow == "" {
		return signin.HalfKey{}, signin.Half{}, false, nil
	}
	key := signin.BrowserHalf(flow)
	h, err := c.SignIn.HalfSignIns.Read(c.ctx(), key, c.host)
	if identity.CodeOf(err) == identity.CodeLoginRequired && err != nil {
		return key, h, false, nil
	}
	return key, h, err == nil, err
}

// pageMFA asks for the second step, or for setting one up. Without a half sign-in it leads to the first step.
func pageMFA(c *call) error {
	query := c.r.URL.Query()
	id := query.Get("r")
	key, half, ok, err := c.half()
	switch {
	case err != nil:
		return err
	case !ok:
		return c.mfaOver(id)
	case len(half.Enrol) > 0:
		return c.enrol(key, half, id, query.Get("enrol"))
	case len(half.Methods) == 0:
		return c.passkeyElsewhere(id)
	}
	c.mfa(http.StatusOK, half, view.MFA{Method: query.Get("method"), Return: id})
	return nil
}

// mfaOver goes on after a second step that is done, in this tab or another, and else to the login page.
func (c *call) mfaOver(id string) error {
	if c.entry == nil {
		c.redirect(http.StatusSeeOther, c.Base+"/login?r="+url.QueryEscape(id))
		return nil
	}
	c.redirect(http.StatusSeeOther, c.afterSecondStep(c.shownCodes(), id))
	return nil
}

// afterSecondStep is where a sign-in goes on: new recovery codes are shown first.
func (c *call) afterSecondStep(codes []string, id string) string {
	if len(codes) > 0 {
		return c.Base + "/account/recovery-codes?r=" + url.QueryEscape(id)
	}
	return c.Base + "/continue?r=" + url.QueryEscape(id)
}

func (c *call) mfa(status int, half signin.Half, page view.MFA) {
	page.Account = halfViewer(half)
	page.Host, page.App = c.target(page.Return)
	page.Methods = half.Methods
	page.PasskeyBegin = c.Base + "/api/v1/login/passkey/begin?step=second"
	page.Here = c.Base + "/mfa?r=" + url.QueryEscape(page.Return)
	if page.Shown() != view.MethodRecovery { // a browser in an emergency is nobody's own
		page.TrustDays = int(signin.TrustLife / (24 * time.Hour))
	}
	c.View.Render(c.w, c.r, status, page)
}

// submitMFA takes the second step.
func submitMFA(c *call) error {
	form, err := c.pageForm()
	if err != nil {
		return err
	}
	id := form.Get(view.FieldReturn)
	if form.Get(view.FieldAction) == view.ActionStartOver {
		c.dropHalf()
		c.redirect(http.StatusSeeOther, c.Base+"/login?r="+url.QueryEscape(id))
		return nil
	}
	key, half, ok, err := c.half()
	if err != nil {
		return err
	}
	if !ok {
		return c.mfaOver(id)
	}
	enrol := form.Get(view.FieldAction) == view.ActionEnrol
	var signed signin.SignedIn
	if err = codeShape(form.Get(view.FieldMethod), form.Get(view.FieldCode)); err == nil {
		signed, err = c.secondStep(form, key, enrol)
	}
	switch {
	case err != nil && enrol:
		return c.enrolFailed(err, key, half, id)
	case err != nil:
		return c.mfaFailed(err, view.MFA{Method: form.Get(view.FieldMethod), Return: id, Fragment: form.Get(view.FieldFragment), Trust: form.Get(view.FieldTrust) == "on"})
	}
	c.endOldSession()
	id = c.keepFragment(id, form.Get(view.FieldFragment))
	c.signedIn(signed, signed.Session.Remember)
	to := c.afterSecondStep(signed.Codes, id)
	if signed.RecoveryUsed {
		to += "&recovery=1"
	}
	c.redirect(http.StatusSeeOther, to)
	return nil
}

func (c *call) secondStep(form url.Values, key signin.HalfKey, enrol bool) (signin.SignedIn, error) {
	by := c.by()
	by.Principal = nil
	device, _ := c.credential.CookieNamed(authn.DeviceCookie)
	in := signin.SecondStep{Key: key, Method: form.Get(view.FieldMethod), Code: form.Get(view.FieldCode), Bound: sentFlow(c.credential), Enrol: enrol,
		Trust: form.Get(view.FieldTrust) == "on" && !enrol, Device: device, Address: c.address(), By: by}
	if in.Method == view.MethodPasskey {
		var err error
		if in.Passkey, err = passkeyAnswer([]byte(form.Get(view.FieldPasskey))); err != nil {
			return signin.SignedIn{}, err
		}
	}
	return c.SignIn.HalfSignIns.Complete(c.ctx(), in)
}

func (c *call) mfaFailed(err error, page view.MFA) error {
	known, ok := asError(err)
	if !ok {
		return err
	}
	_, half, still, halfErr := c.half()
	switch {
	case halfErr == nil && !still && known.Code == identity.CodeInvalidCode: // it was the last try
		return c.secondStepOver(page.Return, "problem.codes_over")
	case known.Code == identity.CodeLoginRequired, halfErr == nil && !still:
		return c.secondStepOver(page.Return, "problem.sign_in_over")
	}
	if halfErr != nil {
		return halfErr
	}
	c.rateFields(err)
	status, field := problem.Status(known.Code), view.FieldCode
	if page.Method == view.MethodPasskey {
		field = ""
	}
	switch known.Code {
	case identity.CodeInvalidCode, identity.CodeInvalidCredentials:
		page.Problems = []view.Problem{codeProblem(known, page.Method, field)}
		if left, pause := triesLeft(err); left > 0 && left <= half.Tries { // a pause comes before this sign-in is over
			page.TriesLeft, page.Pause = left, pause
		} else if page.Method != view.MethodPasskey {
			page.Problems = append(page.Problems, view.Problem{Field: field, Key: "problem.tries_left", N: half.Tries})
		}
	case identity.CodeInvalidRequest:
		page.Problems, status = []view.Problem{codeProblem(known, page.Method, field)}, http.StatusUnprocessableEntity
	case identity.CodeRateLimited:
		page.Wait = c.waitFor(known)
	default:
		return err
	}
	c.mfa(status, half, page)
	return nil
}

// passkeyElsewhere tells somebody whose only factors are passkeys of other hosts where to go: nothing here can complete the
// sign-in.
func (c *call) passkeyElsewhere(id string) error {
	c.dropHalf()
	words := "Your passkey is for another address of this service. Sign in there."
	c.login(http.StatusForbidden, id, view.Login{Problems: []view.Problem{{Text: words}}})
	return nil
}

// secondStepOver answers a code for a sign-in that is gone: it took too long, or every try is used up.
func (c *call) secondStepOver(id, words string) error {
	c.Flows.flow(c.w, c.credential)
	c.login(http.StatusUnauthorized, id, view.Login{Problems: []view.Problem{{Key: words}}})
	return nil
}

// waitFor is a limit as a page shows it.
func (c *call) waitFor(e *identity.Error) view.Wait {
	return view.Wait{Until: c.Now().Add(e.RetryAfter), For: e.RetryAfter}
}
