package gate

import (
	"net/http"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/cookie"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/problem"
)

// ServeForwardAuth answers the sub-request of another proxy (CONTRACT section 7). What it says is believed only when
// Caddy's trusted_proxies names it, and only for the hosts of this site; anything missing or malformed is 4xx (HD-05).
func (g *Gate) ServeForwardAuth(w http.ResponseWriter, r *http.Request, s *Site, q Question, c Client) {
	w.Header().Set("Cache-Control", "no-store")
	if !c.TrustedPeer {
		problem.Write(w, problem.Problem{Code: identity.CodeForbidden, Detail: "forward-auth answers only proxies named in trusted_proxies."})
		return
	}
	f, err := readForwarded(r, s, q, g.Origins)
	if err != nil {
		problem.Write(w, problem.Problem{Code: identity.CodeInvalidRequest, Detail: err.Error()})
		return
	}
	s.clean(f.request)
	v := g.judge(f.request, s, g.Verifier.Take(f.request), nil, c)
	if v.duplicateCookie {
		cookie.Clear(w.Header(), cookie.Session)
	}
	out := &forwardWriter{ResponseWriter: w, origin: f.origin, nginx: f.nginx && !q.Answer,
		bodyless: f.request.Method == http.MethodHead && r.Method != http.MethodHead}
	if v.decision.Allow && q.Answer { // decided otherwise a moment ago; a 2xx would be shown as the app's page
		g.answer(out, f.request, identity.CodeStateUnavailable, readyWait, g.remembered(f.request, c, &v))
		return
	}
	if !q.Answer { // counted when nginx asked for the first time
		g.record(f.request, s, &v, c)
		if v.decision.Report != nil {
			g.report(f.request, s, c, &v)
		}
	}
	if !v.decision.Allow {
		g.refuse(out, f.request, s, c, &v)
		return
	}
	assertion, err := g.assertion(f.request, s, v)
	if err != nil {
		problem.Write(w, problem.Problem{Code: identity.CodeStateUnavailable, RetryAfter: readyWait, Reference: g.failedToSign(err)})
		return
	}
	g.Metrics.Decision("allow", "")
	s.headers.ApplyEmpty(w.Header())
	if assertion != "" {
		s.headers.SetAssertion(w.Header(), assertion)
	}
	if v.entry != nil {
		s.headers.Apply(w.Header(), v.entry.Values)
		if !s.isPassive(v.request) {
			g.Verifier.Used(v.entry)
		}
	}
	s.forApp(w.Header(), r, q, f.request.Header)
	w.WriteHeader(http.StatusOK)
}

// forwardWriter makes redirects absolute and, for nginx, turns them into 401: its auth_request knows no 302.
type forwardWriter struct {
	http.ResponseWriter
	origin string
	nginx  bool
	// bodyless: the visitor sent HEAD and the proxy asks with GET. A page is left out, so its length must be, too.
	bodyless bool
}

// WriteHeader sends the status that the other proxy understands.
func (w *forwardWriter) WriteHeader(status int) {
	if w.bodyless {
		w.Header().Del("Content-Length")
	}
	if location := w.Header().Get("Location"); strings.HasPrefix(location, "/") {
		w.Header().Set("Location", w.origin+location)
	}
	if w.nginx {
		switch {
		case status == http.StatusFound:
			status = http.StatusUnauthorized
		case status >= 400 && status != http.StatusUnauthorized && status < 500:
			status = http.StatusForbidden
		}
	}
	w.ResponseWriter.WriteHeader(status)
}
