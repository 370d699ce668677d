package gate

import (
	"net/http"
	"runtime/debug"
	"time"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/ratelimit"
	"github.com/truxeio/caddy-truxe/internal/revocation"
)

// began is the start of the process; durations are differences of the monotonic clock, without a reading of the wall
// clock.
var began = time.Now()

// Serve judges one request, then hands it to next with its identity, or answers it.
func (g *Gate) Serve(w http.ResponseWriter, r *http.Request, s *Site, c Client, next Next, announce Announce) error {
	start := time.Since(began)
	q := request{Request: r, site: s, client: c, before: trailOf(r)}
	if q.before != nil {
		q.credential = q.before.credential
		q.identify(q.before.entry)
	} else {
		s.clean(r)
		q.credential = g.Verifier.Take(r)
	}
	g.judge(&q)
	g.Metrics.DecisionDuration(q.cost, q.judged-start)
	if announce != nil {
		announce(r, q.principal, q.Decision)
	}
	g.record(&q)
	if q.Report != nil {
		g.report(&q)
	}
	if !q.Allow {
		q.ownAnswer(true)
		if q.duplicateCookie() {
			authn.ClearCookie(w.Header(), authn.SessionCookie)
		}
		g.refuse(w, &q)
		return nil
	}
	g.Metrics.Decision("allow", "")
	if s.limit != "" && !g.underLimit(w, &q) {
		return nil
	}
	if q.entry != nil && q.entry.Renew && q.kindOf(g.Origins) == KindNavigate && g.renewed(w, &q) {
		return nil
	}
	return g.pass(w, &q, next)
}

// pass hands a request that may pass to the app.
func (g *Gate) pass(w http.ResponseWriter, q *request, next Next) error {
	r, s := q.Request, q.site
	assertion, err := g.assertion(q)
	if err != nil {
		g.answer(w, q, identity.CodeStateUnavailable, readyWait, g.failedToSign(err))
		return nil
	}
	// a new trail: the one of a gate before this one is among its ancestors, and must not become its own
	t := &trail{Stream: revocation.Stream{Context: r.Context()}, credential: q.credential, entry: q.entry}
	w = t.answers(w, q.before)
	t.answer.forget = t.answer.forget || q.duplicateCookie()
	if s.cfg.SecurityHeaders {
		t.answer.harden, t.answer.https = true, sendsHSTS(r, q.client)
	}
	active := false // the request is use of a session
	if q.entry != nil {
		room := s.headers.ApplyTo(r.Header, q.entry.Values, &t.values)
		if assertion != "" {
			s.headers.SetAssertion(r.Header, assertion)
		}
		varyByCredential(w.Header(), room)
		if active = !s.isPassive(&q.asked); active {
			g.Verifier.Used(q.entry)
		}
		g.Streams.Join(&t.Stream, q.principal)
		defer t.End()
	}
	out, judged := w, r.WithContext(t)
	if active && q.socket {
		out = keepInUse(w, judged, socketUse{g.Verifier, q.entry})
	}
	err = next.ServeHTTP(out, judged)
	if g.answerDown(w, q, t.answer, err) {
		return nil
	}
	if q.before == nil {
		t.answer.settle()
	}
	return err
}

// renewed replaces a session's secret by an answer of the gate's own, and reports whether it did.
func (g *Gate) renewed(w http.ResponseWriter, q *request) bool {
	q.ownAnswer(true)
	if g.Verifier.Renewed(w, q.Request, q.entry, q.client) {
		return true
	}
	q.ownAnswer(false)
	return false
}

// judge finds the principal of the credential, unless it is known, and decides. It writes nothing. A panic in it is a
// refusal and a log line (AP-05, R1).
func (g *Gate) judge(q *request) {
	defer g.judgedAt(q)
	q.cost = "public"
	if code := q.resolve(); code != "" {
		q.refuse(code)
		return
	}
	ready := g.Verifier.Revocations.Ready()
	var err error
	if q.entry == nil && ready {
		var found authn.Found
		found, err = g.Verifier.Verify(q.Context(), q.credential, q.asked.Host)
		q.cost = found.Path
		q.identify(found.Entry)
	}
	q.set, q.Decision = q.site.rules.Decide(&q.asked, q.principal, func() { q.locate(g.Now()) })
	if q.Public {
		if earlyData(q.Request) || g.crossSiteSocket(q) {
			q.identify(nil) // a replay, or another site's page, may ask as anyone may, and not as the user
		}
		return // also while the state is unreadable, as an anonymous request
	}
	switch {
	case !ready:
		q.Decision = policy.Decision{Code: identity.CodeStateUnavailable}
	case err != nil:
		q.Decision = policy.Decision{Code: identity.CodeOf(err)}
		if why := authn.Refusal(err); why != nil {
			q.Reason = why.Error() // for explain; the client is not told
		}
	case q.TLS == nil && !q.client.Secure(q.Request):
		q.Decision = policy.Decision{Code: identity.CodeHTTPSRequired}
	case earlyData(q.Request):
		q.Decision = policy.Decision{Code: identity.CodeTooEarly}
	case q.Allow && g.crossSiteSocket(q):
		q.Decision = policy.Decision{Code: identity.CodeCrossOrigin}
	case q.site.cfg.PassPreflight && q.kindOf(g.Origins) == KindPreflight && !refusesAll(q.Code):
		// a preflight carries no credential by design; the request it asks about is judged as any other
		q.Decision = policy.Decision{Allow: true, Rule: "preflight"}
		q.identify(nil)
	}
}

// refusesAll reports whether a refusal is one that no credential would have changed.
func refusesAll(code identity.Code) bool {
	return code == identity.CodeNetworkDenied || code == identity.CodeRuleDenied
}

// judgedAt ends the judging of a request: it notes the time, and turns a panic into a refusal.
func (g *Gate) judgedAt(q *request) {
	if what := recover(); what != nil {
		q.refuse(identity.CodeInternal)
		q.cost, q.reference = "public", identity.NewReference()
		g.Logger.Error("a request was refused because the gate failed", "panic", what, "reference", q.reference, "stack",
			string(debug.Stack()))
	}
	q.judged = time.Since(began)
}

// earlyData reports whether a request arrived as TLS early data, before the handshake was done: it may be a replay
// (RFC 8470, CVE-2024-39321). Caddy accepts early data on HTTP/3.
func earlyData(r *http.Request) bool {
	return r.TLS != nil && !r.TLS.HandshakeComplete
}

// crossSiteSocket reports whether another site's page opens a WebSocket with the visitor's cookie (SE-18): the
// browser's same-origin policy does not hold for WebSockets.
func (g *Gate) crossSiteSocket(q *request) bool {
	if !q.socket || q.principal == nil || q.principal.Credential != identity.CredentialCookie ||
		g.Origins.FromHere(q.Request) {
		return false
	}
	return len(q.Header["Origin"]) != 1 || !g.CORS.Allows(first(q.Header, "Origin"))
}

// isPassive reports whether a request that was judged leaves the session's idle time alone.
func (s *Site) isPassive(r *policy.Request) bool {
	return s.passive != nil && s.passive.Decide(*r, nil).Public
}

// underLimit applies the site's own rate limit: per signed-in user or per address.
func (g *Gate) underLimit(w http.ResponseWriter, q *request) bool {
	rate, key := q.site.cfg.RateLimit, ratelimit.AddressKey(q.client.Address())
	if q.principal != nil && rate.PerUser {
		key = ratelimit.UserKey(q.principal.UserID)
	}
	state, ok := g.Limits.Allow(q.site.limit, ratelimit.Rate{Events: rate.Events, Window: rate.Window}, key, g.Now())
	if ok {
		return true
	}
	g.Metrics.RateLimited("site")
	q.Decision = policy.Decision{Code: identity.CodeRateLimited}
	g.answer(w, q, identity.CodeRateLimited, state.RetryAfter, g.remembered(q))
	return false
}

// ServeUnavailable takes the place of the gate until the engine runs: public paths are served without an identity,
// everything else is 503 (R1). Requests that the directive's matcher does not cover are not judged.
func ServeUnavailable(w http.ResponseWriter, r *http.Request, s *Site, c Client, covers Covers, next Next) error {
	s.clean(r)
	authn.StripCookies(r.Header)
	t := &trail{Stream: revocation.Stream{Context: r.Context()}}
	w, r = t.answers(w, nil), r.WithContext(t)
	covered, err := covers(w, r)
	if err != nil {
		return err
	}
	q := request{Request: r, site: s, client: c, before: t}
	code := q.resolve()
	q.locate(time.Now())
	if code == "" && len(r.Header["Authorization"]) == 0 && (!covered || s.rules.Set().Decide(q.asked, nil).Public) {
		t.answer.harden, t.answer.https = s.cfg.SecurityHeaders && covered, sendsHSTS(r, c)
		defer t.answer.settle()
		return next.ServeHTTP(w, r)
	}
	OwnAnswer(r)
	WriteUnavailable(w)
	return nil
}

// readyWait is how long clients should wait when the state is unreadable.
const readyWait = 2 * time.Second
