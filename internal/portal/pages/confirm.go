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

// proof is what a step-up is for: a way into an app that asks for more, or an action on our own pages.
type proof struct {
	name string // id of the way, or name of the action: what the form carries
	ask  identity.Assurance
	met  bool
	way  *web.Way
	act  web.ConfirmAction
}

// asked reads what a confirmation is for. A way that is gone, or anything else unknown, is a plain confirmation.
func asked(c *web.Call, name string) (proof, error) {
	if way, ok := c.Flows.Open(c.Context(), name); ok && way.Ask != (identity.Assurance{}) {
		return proof{name: name, ask: way.Ask, met: way.Ask.Unmet(c.Entry.Principal, c.Now()) == "", way: &way}, nil
	}
	action, ok := web.ConfirmActions[name]
	if !ok {
		name, action = "", web.ConfirmActions[""]
	}
	err := c.CheckFresh()
	ask, due := web.StepUp(err)
	if err != nil && !due {
		return proof{}, err
	}
	return proof{name: name, ask: ask, met: !due, act: action}, nil
}

// after is where a confirmation leads.
func after(c *web.Call, a proof) string {
	if a.way != nil {
		return c.Base + "/continue?r=" + url.QueryEscape(a.name)
	}
	return c.Base + a.act.Back
}

// Confirm asks for a factor again. ?r= names a way or an action, ?for= an action, ?back=1 is a second tab beside a
// form that waits for it (UX section 1.2).
func Confirm(c *web.Call) error {
	query := c.R.URL.Query()
	name := query.Get("r")
	if name == "" {
		name = query.Get("for")
	}
	if query.Get("back") != "" {
		id := inSecondTab(c, name, web.AskOf(query))
		c.Redirect(http.StatusFound, c.Home("/confirm?r="+url.QueryEscape(id)))
		return nil
	}
	if c.Elsewhere() {
		return c.ToPortal()
	}
	a, err := asked(c, name)
	if err != nil {
		return err
	}
	if a.met {
		if a.way != nil {
			return redirectToTarget(c, a.name, http.StatusFound)
		}
		c.Redirect(http.StatusFound, after(c, a))
		return nil
	}
	return confirm(c, http.StatusOK, a, view.Confirm{Method: query.Get("method")})
}

// inSecondTab returns the way of a step-up that ends with "Confirmed. Go back to the other tab" on this host.
func inSecondTab(c *web.Call, name string, ask identity.Assurance) string {
	if way, ok := c.Flows.Open(c.Context(), name); ok {
		ask = way.Ask
	}
	if ask == (identity.Assurance{}) {
		return name
	}
	return c.Flows.Begin(c.W, c.R, c.Credential, c.Base+"/continue?r="+confirmed, ask)
}

func confirm(c *web.Call, status int, a proof, page view.Confirm) error {
	methods, missing, err := c.SignIn.Confirmations.Methods(c.Context(), c.By(), a.ask, c.Host)
	if err != nil {
		return err
	}
	page.Viewer, page.Methods, page.Missing = c.Viewer(), methods, missing
	page.Return, page.PasskeyBegin = a.name, c.Base+"/api/v1/confirm/passkey/begin"
	page.Minutes = int(a.ask.MaxAge / time.Minute)
	if a.way != nil {
		page.Action, page.Host, page.Cancel = "confirm.open", a.way.Host, c.Base+"/"
	} else {
		page.Action, page.Cancel = a.act.Words, c.Base+a.act.Back
		if a.act.Cancel != "" {
			page.Cancel = c.Base + a.act.Cancel
		}
	}
	c.Render(status, page)
	return nil
}

// SubmitConfirm checks a factor again, renews the session's secret and goes on.
func SubmitConfirm(c *web.Call) error {
	if c.Elsewhere() {
		return c.ToPortal()
	}
	form, err := web.ReadForm(c.R)
	if err != nil {
		return err
	}
	a, err := asked(c, form.Get(view.FieldReturn))
	if err != nil {
		return err
	}
	step := signin.ConfirmStep{Method: form.Get(view.FieldMethod), Password: form.Get(view.FieldPassword),
		Code:    form.Get(view.FieldCode),
		Address: c.Address(), By: c.By()}
	if step.Method == "" {
		step.Method = view.MethodPassword
	}
	if step.Method == view.MethodPasskey {
		step.Passkey, err = web.PasskeyAnswer([]byte(form.Get(view.FieldPasskey)))
	}
	if err == nil {
		err = web.TypedCode(step.Method, step.Code)
	}
	var cookie string
	if err == nil {
		cookie, err = c.SignIn.Confirmations.Confirm(c.Context(), step)
	}
	if err != nil {
		return confirmFailed(c, err, a, step.Method)
	}
	c.Browser().SetSession(cookie)
	to := after(c, a)
	if step.Method == view.MethodRecovery { // how many are left comes first (MF-11)
		to = c.Base + "/continue?recovery=1&r=" + url.QueryEscape(a.name)
	}
	c.Redirect(http.StatusSeeOther, to)
	return nil
}

func confirmFailed(c *web.Call, err error, a proof, method string) error {
	known, ok := web.KnownError(err)
	if !ok {
		return err
	}
	c.RateFields(err)
	page, status := view.Confirm{Method: method}, problem.Status(known.Code)
	switch known.Code {
	case identity.CodeInvalidCredentials, identity.CodeInvalidCode, identity.CodeInvalidRequest:
		page.Problems = []view.Problem{web.CodeProblem(known, method, view.FieldCode)}
		if method == view.MethodPassword {
			page.Problems = []view.Problem{{Field: view.FieldPassword, Key: "problem.confirm_wrong"}}
		}
		page.TriesLeft, page.Pause = web.TriesLeft(err)
		if status != http.StatusUnauthorized || method == view.MethodPassword {
			status = http.StatusUnprocessableEntity
		}
	case identity.CodeRateLimited:
		page.Wait = c.WaitFor(known)
	case identity.CodeBusy:
		c.RetryAfter(known)
		page.Problems = []view.Problem{{Text: problem.Detail(known.Code)}}
	default:
		return err
	}
	return confirm(c, status, a, page)
}
