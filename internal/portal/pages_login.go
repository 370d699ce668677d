package portal

import (
	"net/http"
	"net/url"
	"time"

	"github.com/truxeio/caddy-truxe/internal/account"
	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/problem"
)

// pageLogin shows the login form, or goes on when the visitor is signed in.
func pageLogin(c *call) error {
	query := c.r.URL.Query()
	if c.PortalHost != "" && c.PortalHost != c.host {
		target := localPath(query.Get("return"))
		if target == "" {
			target = c.Base + "/"
		}
		to, err := c.Flows.LoginURL(c.w, c.r, c.credential, target)
		if err != nil {
			return err
		}
		c.redirect(http.StatusFound, to)
		return nil
	}
	id := query.Get("r")
	stay := query.Get("switch") != "" || query.Get("back") != ""
	if target := localPath(query.Get("return")); target != "" && c.entry != nil && !stay {
		c.redirect(http.StatusFound, target)
		return nil
	}
	if target := localPath(query.Get("return")); id == "" && target != "" {
		var err error
		if id, err = c.Flows.begin(c.ctx(), c.w, c.r, c.credential, target); err != nil {
			return err
		}
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
	if way, ok := c.Flows.way(c.ctx(), id); ok {
		page.Host, page.App = way.Host, c.appName(way.Host)
	} else if id != "" && id != goBack {
		page.FlowGone = true
	}
	c.View.Render(c.w, c.r, status, page)
}

// goBack in place of an id: the sign-in happens in a second tab, and ends with "Go back to the other tab".
const goBack = "back"

func (c *call) appName(host string) string {
	for _, s := range c.Sites {
		if s.Host == host {
			return s.Name
		}
	}
	return ""
}

// submitLogin checks the password. A form without its flow cookie is refused: it could be another site's way of signing
// the visitor in as somebody else (CS-02).
func submitLogin(c *call) error {
	form, err := c.pageForm()
	if err != nil {
		return err
	}
	id := form.Get(view.FieldReturn)
	page := view.Login{Username: form.Get(view.FieldUsername), Remember: form.Get(view.FieldRemember) == "on", Fragment: form.Get(view.FieldFragment)}
	if sentFlow(c.credential) == "" {
		c.Flows.flow(c.w, c.credential)
		page.CookiesBlocked, page.Host = true, c.host
		c.login(http.StatusBadRequest, id, page)
		return nil
	}
	device, _ := c.credential.CookieNamed(authn.DeviceCookie)
	by := c.by()
	by.Principal = nil
	signed, err := c.Accounts.SignIn(c.ctx(), account.SignIn{Login: page.Username, Password: form.Get(view.FieldPassword), Address: c.address(),
		Device: device, Remember: page.Remember, Kind: "browser", By: by})
	if err != nil {
		return c.loginFailed(err, id, page)
	}
	c.endOldSession()
	c.signedIn(signed, page.Remember)
	if way, ok := c.Flows.way(c.ctx(), id); ok && page.Fragment != "" && len(page.Fragment) <= 2048 {
		way.Fragment = page.Fragment
		if err := c.Flows.save(c.ctx(), id, way); err != nil {
			c.Accounts.Logger.Warn("the fragment of a way back was lost", "error", err)
		}
	}
	c.redirect(http.StatusSeeOther, c.Base+"/continue?r="+url.QueryEscape(id))
	return nil
}

func (c *call) loginFailed(err error, id string, page view.Login) error {
	known, ok := asError(err)
	if !ok {
		return err
	}
	c.rateFields(err)
	switch known.Code {
	case identity.CodeInvalidCredentials:
		page.Problems = []view.Problem{{Text: known.Detail}}
	case identity.CodeRateLimited:
		page.Wait = view.Wait{Until: c.Now().Add(known.RetryAfter), For: known.RetryAfter}
	case identity.CodeBusy, identity.CodeStateUnavailable:
		page.Problems = []view.Problem{{Text: problem.Detail(known.Code)}}
		page.Wait = view.Wait{}
		c.w.Header().Set("Retry-After", retryAfter(known))
	default:
		return err
	}
	c.login(problem.Status(known.Code), id, page)
	return nil
}

// endOldSession ends the session that this browser had: a sign-in gives a new id and the old one is dead (SE-02).
func (c *call) endOldSession() {
	if c.entry == nil || c.entry.Principal.Credential != identity.CredentialCookie {
		return
	}
	user, session, err := c.own()
	if err == nil {
		err = c.Accounts.EndSession(c.ctx(), c.by(), user, session)
	}
	if err != nil && identity.CodeOf(err) != identity.CodeNotFound {
		c.Accounts.Logger.Warn("could not end the session before a new sign-in", "error", err)
	}
}

// signedIn hands the browser its cookies.
func (c *call) signedIn(s account.SignedIn, remember bool) {
	life := time.Duration(0)
	if remember {
		life = s.Session.Expires.Sub(c.Now())
	}
	c.w.Header().Add("Set-Cookie", cookieText(authn.SessionCookie, s.Secret, life))
	if s.Device != "" {
		c.w.Header().Add("Set-Cookie", cookieText(authn.DeviceCookie, s.Device, account.DeviceLife))
	}
}

func (c *call) setSession(value string, expires time.Time) {
	c.w.Header().Add("Set-Cookie", SessionCookie(value, expires, c.Now()))
}

// SessionCookie is the Set-Cookie header of a session that ends at a time.
func SessionCookie(value string, expires, now time.Time) string {
	life := time.Duration(0)
	if left := expires.Sub(now); left > 48*time.Hour { // it was kept with "Keep me signed in"
		life = left
	}
	return cookieText(authn.SessionCookie, value, life)
}

func (c *call) clearCookie(name string) {
	c.w.Header().Add("Set-Cookie", name+"=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax")
}

// pageContinue leads on after a form: 200 with Refresh, since a redirect would be judged by form-action at every hop
// and could be blocked (UX section 1.1).
func pageContinue(c *call) error {
	id := c.r.URL.Query().Get("r")
	if c.entry == nil {
		c.redirect(http.StatusFound, c.Base+"/login?r="+url.QueryEscape(id))
		return nil
	}
	if id == goBack {
		c.View.Render(c.w, c.r, http.StatusOK, view.SignedInGoBack{Viewer: c.viewer(), Host: c.host})
		return nil
	}
	return c.goOn(id, http.StatusOK)
}

// goOn sends a signed-in visitor where they wanted to go: on this host, or with a ticket to another one.
func (c *call) goOn(id string, status int) error {
	way, ok := c.Flows.way(c.ctx(), id)
	to, host, fragment := c.Base+"/", c.host, ""
	switch {
	case !ok || way.Host == c.host && !way.of(c.host, sentFlow(c.credential)):
		if id != "" {
			to += "?gone=1"
		}
	case way.Host == c.host:
		to, fragment = way.Target, way.Fragment
	case c.PortalHost == c.host && c.protects(way.Host):
		code, err := c.Accounts.Ticket(c.ctx(), c.entry.Principal, way.Host, way.Flow)
		if err != nil {
			return err
		}
		to = way.Origin + c.Base + "/callback?ticket=" + url.QueryEscape(code) + "&r=" + url.QueryEscape(id)
		host = way.Host
	}
	if status == http.StatusFound {
		c.redirect(status, to)
		return nil
	}
	c.View.Render(c.w, c.r, status, view.Continue{Target: to, Host: host, App: c.appName(host), Fragment: fragment})
	return nil
}

// protects tells whether this configuration stands in front of a host; no ticket is ever made for another.
func (c *call) protects(host string) bool {
	for _, s := range c.Sites {
		if s.Host == host || s.Host == "" {
			return true
		}
	}
	return false
}

// pageCallback turns a one-time ticket into a session of this host (SE-05). A ticket that is used, old, for another host
// or another browser leads back to the start, once, with words.
func pageCallback(c *call) error {
	query := c.r.URL.Query()
	way, ok := c.Flows.way(c.ctx(), query.Get("r"))
	flow := sentFlow(c.credential)
	if !ok || !way.of(c.host, flow) {
		if c.entry != nil {
			c.redirect(http.StatusFound, c.Base+"/?gone=1")
			return nil
		}
		return &identity.Error{Code: identity.CodeInvalidRequest, Detail: "This sign-in was begun in another browser or a while ago. Open the app again."}
	}
	if c.entry == nil {
		signed, err := c.Accounts.SignInWithTicket(c.ctx(), query.Get("ticket"), c.host, flowHash(flow), c.by())
		if err != nil {
			return err
		}
		c.signedIn(signed, signed.Session.Remember)
	}
	target := way.Target
	if way.Fragment != "" {
		target += "#" + way.Fragment
	}
	c.redirect(http.StatusFound, target)
	return nil
}
