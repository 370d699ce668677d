package portal

import (
	"net/http"
	"net/url"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/problem"
	"github.com/truxeio/caddy-truxe/internal/signin"
)

// asked is what a step-up is for: a way into an app that asks for more, or an action on our own pages.
type asked struct {
	name string // id of the way, or name of the action: what the form carries
	ask  identity.Assurance
	met  bool
	way  *Way
	act  confirmAction
}

// asked reads what a confirmation is for. A way that is gone, or anything else unknown, is a plain confirmation.
func (c *call) asked(name string) (asked, error) {
	if way, ok := c.Flows.way(c.ctx(), name); ok && way.Ask != (identity.Assurance{}) {
		return asked{name: name, ask: way.Ask, met: way.Ask.Unmet(c.entry.Principal, c.Now()) == "", way: &way}, nil
	}
	action, ok := confirmActions[name]
	if !ok {
		name, action = "", confirmActions[""]
	}
	err := c.Changes.CheckFresh(c.ctx(), c.entry.Principal)
	ask, due := stepUp(err)
	if err != nil && !due {
		return asked{}, err
	}
	return asked{name: name, ask: ask, met: !due, act: action}, nil
}

// after is where a confirmation leads.
func (c *call) after(a asked) string {
	if a.way != nil {
		return c.Base + "/continue?r=" + url.QueryEscape(a.name)
	}
	return c.Base + a.act.back
}

// askFirst leads to the confirmation of an action when err asks for one; any other error is passed on.
func (c *call) askFirst(err error, action string) error {
	if _, due := stepUp(err); due {
		c.redirect(http.StatusSeeOther, c.Base+"/confirm?for="+action)
		return nil
	}
	return err
}

// pageConfirm asks for a factor again. ?r= names a way or an action, ?for= an action, ?back=1 is a second tab beside a
// form that waits for it (UX section 1.2).
func pageConfirm(c *call) error {
	query := c.r.URL.Query()
	name := query.Get("r")
	if name == "" {
		name = query.Get("for")
	}
	if query.Get("back") != "" {
		id := c.inSecondTab(name, askOf(query))
		c.redirect(http.StatusFound, c.home("/confirm?r="+url.QueryEscape(id)))
		return nil
	}
	if c.elsewhere() {
		return c.toPortal()
	}
	a, err := c.asked(name)
	if err != nil {
		return err
	}
	if a.met {
		if a.way != nil {
			return c.goOn(a.name, http.StatusFound)
		}
		c.redirect(http.StatusFound, c.after(a))
		return nil
	}
	return c.confirm(http.StatusOK, a, view.Confirm{Method: query.Get("method")})
}

// inSecondTab makes the way of a step-up that ends with "Confirmed. Go back to the other tab" on this host.
func (c *call) inSecondTab(name string, ask identity.Assurance) string {
	if way, ok := c.Flows.way(c.ctx(), name); ok {
		ask = way.Ask
	}
	if ask == (identity.Assurance{}) {
		return name
	}
	return c.Flows.begin(c.w, c.r, c.credential, c.Base+"/continue?r="+confirmed, ask)
}

func (c *call) confirm(status int, a asked, page view.Confirm) error {
	methods, missing, err := c.SignIn.Confirmations.Methods(c.ctx(), c.by(), a.ask, c.host)
	if err != nil {
		return err
	}
	page.Viewer, page.Methods, page.Missing = c.viewer(), methods, missing
	page.Return, page.PasskeyBegin = a.name, c.Base+"/api/v1/confirm/passkey/begin"
	page.Minutes = int(a.ask.MaxAge / time.Minute)
	if a.way != nil {
		page.Action, page.Host, page.Cancel = "confirm.open", a.way.Host, c.Base+"/"
	} else {
		page.Action, page.Cancel = a.act.words, c.Base+a.act.back
		if a.act.cancel != "" {
			page.Cancel = c.Base + a.act.cancel
		}
	}
	c.View.Render(c.w, c.r, status, page)
	return nil
}

// submitConfirm checks a factor again, renews the session's secret and goes on.
func submitConfirm(c *call) error {
	if c.elsewhere() {
		return c.toPortal()
	}
	form, err := c.pageForm()
	if err != nil {
		return err
	}
	a, err := c.asked(form.Get(view.FieldReturn))
	if err != nil {
		return err
	}
	step := signin.ConfirmStep{Method: form.Get(view.FieldMethod), Password: form.Get(view.FieldPassword), Code: form.Get(view.FieldCode),
		Address: c.address(), By: c.by()}
	if step.Method == "" {
		step.Method = view.MethodPassword
	}
	if step.Method == view.MethodPasskey {
		step.Passkey, err = passkeyAnswer([]byte(form.Get(view.FieldPasskey)))
	}
	if err == nil {
		err = codeShape(step.Method, step.Code)
	}
	var cookie string
	if err == nil {
		cookie, err = c.SignIn.Confirmations.Confirm(c.ctx(), step)
	}
	if err != nil {
		return c.confirmFailed(err, a, step.Method)
	}
	c.setSession(cookie)
	to := c.after(a)
	if step.Method == view.MethodRecovery { // how many are left comes first (MF-11)
		to = c.Base + "/continue?recovery=1&r=" + url.QueryEscape(a.name)
	}
	c.redirect(http.StatusSeeOther, to)
	return nil
}

func (c *call) confirmFailed(err error, a asked, method string) error {
	known, ok := asError(err)
	if !ok {
		return err
	}
	c.rateFields(err)
	page, status := view.Confirm{Method: method}, problem.Status(known.Code)
	switch known.Code {
	case identity.CodeInvalidCredentials, identity.CodeInvalidCode, identity.CodeInvalidRequest:
		page.Problems = []view.Problem{codeProblem(known, method, view.FieldCode)}
		if method == view.MethodPassword {
			page.Problems = []view.Problem{{Field: view.FieldPassword, Key: "problem.confirm_wrong"}}
		}
		page.TriesLeft, page.Pause = triesLeft(err)
		if status != http.StatusUnauthorized || method == view.MethodPassword {
			status = http.StatusUnprocessableEntity
		}
	case identity.CodeRateLimited:
		page.Wait = c.waitFor(known)
	case identity.CodeBusy:
		c.w.Header().Set("Retry-After", retryAfter(known))
		page.Problems = []view.Problem{{Text: problem.Detail(known.Code)}}
	default:
		return err
	}
	return c.confirm(status, a, page)
}
