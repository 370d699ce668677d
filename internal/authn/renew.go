package authn

import (
	"net/http"
)

// Renewer replaces the secrets of sessions.
type Renewer interface {
	// Renew adds the cookie with the session's new secret to the header of an answer. It reports false, with nothing
	// added, when there is none, e.g. because another request of the same browser was first.
	Renew(h http.Header, r *http.Request, e *Entry, c Client) bool
}

// Renewed answers a navigation of a user whose roles have changed with a new session cookie and the same URL once more
// (SE-02). It is a redirect, never a cookie on the app's own answer: that could lie in a shared cache. The target is a
// query alone, so it stays on the page that the browser asked for, however the path was rewritten on its way here.
// False: nothing was written, and the request goes on as it is.
func (v *Verifier) Renewed(w http.ResponseWriter, r *http.Request, e *Entry, c Client) bool {
	if e == nil || !e.Renew || v.Renewer == nil {
		return false
	}
	h := w.Header()
	if !v.Renewer.Renew(h, r, e, c) {
		return false
	}
	h.Set("Cache-Control", "no-store")
	h.Set("Location", "?"+r.URL.RawQuery)
	w.WriteHeader(http.StatusFound)
	return true
}
