package gate

import (
	"net/http"
	"strings"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/problem"
)

// refuse answers a request that may not pass (CONTRACT section 3).
func (g *Gate) refuse(w http.ResponseWriter, q *request) {
	if q.Ask != (identity.Assurance{}) && canStepUp(q.principal) {
		g.Metrics.Decision("step_up", string(q.Code))
		g.askToStepUp(w, q, g.remembered(q))
		return
	}
	g.Metrics.Decision("deny", string(q.Code))
	switch q.Code {
	case identity.CodeLoginRequired:
		g.askToSignIn(w, q, g.remembered(q))
	case identity.CodeInvalidToken:
		challenge(w.Header(), q, problem.BearerInvalidToken)
		g.CORS.Allow(w.Header(), q.Request)
		problem.Write(w, problem.Problem{Code: q.Code, Reference: g.remembered(q)})
	case identity.CodeStateUnavailable, identity.CodeBusy:
		g.answer(w, q, identity.CodeStateUnavailable, readyWait, g.remembered(q))
	case identity.CodeAmbiguousPath, identity.CodeInvalidRequest, identity.CodeTooEarly, identity.CodeHTTPSRequired:
		g.answer(w, q, q.Code, 0, g.remembered(q))
	case identity.CodeInternal:
		g.answer(w, q, q.Code, 0, q.reference)
	default: // a rule is not met, and signing in does not help
		g.deny(w, q)
	}
}

// deny answers a request that a rule refuses, whoever sends it.
func (g *Gate) deny(w http.ResponseWriter, q *request) {
	refused := *q // a copy, so that requests that pass need not live on the heap
	reference := g.Audit.Deny(q.denialKind(string(q.Code)), func() audit.Event { return refused.denial() })
	if q.principal == nil { // from the wrong network, say: signing in would not help
		g.answer(w, q, q.Code, 0, reference)
		return
	}
	switch q.kindOf(g.Origins) {
	case KindPost, KindPostCross:
		drain(w, q.Request)
		fallthrough
	case KindNavigate, KindFrame:
		g.Pages.Denied(w, q.Request, q.principal, q.Decision, reference)
		return
	}
	g.CORS.Allow(w.Header(), q.Request)
	p := problem.Problem{Code: q.Code, Detail: q.Reason, Reference: reference}
	if q.Ask != (identity.Assurance{}) { // who cannot prove more is refused, not asked
		p.Status = http.StatusForbidden
	}
	problem.Write(w, p)
}

// remembered keeps a refusal that is not in the audit log and returns its reference.
func (g *Gate) remembered(q *request) string {
	if q.reference == "" {
		q.reference = identity.NewReference()
	}
	path := q.asked.Path
	if q.set == nil {
		path = q.URL.Path
	}
	g.Refusals.keep(Refusal{Judgement: q.Judgement, Reference: q.reference, At: g.Now(), Method: q.Method, Host: q.Host,
		Path: path, Address: q.client.Addr})
	return q.reference
}

// askToSignIn answers an anonymous request by its kind. A POST is never redirected: its body would be lost, or sent
// to the login page (CS-12).
func (g *Gate) askToSignIn(w http.ResponseWriter, q *request, reference string) {
	r, kind := q.Request, q.kindOf(g.Origins)
	switch kind {
	case KindNavigate:
		url := g.WayBack.LoginURL(w, r, q.credential, r.URL.RequestURI())
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Location", url)
		w.WriteHeader(http.StatusFound)
	case KindFrame:
		g.Pages.FrameSignIn(w, r, g.WayBack.LoginFrame(r.URL.RequestURI()), reference)
	case KindPost, KindPostCross:
		drain(w, r)
		g.Pages.SessionEnded(w, r, g.WayBack.LoginBeside(), kind == KindPost, reference)
	default:
		if kind == KindPreflight && g.CORS.Preflight(w, r) {
			return
		}
		challenge(w.Header(), q, problem.Bearer)
		g.CORS.Allow(w.Header(), r)
		problem.Write(w, problem.Problem{Code: identity.CodeLoginRequired, LoginURL: g.WayBack.LoginPage(r.Host),
			Reference: reference})
	}
}

// answer sends a page to browsers and problem+json to programs.
func (g *Gate) answer(w http.ResponseWriter, q *request, code identity.Code, retry time.Duration, reference string) {
	q.ownAnswer(true)
	switch q.kindOf(g.Origins) {
	case KindPost, KindPostCross:
		drain(w, q.Request)
		fallthrough
	case KindNavigate, KindFrame:
		g.Pages.Problem(w, q.Request, code, retry, reference)
	default:
		g.CORS.Allow(w.Header(), q.Request)
		problem.Write(w, problem.Problem{Code: code, Reference: reference, RetryAfter: retry})
	}
}

// WriteUnavailable is the answer while the engine is starting.
func WriteUnavailable(w http.ResponseWriter) {
	problem.Write(w, problem.Problem{Code: identity.CodeStateUnavailable, RetryAfter: readyWait})
}

const drainTime = 10 * time.Second

// drain reads what is left of a form before it is answered: Go closes the connection after about 256 KB of unread
// body, and the person would see a reset instead of the page (UX section 1.2). A sender who is slow gets drainTime
// (HD-11).
func drain(w http.ResponseWriter, r *http.Request) {
	if r.Body == nil {
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(drainTime))
	buf := make([]byte, 32<<10)
	for left := 10 << 20; left > 0; {
		n, err := r.Body.Read(buf)
		if err != nil {
			return
		}
		left -= n
	}
}

// IsOwnPath reports whether a path is the gateway's own: below the base path, or a well-known one that belongs to it.
func IsOwnPath(base, path string) bool {
	if strings.HasPrefix(path, base) && (len(path) == len(base) || path[len(base)] == '/') {
		return true
	}
	return path == "/.well-known/change-password" || path == "/.well-known/passkey-endpoints"
}
