package authn

import (
	"net/http"
	"time"
)

// The gateway's cookies (CONTRACT section 5). The portal sets all of them, the renewal of a session its own; the gate
// ends sessions with [ClearCookie]; it takes those from the answers of apps.
const (
	SessionCookie = CookiePrefix             // the secret of a session
	FlowCookie    = CookiePrefix + "-flow"   // binds sign-ins in progress to this browser
	DeviceCookie  = CookiePrefix + "-device" // this browser has signed a user in before
)

// AddCookie adds a Set-Cookie field with one of our cookies. It is Secure on loopback too, and never has a Domain
// (SE-04, SE-05). With no life it ends with the browser.
func AddCookie(h http.Header, name, value string, life time.Duration) {
	c := http.Cookie{Name: name, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if life > 0 {
		c.MaxAge = int((life + time.Second - 1) / time.Second)
	}
	h.Add("Set-Cookie", c.String())
}

// AddSessionCookie adds the cookie of a session. That of a session which was kept with "Keep me signed in" lasts as
// long as the session, any other ends with the browser.
func AddSessionCookie(h http.Header, value string, remember bool, expires, now time.Time) {
	life := time.Duration(0)
	if remember {
		life = expires.Sub(now)
	}
	AddCookie(h, SessionCookie, value, life)
}

// ClearCookie has the browser forget one of our cookies.
func ClearCookie(h http.Header, name string) {
	h.Add("Set-Cookie", name+"=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax")
}
