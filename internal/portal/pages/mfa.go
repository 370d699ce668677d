package pages

import (
	"net/http"
	"net/url"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
	"github.com/truxeio/caddy-truxe/internal/problem"
	"github.com/truxeio/caddy-truxe/internal/signin"
)

// halfOf returns the half sign-in of this browser; and reports whether it still has one.
func halfOf(c *web.Call) (signin.HalfKey, signin.Half, bool, error) {
	flow := c.Browser().FlowCookie()
	if flow == "" {
		return signin.HalfKey{}, signin.Half{}, false, nil
	}
	key := signin.BrowserHalf(flow)
	h, err := c.SignIn.HalfSignIns.Read(c.Context(), key, c.Host)
	if identity.CodeOf(err) == identity.CodeLoginRequired && err != nil {
		return key, h, false, nil //nolint:nilerr // there is no half sign-in
	}
	return key, h, err == nil, err
}

// MFA asks for the second step, or for setting one up. Without a half sign-in it leads to the first step.
func MFA(c *web.Call) error {
	query := c.R.URL.Query()
	id := query.Get("r")
	key, half, ok, err := halfOf(c)
	switch {
	case err != nil:
		return err
	case !ok:
		return mfaOver(c, id)
	case len(half.Enrol) > 0:
		return enrol(c, key, half, id, query.Get("enrol"))
	case len(half.Methods) == 0:
		return passkeyElsewhere(c, id)
	}
	mfa(c, http.StatusOK, half, view.MFA{Method: query.Get("method"), WayBack: view.WayBack{Return: id}})
	return nil
}

// mfaOver goes on after a second step that is done, in this tab or another, and else to the login page.
func mfaOver(c *web.Call, id string) error {
	if c.Entry == nil {
		c.Redirect(http.StatusSeeOther, c.Base+"/login?r="+url.QueryEscape(id))
		return nil
	}
	c.Redirect(http.StatusSeeOther, afterSecondStep(c, shownCodes(c), id))
	return nil
}

// afterSecondStep is where a sign-in goes on: new recovery codes are shown first.
func afterSecondStep(c *web.Call, codes []string, id string) string {
	if len(codes) > 0 {
		return c.Base + "/account/recovery-codes?r=" + url.QueryEscape(id)
	}
	return c.Base + "/continue?r=" + url.QueryEscape(id)
}

func mfa(c *web.Call, status int, half signin.Half, page view.MFA) {
	page.Account = halfViewer(half)
	page.Host, page.App = target(c, page.Return)
	page.Methods = half.Methods
	page.PasskeyBegin = c.Base + "/api/v1/login/passkey/begin?step=second"
	page.Here = c.Base + "/mfa?r=" + url.QueryEscape(page.Return)
	if page.Shown() != view.MethodRecovery { // a browser used in an emergency is often a borrowed one
		page.TrustDays = int(signin.TrustLife / (24 * time.Hour))
	}
	c.Render(status, page)
}

// SubmitMFA takes the second step.
func SubmitMFA(c *web.Call) error {
	form, err := web.ReadForm(c.R)
	if err != nil {
		return err
	}
	id := form.Get(view.FieldReturn)
	if form.Get(view.FieldAction) == view.ActionStartOver {
		c.Browser().DropHalf()
		c.Redirect(http.StatusSeeOther, c.Base+"/login?r="+url.QueryEscape(id))
		return nil
	}
	key, half, ok, err := halfOf(c)
	if err != nil {
		return err
	}
	if !ok {
		return mfaOver(c, id)
	}
	enrol := form.Get(view.FieldAction) == view.ActionEnrol
	var signed signin.SignedIn
	if err = web.TypedCode(form.Get(view.FieldMethod), form.Get(view.FieldCode)); err == nil {
		signed, err = secondStep(c, form, key, enrol)
	}
	switch {
	case err != nil && enrol:
		return enrolFailed(c, err, key, half, id)
	case err != nil:
		return mfaFailed(c, err, view.MFA{Method: form.Get(view.FieldMethod), WayBack: view.WayBack{Return: id,
			Fragment: form.Get(view.FieldFragment)}, Trust: form.Get(view.FieldTrust) == "on"})
	}
	c.Browser().EndOldSession()
	id = keepFragment(c, id, form.Get(view.FieldFragment))
	c.Browser().SignedIn(signed, signed.Session.Remember)
	to := afterSecondStep(c, signed.Codes, id)
	if signed.RecoveryUsed {
		to += "&recovery=1"
	}
	c.Redirect(http.StatusSeeOther, to)
	return nil
}

func secondStep(c *web.Call, form url.Values, key signin.HalfKey, enrol bool) (signin.SignedIn, error) {
	by := c.Anonymous()
	device := c.Browser().DeviceCookie()
	in := signin.SecondStep{Key: key, Method: form.Get(view.FieldMethod), Code: form.Get(view.FieldCode),
		Bound: c.Browser().FlowCookie(), Enrol: enrol,
		Trust: form.Get(view.FieldTrust) == "on" && !enrol, Device: device, Address: c.Address(), By: by}
	if in.Method == view.MethodPasskey {
		var err error
		if in.Passkey, err = web.PasskeyAnswer([]byte(form.Get(view.FieldPasskey))); err != nil {
			return signin.SignedIn{}, err
		}
	}
	return c.SignIn.HalfSignIns.Complete(c.Context(), in)
}

func mfaFailed(c *web.Call, err error, page view.MFA) error {
	known, ok := web.KnownError(err)
	if !ok {
		return err
	}
	_, half, still, halfErr := halfOf(c)
	switch {
	case halfErr == nil && !still && known.Code == identity.CodeInvalidCode: // it was the last try
		return secondStepOver(c, page.Return, "problem.codes_over")
	case known.Code == identity.CodeLoginRequired, halfErr == nil && !still:
		return secondStepOver(c, page.Return, "problem.sign_in_over")
	}
	if halfErr != nil {
		return halfErr
	}
	c.RateFields(err)
	status, field := problem.Status(known.Code), view.FieldCode
	if page.Method == view.MethodPasskey {
		field = ""
	}
	switch known.Code {
	case identity.CodeInvalidCode, identity.CodeInvalidCredentials:
		page.Problems = []view.Problem{web.CodeProblem(known, page.Method, field)}
		// a pause comes before this sign-in is over
		if left, pause := web.TriesLeft(err); left > 0 && left <= half.Tries {
			page.TriesLeft, page.Pause = left, pause
		} else if page.Method != view.MethodPasskey {
			page.Problems = append(page.Problems, view.Problem{Field: field, Key: "problem.tries_left", N: half.Tries})
		}
	case identity.CodeInvalidRequest:
		page.Problems, status = []view.Problem{web.CodeProblem(known, page.Method, field)},
			http.StatusUnprocessableEntity
	case identity.CodeRateLimited:
		page.Wait = c.WaitFor(known)
	default:
		return err
	}
	mfa(c, status, half, page)
	return nil
}

// passkeyElsewhere shows a user whose only factors are passkeys of other hosts where to go: nothing here can complete
// the sign-in.
func passkeyElsewhere(c *web.Call, id string) error {
	c.Browser().DropHalf()
	words := "Your passkey is for another address of this service. Sign in there."
	login(c, http.StatusForbidden, id, view.Login{Problems: []view.Problem{{Text: words}}})
	return nil
}

// secondStepOver answers a code for a sign-in that is gone: it took too long, or every try is used up.
func secondStepOver(c *web.Call, id, words string) error {
	c.Flows.Cookie(c.W, c.Credential)
	login(c, http.StatusUnauthorized, id, view.Login{Problems: []view.Problem{{Key: words}}})
	return nil
}
