package web

import (
	"net/http"
	"time"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/secret"
	"github.com/truxeio/caddy-truxe/internal/signin"
)

// FlowCookie returns the flow cookie that came with the request, "" without a valid one.
func (c *Call) FlowCookie() string { return sentFlow(c.Credential) }

func sentFlow(c authn.Credential) string {
	value, n := c.CookieNamed(authn.FlowCookie)
	if _, ok := secret.ParseSessionSecret(value); n != 1 || !ok {
		return ""
	}
	return value
}

// DeviceCookie returns the first device cookie that came with the request, "" without one.
func (c *Call) DeviceCookie() string {
	value, _ := c.Credential.CookieNamed(authn.DeviceCookie)
	return value
}

// ThisDevice returns the id of the record behind this browser's device cookie, zero without one.
func (c *Call) ThisDevice(user identity.ID) identity.ID {
	value, n := c.Credential.CookieNamed(authn.DeviceCookie)
	if n != 1 {
		return identity.ID{}
	}
	return c.SignIn.Devices.ID(c.Context(), user, value)
}

// SignedIn hands the browser its cookies.
func (c *Call) SignedIn(s signin.SignedIn, remember bool) {
	c.W.Header().Add("Set-Cookie", SessionCookie(s.Secret, remember, s.Session.Expires, c.Now()))
	if s.Device != "" {
		c.W.Header().Add("Set-Cookie", cookieText(authn.DeviceCookie, s.Device, signin.DeviceLife))
	}
}

// SetSession hands the browser the new secret of its session; "" changes nothing.
func (c *Call) SetSession(value string) {
	if p := c.Entry.Principal; value != "" {
		c.W.Header().Add("Set-Cookie", SessionCookie(value, p.Remember, p.Expires, c.Now()))
	}
}

// SignedOut has the browser forget the session and what it keeps of this host's pages, the back-forward cache included
// (Clear-Site-Data, W3C). Only the cache: "storage" would end service workers, and drafts and settings of the app with them.
func (c *Call) SignedOut() {
	c.ClearCookie(authn.SessionCookie)
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

// ClearCookie has the browser forget one of our cookies.
func (c *Call) ClearCookie(name string) {
	c.W.Header().Add("Set-Cookie", name+"=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax")
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

// cookieText is one of our cookies (CONTRACT section 5): Secure on loopback too, never a Domain (SE-04, SE-05).
func cookieText(name, value string, life time.Duration) string {
	c := http.Cookie{Name: name, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if life > 0 {
		c.MaxAge = int((life + time.Second - 1) / time.Second)
	}
	return c.String()
}
