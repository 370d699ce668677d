package cookie

import (
	"net/http"
	"time"
)

// The gateway's cookies (CONTRACT section 5). The portal sets all of them, with [Add]; the gate ends sessions with
// [Clear]; apps set none of them ([StripSet]).
const (
	Session = Prefix             // the secret of a session
	Flow    = Prefix + "-flow"   // binds sign-ins in progress to this browser
	Device  = Prefix + "-device" // this browser has signed a user in before
)

// Add adds a Set-Cookie field with one of our cookies. With no life it ends with the browser.
func Add(h http.Header, name, value string, life time.Duration) {
	h.Add("Set-Cookie", field(name, value, life))
}

// SessionField returns the Set-Cookie field of a session. The cookie of a session that was kept with "Keep me signed
// in" lasts as long as the session, any other ends with the browser.
func SessionField(value string, remember bool, expires, now time.Time) string {
	life := time.Duration(0)
	if remember {
		life = expires.Sub(now)
	}
	return field(Session, value, life)
}

// Clear has the browser forget one of our cookies.
func Clear(h http.Header, name string) {
	h.Add("Set-Cookie", name+"=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax")
}

// field is Secure on loopback too, and never has a Domain (SE-04, SE-05).
func field(name, value string, life time.Duration) string {
	c := http.Cookie{Name: name, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if life > 0 {
		c.MaxAge = int((life + time.Second - 1) / time.Second)
	}
	return c.String()
}
