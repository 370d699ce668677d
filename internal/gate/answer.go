package gate

import (
	"net/http"
	"strings"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/cookie"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/problem"
)

// refuse answers a request that may not pass (CONTRACT section 3).
func (g *Gate) refuse(w http.ResponseWriter, r *http.Request, s *Site, c Client, v *verdict) {
	code := v.decision.Code
	if v.decision.Ask != (identity.Assurance{}) && canStepUp(v.principal()) {
		g.Metrics.Decision("step_up", string(code))
		g.askToStepUp(w, r, v, g.remembered(r, c, v))
		return
	}
	g.Metrics.Decision("deny", string(code))
	switch code {
	case identity.CodeLoginRequired:
		g.askToSignIn(w, r, v, g.remembered(r, c, v))
	case identity.CodeInvalidToken:
		challenge(w.Header(), r, problem.BearerInvalidToken)
		g.CORS.Allow(w.Header(), r)
		problem.Write(w, problem.Problem{Code: code, Reference: g.remembered(r, c, v)})
	case identity.CodeStateUnavailable, identity.CodeBusy:
		g.answer(w, r, identity.CodeStateUnavailable, readyWait, g.remembered(r, c, v))
	case identity.CodeAmbiguousPath, identity.CodeInvalidRequest, identity.CodeTooEarly, identity.CodeHTTPSRequired:
		g.answer(w, r, code, 0, g.remembered(r, c, v))
	case identity.CodeInternal:
		g.answer(w, r, code, 0, v.reference)
	default: // a rule is not met, and signing in does not help
		refused := *v // a copy, so that the verdicts of requests that pass need not live on the heap
		reference := g.Audit.Deny(s.denialKind(v, string(code)), func() audit.Event { return denial(r, c, &refused) })
		if v.principal() == nil { // from the wrong network, say: signing in would not help
			g.answer(w, r, code, 0, reference)
			return
		}
		switch KindOf(r, g.Origins) {
		case KindPost, KindPostCross:
			drain(w, r)
			fallthrough
		case KindNavigate, KindFrame:
			g.Pages.Denied(w, r, v.principal(), v.decision, reference)
			return
		}
		g.CORS.Allow(w.Header(), r)
		p := problem.Problem{Code: code, Detail: v.decision.Reason, Reference: reference}
		if v.decision.Ask != (identity.Assurance{}) { // who cannot prove more is refused, not asked
			p.Status = http.StatusForbidden
		}
		problem.Write(w, p)
	}
}

// remembered keeps a refusal that is not in the audit log and returns its reference.
func (g *Gate) remembered(r *http.Request, c Client, v *verdict) string {
	if v.reference == "" {
		v.reference = identity.NewReference()
	}
	path := v.request.Path
	if v.set == nil {
		path = r.URL.Path
	}
	g.Refusals.keep(Refusal{Judgement: Judgement{Decision: v.decision, set: v.set, request: v.request, principal: v.principal()},
		Reference: v.reference, At: g.Now(), Method: r.Method, Host: r.Host, Path: path, Address: c.Addr})
	return v.reference
}

// askToSignIn answers an anonymous request by its kind. A POST is never redirected: its body would be lost, or sent
// to the login page (CS-12).
func (g *Gate) askToSignIn(w http.ResponseWriter, r *http.Request, v *verdict, reference string) {
	host := r.Host
	kind := KindOf(r, g.Origins)
	switch kind {
	case KindNavigate:
		url := g.WayBack.LoginURL(w, r, v.credential, r.URL.RequestURI())
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
		challenge(w.Header(), r, problem.Bearer)
		g.CORS.Allow(w.Header(), r)
		problem.Write(w, problem.Problem{Code: identity.CodeLoginRequired, LoginURL: g.WayBack.LoginPage(host), Reference: reference})
	}
}

// answer sends a page to people and problem+json to programs.
func (g *Gate) answer(w http.ResponseWriter, r *http.Request, code identity.Code, retry time.Duration, reference string) {
	OwnAnswer(r)
	switch KindOf(r, g.Origins) {
	case KindPost, KindPostCross:
		drain(w, r)
		fallthrough
	case KindNavigate, KindFrame:
		g.Pages.Problem(w, r, code, retry, reference)
	default:
		g.CORS.Allow(w.Header(), r)
		problem.Write(w, problem.Problem{Code: code, Reference: reference, RetryAfter: retry})
	}
}

// WriteUnavailable is the answer while the engine is starting.
func WriteUnavailable(w http.ResponseWriter) {
	problem.Write(w, problem.Problem{Code: identity.CodeStateUnavailable, RetryAfter: readyWait})
}

const drainTime = 10 * time.Second

// drain reads what is left of a form before it is answered: Go closes the connection after about 256 KB of unread
// body, and the person would see a reset instead of the page (UX section 1.2). A sender who is slow gets drainTime (HD-11).
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

func stripCookies(h http.Header) { cookie.Strip(h) }

// IsOwnPath reports whether a path is the gateway's own: below the base path, or a well-known one that belongs to it.
func IsOwnPath(base, path string) bool {
	if strings.HasPrefix(path, base) && (len(path) == len(base) || path[len(base)] == '/') {
		return true
	}
	return path == "/.well-known/change-password" || path == "/.well-known/passkey-endpoints"
}
