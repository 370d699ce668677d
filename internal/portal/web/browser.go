package web

import (
	"time"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/signin"
)

// Browser is the browser that sent a call: the cookies that it keeps, and what they identify.
type Browser struct{ c *Call }

// Browser returns the browser that sent the call.
func (c *Call) Browser() Browser { return Browser{c} }

// FlowCookie returns the flow cookie that came with the request, "" without a valid one.
func (b Browser) FlowCookie() string { return sentFlow(b.c.Credential) }

func sentFlow(c authn.Credential) string {
	value, n := c.CookieNamed(authn.FlowCookie)
	if _, ok := session.ParseSecret(value); n != 1 || !ok {
		return ""
	}
	return value
}

// DeviceCookie returns the first device cookie that came with the request, "" without one.
func (b Browser) DeviceCookie() string {
	value, _ := b.c.Credential.CookieNamed(authn.DeviceCookie)
	return value
}

// ThisDevice returns the id of the record behind this browser's device cookie, zero without one.
func (b Browser) ThisDevice(user identity.ID) identity.ID {
	value, n := b.c.Credential.CookieNamed(authn.DeviceCookie)
	if n != 1 {
		return identity.ID{}
	}
	return b.c.SignIn.Devices.ID(b.c.Context(), user, value)
}

// SignedIn hands the browser its cookies.
func (b Browser) SignedIn(s signin.SignedIn, remember bool) {
	b.setSession(s.Secret, remember, s.Session.Expires)
	if s.Device != "" {
		authn.AddCookie(b.c.W.Header(), authn.DeviceCookie, s.Device, signin.DeviceLife)
	}
}

// SetSession hands the browser the new secret of its session; "" changes nothing.
func (b Browser) SetSession(value string) {
	if p := b.c.Entry.Principal; value != "" {
		b.setSession(value, p.Remember, p.Expires)
	}
}

func (b Browser) setSession(value string, remember bool, expires time.Time) {
	authn.AddSessionCookie(b.c.W.Header(), value, remember, expires, b.c.Now())
}

// SignedOut has the browser forget the session and what it keeps of this host's pages, the back-forward cache included
// (Clear-Site-Data, W3C). Only the cache: "storage" would end service workers, and drafts and settings of the app with
// them.
func (b Browser) SignedOut() {
	authn.ClearCookie(b.c.W.Header(), authn.SessionCookie)
	b.c.W.Header().Set("Clear-Site-Data", `"cache"`)
}

// DropHalf ends a half sign-in that this browser began and does not need any more.
func (b Browser) DropHalf() {
	flow := b.FlowCookie()
	if flow == "" {
		return
	}
	if err := b.c.SignIn.HalfSignIns.StartOver(b.c.Context(), signin.BrowserHalf(flow)); err != nil {
		b.c.Changes.Logger.Warn("could not end a half sign-in", "error", err)
	}
}

// EndOldSession ends the session that this browser had: a sign-in gives a new id and the old one is dead (SE-02).
func (b Browser) EndOldSession() {
	if b.c.Entry == nil || b.c.Entry.Principal.Credential != identity.CredentialCookie {
		return
	}
	user, session, err := b.c.Own()
	if err == nil {
		err = b.c.SignIn.Sessions.End(b.c.Context(), b.c.By(), user, session)
	}
	if err != nil && identity.CodeOf(err) != identity.CodeNotFound {
		b.c.Changes.Logger.Warn("could not end the session before a new sign-in", "error", err)
	}
}
