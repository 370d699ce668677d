package gate

import (
	"net/http"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/problem"
)

// ServeForwardAuth answers the sub-request of another proxy (CONTRACT section 7). What it says is believed only when
// Caddy's trusted_proxies names it, and only for the hosts of this site; anything missing or malformed is 4xx (HD-05).
func (g *Gate) ServeForwardAuth(w http.ResponseWriter, r *http.Request, s *Site, question Question, c Client) {
	w.Header().Set("Cache-Control", "no-store")
	if !c.TrustedPeer {
		problem.Write(w, problem.Problem{Code: identity.CodeForbidden,
			Detail: "forward-auth answers only proxies named in trusted_proxies."})
		return
	}
	f, err := readForwarded(r, s, question, g.Origins)
	if err != nil {
		problem.Write(w, problem.Problem{Code: identity.CodeInvalidRequest, Detail: err.Error()})
		return
	}
	s.clean(f.request)
	q := request{Request: f.request, site: s, client: c, before: trailOf(r), credential: g.Verifier.Take(f.request)}
	q.asked.Host = f.host
	g.judge(&q)
	if q.duplicateCookie() {
		authn.ClearCookie(w.Header(), authn.SessionCookie)
	}
	out := &forwardWriter{ResponseWriter: w, origin: f.origin, nginx: f.nginx && !question.Answer,
		bodyless: f.request.Method == http.MethodHead && r.Method != http.MethodHead}
	if q.Allow && question.Answer { // decided otherwise just before; a 2xx would be shown as the app's page
		g.answer(out, &q, identity.CodeStateUnavailable, readyWait, g.remembered(&q))
		return
	}
	if !question.Answer { // counted when nginx asked for the first time
		g.record(&q)
		if q.Report != nil {
			g.report(&q)
		}
	}
	if !q.Allow {
		g.refuse(out, &q)
		return
	}
	assertion, err := g.assertion(&q)
	if err != nil {
		problem.Write(w, problem.Problem{Code: identity.CodeStateUnavailable, RetryAfter: readyWait,
			Reference: g.failedToSign(err)})
		return
	}
	g.Metrics.Decision("allow", "")
	s.headers.ApplyEmpty(w.Header())
	if assertion != "" {
		s.headers.SetAssertion(w.Header(), assertion)
	}
	if q.entry != nil {
		s.headers.Apply(w.Header(), q.entry.Values)
		if !s.isPassive(&q.asked) {
			g.Verifier.Used(q.entry)
		}
	}
	s.forApp(w.Header(), r, question, f.request.Header)
	w.WriteHeader(http.StatusOK)
}

// forwardWriter turns redirects into absolute ones and, for nginx, turns them into 401: its auth_request knows no 302.
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
