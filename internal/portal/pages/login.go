// Package pages has the pages for users: signing in and out, and their own account. Handlers are thin: they read a
// call, ask the rooms below and fill a model of package view.
package pages

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/origin"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
	"github.com/truxeio/caddy-truxe/internal/problem"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/signin"
)

// Login shows the login form, or goes on when the visitor is signed in.
func Login(c *web.Call) error {
	query := c.R.URL.Query()
	back := query.Get("back") != ""
	target, other := c.RequestedReturn(query)
	if other != "" && !back {
		c.Redirect(http.StatusFound, other)
		return nil
	}
	if c.Elsewhere() {
		switch {
		case back: // the sign-in has to end on this host, in this tab (UX section 1.2)
			target = c.Base + "/continue?r=" + goBack
		case target == "":
			target = c.Base + "/"
		}
		c.Redirect(http.StatusFound, c.Flows.LoginURL(c.W, c.R, c.Credential, target))
		return nil
	}
	id := query.Get("r")
	stay := query.Get("switch") != "" || back
	if target != "" && c.Entry != nil && !stay {
		c.Redirect(http.StatusFound, target)
		return nil
	}
	if id == "" && target != "" {
		id = c.Flows.Begin(c.W, c.R, c.Credential, target, identity.Assurance{})
	} else {
		c.Flows.Cookie(c.W, c.Credential)
	}
	if c.Entry != nil && !stay {
		return redirectToTarget(c, id, http.StatusFound)
	}
	login(c, http.StatusOK, id, view.Login{})
	return nil
}

// login renders the form; what the model already says is kept.
func login(c *web.Call, status int, id string, page view.Login) {
	page.Return = id
	page.RememberDays = int(c.Remember / (24 * time.Hour))
	if c.R.URL.Query().Get("back") != "" {
		page.Return = goBack
	}
	page.Here = c.Base + "/login?r=" + url.QueryEscape(page.Return)
	page.Passkeys = passkeysHere(c)
	if way, ok := c.Flows.Open(c.Context(), id); ok {
		page.Host, page.App = way.Host, appName(c, way.Host)
	} else if id != "" && id != goBack {
		page.FlowGone = true
	}
	c.Render(status, page)
}

// passkeysHere reports whether browsers can have passkeys on this host.
func passkeysHere(c *web.Call) bool {
	_, named := c.Origins.Main(c.Host)
	return named && credential.PasskeysPossible(c.Host)
}

// goBack in place of an id: the sign-in happens in a second tab, and ends with "Go back to the other tab".
const goBack = "back"

func appName(c *web.Call, host string) string {
	name := ""
	for _, s := range c.Sites {
		if s.Host == host {
			return s.Name
		}
		if name == "" && host != "" && origin.Covers(s.Host, host) {
			name = s.Name
		}
	}
	return name
}

// SubmitLogin takes the first step: a password, or a passkey, which is the only one. A form without its flow cookie is
// refused: it could be another site's way of signing the visitor in as another user (CS-02).
func SubmitLogin(c *web.Call) error {
	if c.Elsewhere() {
		c.Redirect(http.StatusSeeOther, c.Home("/login"))
		return nil
	}
	form, err := web.ReadForm(c.R)
	if err != nil {
		return err
	}
	id := form.Get(view.FieldReturn)
	page := view.Login{Username: form.Get(view.FieldUsername), Remember: form.Get(view.FieldRemember) == "on",
		WayBack: view.WayBack{Fragment: form.Get(view.FieldFragment)}}
	flow := c.Browser().FlowCookie()
	if flow == "" {
		c.Flows.Cookie(c.W, c.Credential)
		page.CookiesBlocked, page.Host = true, c.Host
		login(c, http.StatusBadRequest, id, page)
		return nil
	}
	signed, err := firstStep(c, form, flow, page.Remember)
	if err != nil {
		return loginFailed(c, err, id, page, form.Get(view.FieldPasskey) != "")
	}
	c.Browser().EndOldSession()
	id = keepFragment(c, id, page.Fragment)
	if signed.Half != nil { // no one is signed in yet, even if someone was before (R6)
		authn.ClearCookie(c.W.Header(), authn.SessionCookie)
		c.Redirect(http.StatusSeeOther, c.Base+"/mfa?r="+url.QueryEscape(id))
		return nil
	}
	c.Browser().DropHalf()
	c.Browser().SignedIn(signed, page.Remember)
	c.Redirect(http.StatusSeeOther, c.Base+"/continue?r="+url.QueryEscape(id))
	return nil
}

func firstStep(c *web.Call, form url.Values, flow string, remember bool) (signin.SignedIn, error) {
	device := c.Browser().DeviceCookie()
	by := c.Anonymous()
	if text := form.Get(view.FieldPasskey); text != "" {
		answer, err := web.PasskeyAnswer([]byte(text))
		if err != nil {
			return signin.SignedIn{}, err
		}
		return c.SignIn.SignIns.WithPasskey(c.Context(), signin.PasskeyTry{Answer: answer, Bound: flow, Device: device,
			Remember: remember, Kind: session.Browser,
			Address: c.Address(), By: by})
	}
	return c.SignIn.SignIns.WithPassword(c.Context(), signin.PasswordTry{Login: form.Get(view.FieldUsername),
		Password: form.Get(view.FieldPassword), Address: c.Address(),
		Device: device, Flow: flow, Remember: remember, Kind: session.Browser, By: by})
}

// keepFragment adds what followed # to the way back, since a form's answer loses it (UX section 1.4), and returns the
// id of the way with it.
func keepFragment(c *web.Call, id, fragment string) string {
	if fragment == "" || !web.IsFragment(fragment) {
		return id
	}
	way, ok := c.Flows.Open(c.Context(), id)
	if !ok || way.Fragment == fragment {
		return id
	}
	way.Fragment = fragment
	return c.Flows.Seal(c.Context(), way)
}

func loginFailed(c *web.Call, err error, id string, page view.Login, passkey bool) error {
	known, ok := web.KnownError(err)
	if !ok {
		return err
	}
	c.RateFields(err)
	status := problem.Status(known.Code)
	switch {
	case passkey && (known.Code == identity.CodeInvalidCredentials || known.Code == identity.CodeInvalidCode ||
		known.Code == identity.CodeInvalidRequest):
		page.Problems = []view.Problem{{Key: "problem.passkey_wrong"}}
		var unknown *signin.UnknownPasskey
		if errors.As(err, &unknown) {
			page.Signal = view.PasskeySignal{RPID: c.Host, Unknown: unknown.CredentialID}
		}
	case known.Code == identity.CodeInvalidCredentials:
		page.Problems = []view.Problem{{Text: known.Detail}}
		page.TriesLeft, page.Pause = web.TriesLeft(err)
	case known.Code == identity.CodeRateLimited:
		page.Wait = c.WaitFor(known)
	case known.Code == identity.CodeBusy, known.Code == identity.CodeStateUnavailable:
		page.Problems = []view.Problem{{Text: problem.Detail(known.Code)}}
		c.RetryAfter(known)
	default:
		return err
	}
	login(c, status, id, page)
	return nil
}
