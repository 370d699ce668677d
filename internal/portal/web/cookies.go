package web

import (
	"time"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/cookie"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/secret"
	"github.com/truxeio/caddy-truxe/internal/signin"
)

// FlowCookie returns the flow cookie that came with the request, "" without a valid one.
func (c *Call) FlowCookie() string { return sentFlow(c.Credential) }

func sentFlow(c authn.Credential) string {
	value, n := c.CookieNamed(cookie.Flow)
	if _, ok := secret.ParseSessionSecret(value); n != 1 || !ok {
		return ""
	}
	return value
}

// DeviceCookie returns the first device cookie that came with the request, "" without one.
func (c *Call) DeviceCookie() string {
	value, _ := c.Credential.CookieNamed(cookie.Device)
	return value
}

// ThisDevice returns the id of the record behind this browser's device cookie, zero without one.
func (c *Call) ThisDevice(user identity.ID) identity.ID {
	value, n := c.Credential.CookieNamed(cookie.Device)
	if n != 1 {
		return identity.ID{}
	}
	return c.SignIn.Devices.ID(c.Context(), user, value)
}

// SignedIn hands the browser its cookies.
func (c *Call) SignedIn(s signin.SignedIn, remember bool) {
	c.setSession(s.Secret, remember, s.Session.Expires)
	if s.Device != "" {
		cookie.Add(c.W.Header(), cookie.Device, s.Device, signin.DeviceLife)
	}
}

// SetSession hands the browser the new secret of its session; "" changes nothing.
func (c *Call) SetSession(value string) {
	if p := c.Entry.Principal; value != "" {
		c.setSession(value, p.Remember, p.Expires)
	}
}

func (c *Call) setSession(value string, remember bool, expires time.Time) {
	c.W.Header().Add("Set-Cookie", cookie.SessionField(value, remember, expires, c.Now()))
}

// SignedOut has the browser forget the session and what it keeps of this host's pages, the back-forward cache included
// (Clear-Site-Data, W3C). Only the cache: "storage" would end service workers, and drafts and settings of the app with them.
func (c *Call) SignedOut() {
	cookie.Clear(c.W.Header(), cookie.Session)
	c.W.Header().Set("Clear-Site-Data", `"cache"`)
}

// DropHalf ends a half sign-in that this browser began and does not need any more.
func (c *Call) DropHalf() {
	flow := c.FlowCookie()
	if flow == "" {
		return
	}
	if err := c.SignIn.HalfSignIns.StartOver(c.Context(), signin.BrowserHalf(flow)); err != nil {
		c.Changes.Logger.Warn("could not end a half sign-in", "error", err)
	}
}

// EndOldSession ends the session that this browser had: a sign-in gives a new id and the old one is dead (SE-02).
func (c *Call) EndOldSession() {
	if c.Entry == nil || c.Entry.Principal.Credential != identity.CredentialCookie {
		return
	}
	user, session, err := c.Own()
	if err == nil {
		err = c.SignIn.Sessions.End(c.Context(), c.By(), user, session)
	}
	if err != nil && identity.CodeOf(err) != identity.CodeNotFound {
		c.Changes.Logger.Warn("could not end the session before a new sign-in", "error", err)
	}
}
