package portal

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
	"github.com/truxeio/caddy-truxe/internal/problem"
	"github.com/truxeio/caddy-truxe/internal/signin"
)

// pageLogin shows the login form, or goes on when the visitor is signed in.
func pageLogin(c *call) error {
	query := c.r.URL.Query()
	back := query.Get("back") != ""
	target, other := c.asksFor(query)
	if other != "" && !back {
		c.redirect(http.StatusFound, other)
		return nil
	}
	if c.elsewhere() {
		switch {
		case back: // the sign-in has to end on this host, in this tab (UX section 1.2)
			target = c.Base + "/continue?r=" + goBack
		case target == "":
			target = c.Base + "/"
		}
		c.redirect(http.StatusFound, c.Flows.LoginURL(c.w, c.r, c.credential, target))
		return nil
	}
	id := query.Get("r")
	stay := query.Get("switch") != "" || back
	if target != "" && c.entry != nil && !stay {
		c.redirect(http.StatusFound, target)
		return nil
	}
	if id == "" && target != "" {
		id = c.Flows.begin(c.w, c.r, c.credential, target, identity.Assurance{})
	} else {
		c.Flows.flow(c.w, c.credential)
	}
	if c.entry != nil && !stay {
		return c.goOn(id, http.StatusFound)
	}
	c.login(http.StatusOK, id, view.Login{})
	return nil
}

// login renders the form; what the model already says is kept.
func (c *call) login(status int, id string, page view.Login) {
	page.Return = id
	page.RememberDays = int(c.Remember / (24 * time.Hour))
	if c.r.URL.Query().Get("back") != "" {
		page.Return = goBack
	}
	page.Here = c.Base + "/login?r=" + url.QueryEscape(page.Return)
	page.Passkeys = c.passkeysHere()
	if way, ok := c.Flows.way(c.ctx(), id); ok {
		page.Host, page.App = way.Host, c.appName(way.Host)
	} else if id != "" && id != goBack {
		page.FlowGone = true
	}
	c.View.Render(c.w, c.r, status, page)
}

// passkeysHere tells whether browsers can have passkeys on this host.
func (c *call) passkeysHere() bool {
	_, named := c.Origins.Main(c.host)
	return named && credential.PasskeysPossible(c.host)
}

// goBack in place of an id: the sign-in happens in a second tab, and ends with "Go back to the other tab".
const goBack = "back"

func (c *call) appName(host string) string {
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

// submitLogin takes the first step: a password, or a passkey, which is the only one. A form without its flow cookie is
// refused: it could be another site's way of signing the visitor in as somebody else (CS-02).
func submitLogin(c *call) error {
	if c.elsewhere() {
		c.redirect(http.StatusSeeOther, c.home("/login"))
		return nil
	}
	form, err := c.pageForm()
	if err != nil {
		return err
	}
	id := form.Get(view.FieldReturn)
	page := view.Login{Username: form.Get(view.FieldUsername), Remember: form.Get(view.FieldRemember) == "on", Fragment: form.Get(view.FieldFragment)}
	flow := sentFlow(c.credential)
	if flow == "" {
		c.Flows.flow(c.w, c.credential)
		page.CookiesBlocked, page.Host = true, c.host
		c.login(http.StatusBadRequest, id, page)
		return nil
	}
	signed, err := c.firstStep(form, flow, page.Remember)
	if err != nil {
		return c.loginFailed(err, id, page, form.Get(view.FieldPasskey) != "")
	}
	c.endOldSession()
	id = c.keepFragment(id, page.Fragment)
	if signed.Half != nil { // nobody is signed in yet, whoever was before (R6)
		c.clearCookie(authn.SessionCookie)
		c.redirect(http.StatusSeeOther, c.Base+"/mfa?r="+url.QueryEscape(id))
		return nil
	}
	c.dropHalf()
	c.signedIn(signed, page.Remember)
	c.redirect(http.StatusSeeOther, c.Base+"/continue?r="+url.QueryEscape(id))
	return nil
}

func (c *call) firstStep(form url.Values, flow string, remember bool) (signin.SignedIn, error) {
	device, _ := c.credential.CookieNamed(authn.DeviceCookie)
	by := c.by()
	by.Principal = nil
	if text := form.Get(view.FieldPasskey); text != "" {
		answer, err := passkeyAnswer([]byte(text))
		if err != nil {
			return signin.SignedIn{}, err
		}
		return c.SignIn.SignIns.WithPasskey(c.ctx(), signin.PasskeyTry{Answer: answer, Bound: flow, Device: device, Remember: remember, Kind: kindBrowser,
			Address: c.address(), By: by})
	}
	return c.SignIn.SignIns.WithPassword(c.ctx(), signin.PasswordTry{Login: form.Get(view.FieldUsername), Password: form.Get(view.FieldPassword), Address: c.address(),
		Device: device, Flow: flow, Remember: remember, Kind: kindBrowser, By: by})
}

// Kinds of sessions.
const (
	kindBrowser = "browser"
	kindAPI     = "api"
)

// dropHalf ends a half sign-in that this browser began and does not need any more.
func (c *call) dropHalf() {
	flow := sentFlow(c.credential)
	if flow == "" {
		return
	}
	if err := c.SignIn.HalfSignIns.StartOver(c.ctx(), signin.BrowserHalf(flow)); err != nil {
		c.Changes.Logger.Warn("could not end a half sign-in", "error", err)
	}
}

// keepFragment adds what followed # to the way back, since a form's answer loses it (UX section 1.4), and returns the id
// of the way with it.
func (c *call) keepFragment(id, fragment string) string {
	if fragment == "" || !isFragment(fragment) {
		return id
	}
	way, ok := c.Flows.way(c.ctx(), id)
	if !ok || way.Fragment == fragment {
		return id
	}
	way.Fragment = fragment
	return c.Flows.seal(c.ctx(), way)
}

func (c *call) loginFailed(err error, id string, page view.Login, passkey bool) error {
	known, ok := asError(err)
	if !ok {
		return err
	}
	c.rateFields(err)
	status := problem.Status(known.Code)
	switch {
	case passkey && (known.Code == identity.CodeInvalidCredentials || known.Code == identity.CodeInvalidCode || known.Code == identity.CodeInvalidRequest):
		page.Problems = []view.Problem{{Key: "problem.passkey_wrong"}}
		var unknown *signin.UnknownPasskey
		if errors.As(err, &unknown) {
			page.Signal = view.PasskeySignal{RPID: c.host, Unknown: unknown.CredentialID}
		}
	case known.Code == identity.CodeInvalidCredentials:
		page.Problems = []view.Problem{{Text: known.Detail}}
		page.TriesLeft, page.Pause = triesLeft(err)
	case known.Code == identity.CodeRateLimited:
		page.Wait = c.waitFor(known)
	case known.Code == identity.CodeBusy, known.Code == identity.CodeStateUnavailable:
		page.Problems = []view.Problem{{Text: problem.Detail(known.Code)}}
		c.w.Header().Set("Retry-After", retryAfter(known))
	default:
		return err
	}
	c.login(status, id, page)
	return nil
}

// fewTries is when a page begins to say how many tries are left.
const fewTries = 2

// endOldSession ends the session that this browser had: a sign-in gives a new id and the old one is dead (SE-02).
func (c *call) endOldSession() {
	if c.entry == nil || c.entry.Principal.Credential != identity.CredentialCookie {
		return
	}
	user, session, err := c.own()
	if err == nil {
		err = c.SignIn.Sessions.End(c.ctx(), c.by(), user, session)
	}
	if err != nil && identity.CodeOf(err) != identity.CodeNotFound {
		c.Changes.Logger.Warn("could not end the session before a new sign-in", "error", err)
	}
}

// signedIn hands the browser its cookies.
func (c *call) signedIn(s signin.SignedIn, remember bool) {
	c.w.Header().Add("Set-Cookie", SessionCookie(s.Secret, remember, s.Session.Expires, c.Now()))
	if s.Device != "" {
		c.w.Header().Add("Set-Cookie", cookieText(authn.DeviceCookie, s.Device, signin.DeviceLife))
	}
}

// setSession hands the browser the new secret of its session; "" changes nothing.
func (c *call) setSession(value string) {
	if p := c.entry.Principal; value != "" {
		c.w.Header().Add("Set-Cookie", SessionCookie(value, p.Remember, p.Expires, c.Now()))
	}
}

// SessionCookie is the Set-Cookie header of a session. The cookie of a session that was kept with "Keep me signed in" lasts
// as long as the session, any other ends with the browser.
func SessionCookie(value string, remember bool, expires, now time.Time) string {
	life := time.Duration(0)
	if remember {
		life = expires.Sub(now)
	}
	return cookieText(authn.SessionCookie, value, life)
}

func (c *call) clearCookie(name string) {
	c.w.Header().Add("Set-Cookie", name+"=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax")
}
