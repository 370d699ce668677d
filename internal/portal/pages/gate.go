package pages

import (
	"net/http"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
	"github.com/truxeio/caddy-truxe/internal/problem"
)

// Gate renders the pages that users see instead of the app.
type Gate struct{ View *view.Renderer }

// Denied says that a signed-in user may not enter, in the words of the rule if it has any, without naming roles or
// rules.
func (g Gate) Denied(w http.ResponseWriter, r *http.Request, p *identity.Principal, d policy.Decision,
	reference string) {
	g.View.Render(w, r, http.StatusForbidden, view.Denied{Viewer: view.Viewer{Username: p.Username, Name: p.Name},
		Host: web.FoldHost(r.Host), Path: r.URL.Path,
		Code: d.Code, Reason: d.Reason, Reference: reference})
}

// SessionEnded answers a form whose session is over.
func (g Gate) SessionEnded(w http.ResponseWriter, r *http.Request, loginURL string, resubmit bool, reference string) {
	w.Header().Set("WWW-Authenticate", problem.Bearer)
	g.View.Render(w, r, http.StatusUnauthorized, view.SessionEnded{LoginURL: loginURL, Resubmit: resubmit,
		Host: web.FoldHost(r.Host), Reference: reference})
}

// StepUp answers a form whose sender has to prove a factor first.
func (g Gate) StepUp(w http.ResponseWriter, r *http.Request, p *identity.Principal, confirmURL string, resubmit bool,
	reference string) {
	g.View.Render(w, r, http.StatusUnauthorized, view.StepUp{Viewer: view.Viewer{Username: p.Username, Name: p.Name},
		Host:       web.FoldHost(r.Host),
		ConfirmURL: confirmURL, Resubmit: resubmit, Reference: reference})
}

// FrameSignIn is the small page in an app's frame.
func (g Gate) FrameSignIn(w http.ResponseWriter, r *http.Request, loginURL, _ string) {
	w.Header().Set("WWW-Authenticate", problem.Bearer)
	g.View.Render(w, r, http.StatusUnauthorized, view.FrameSignIn{LoginURL: loginURL, Host: web.FoldHost(r.Host)})
}

// AppDown says that the app does not answer.
func (g Gate) AppDown(w http.ResponseWriter, r *http.Request, p *identity.Principal, status int, sent bool,
	reference string) {
	page := view.ErrorPage{Status: status, Code: identity.CodeAppDown, Sent: sent, Reference: reference}
	if p != nil {
		page.Viewer = view.Viewer{Username: p.Username, Name: p.Name}
	}
	g.View.Render(w, r, status, page)
}

// Problem says what went wrong.
func (g Gate) Problem(w http.ResponseWriter, r *http.Request, code identity.Code, retryAfter time.Duration,
	reference string) {
	g.View.Render(w, r, problem.Status(code), view.ErrorPage{Status: problem.Status(code), Code: code,
		Reference: reference, RetryAfter: retryAfter})
}
