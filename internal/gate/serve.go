package gate

import (
	"net/http"
	"runtime/debug"
	"time"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/cookie"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/identityheader"
	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/ratelimit"
	"github.com/truxeio/caddy-truxe/internal/revocation"
)

// began is the start of the process; durations are differences of the monotonic clock, without a reading of the wall clock.
var began = time.Now()

// verdict is what the gate found out about one request.
type verdict struct {
	entry           *authn.Entry
	decision        policy.Decision
	path            string      // the label of the duration metric
	err             error       // why the credential could not be judged, or why the request is refused
	duplicateCookie bool        // two session cookies (SE-06)
	set             *policy.Set // the rules that were asked; nil: none was
	request         policy.Request

	credential authn.Credential
	reference  string // of a panic's log line
}

// Serve judges one request, then hands it to next with its identity, or answers it.
func (g *Gate) Serve(w http.ResponseWriter, r *http.Request, s *Site, c Client, next Next, announce Announce) error {
	start := time.Since(began)
	var sent authn.Credential
	var known *authn.Entry
	before := trailOf(r)
	if before != nil {
		sent, known = before.credential, before.entry
	} else {
		s.clean(r)
		sent = g.Verifier.Take(r)
	}
	v := g.judge(r, s, sent, known, c)
	g.Metrics.DecisionDuration(v.path, time.Since(began)-start)
	if announce != nil {
		announce(r, v.principal(), v.decision)
	}
	g.record(r, s, &v, c)
	if v.decision.Report != nil {
		g.report(r, s, c, &v)
	}
	if !v.decision.Allow {
		OwnAnswer(r)
		if v.duplicateCookie {
			cookie.Clear(w.Header(), cookie.Session)
		}
		g.refuse(w, r, s, c, &v)
		return nil
	}
	g.Metrics.Decision("allow", "")
	if s.limit != "" && !g.underLimit(w, r, s, c, v) {
		return nil
	}
	if v.entry != nil && v.entry.Renew && KindOf(r, g.Origins) == KindNavigate && g.renewed(w, r, v.entry, c) {
		return nil
	}
	assertion, err := g.assertion(r, s, v)
	if err != nil {
		g.answer(w, r, identity.CodeStateUnavailable, readyWait, g.failedToSign(err))
		return nil
	}
	// a new trail: the one of a gate before this one is among its ancestors, and must not become its own
	t := &trail{Stream: revocation.Stream{Context: r.Context()}, credential: sent, entry: v.entry}
	if before != nil {
		t.reading = before.reading
	}
	w = t.answers(w, before)
	t.answer.forget = t.answer.forget || v.duplicateCookie
	if s.cfg.SecurityHeaders {
		t.answer.harden, t.answer.https = true, sendsHSTS(r, c)
	}
	active := false // the request is use of a session
	if v.entry != nil {
		s.headers.ApplyTo(r.Header, v.entry.Values, &t.values)
		if assertion != "" {
			s.headers.SetAssertion(r.Header, assertion)
		}
		t.varyByCredential(w.Header())
		if active = !s.isPassive(v.request); active {
			g.Verifier.Used(v.entry)
		}
		g.Streams.Join(&t.Stream, v.entry.Principal)
		defer t.End()
	}
	out, judged := w, r.WithContext(t)
	if active && IsWebSocket(r) {
		out = keepInUse(w, judged, socketUse{g.Verifier, v.entry})
	}
	err = next.ServeHTTP(out, judged)
	if g.answerDown(w, r, c, &v, t.answer, err) {
		return nil
	}
	if before == nil {
		t.answer.settle()
	}
	return err
}

// renewed replaces a session's secret by an answer of the gate's own, and reports whether it did.
func (g *Gate) renewed(w http.ResponseWriter, r *http.Request, e *authn.Entry, c Client) bool {
	OwnAnswer(r)
	if g.Verifier.Renewed(w, r, e, c) {
		return true
	}
	setOwn(r, false)
	return false
}

func (v *verdict) principal() *identity.Principal {
	if v.entry == nil {
		return nil
	}
	return v.entry.Principal
}

// judge finds the principal and decides. It writes nothing. A panic in it is a refusal and a log line (AP-05, R1).
func (g *Gate) judge(r *http.Request, s *Site, sent authn.Credential, known *authn.Entry, c Client) (v verdict) {
	defer g.caught(&v)
	v.path = "public"
	request, code, err := requestOf(r)
	if code != "" {
		v.err, v.decision.Code = err, code
		return v
	}
	ready := g.Verifier.Revocations.Ready()
	v.entry = known
	if v.entry == nil && ready {
		var found authn.Found
		found, v.err = g.Verifier.Verify(r.Context(), sent, request.Host)
		v.entry, v.path = found.Entry, found.Path
	}
	v.credential = sent
	v.duplicateCookie = sent.Cookies > 1
	v.set, v.request = s.rules.Set(), request
	if v.set.Requires() {
		v.request.Addr, v.request.Now = s.visitorAddress(r, c), g.Now()
	}
	v.decision = s.rules.ApplyReportMode(v.set.Decide(v.request, v.principal()), v.principal())
	if v.decision.Public && (earlyData(r) || g.crossSiteSocket(r, v.principal())) {
		v.entry = nil // a replay, or another site's page, may ask as anyone may, and not as the user
	}
	if v.decision.Public {
		return v // also while the state is unreadable, as nobody in particular
	}
	switch {
	case !ready:
		v.decision = policy.Decision{Code: identity.CodeStateUnavailable}
	case v.err != nil:
		v.decision = policy.Decision{Code: identity.CodeOf(v.err)}
		if why := authn.Refusal(v.err); why != nil {
			v.decision.Reason = why.Error() // for explain; the client is not told
		}
	case !c.Secure(r):
		v.decision = policy.Decision{Code: identity.CodeHTTPSRequired}
	case earlyData(r):
		v.decision = policy.Decision{Code: identity.CodeTooEarly}
	case v.decision.Allow && g.crossSiteSocket(r, v.principal()):
		v.decision = policy.Decision{Code: identity.CodeCrossOrigin}
	case s.cfg.PassPreflight && KindOf(r, g.Origins) == KindPreflight && !refusesEverybody(v.decision.Code):
		// a preflight carries no credential by design; the request it asks about is judged as any other
		v.decision = policy.Decision{Allow: true, Rule: "preflight"}
		v.entry = nil
	}
	return v
}

// refusesEverybody reports whether a refusal is one that no credential would have changed.
func refusesEverybody(code identity.Code) bool {
	return code == identity.CodeNetworkDenied || code == identity.CodeRuleDenied
}

func (g *Gate) caught(v *verdict) {
	if what := recover(); what != nil {
		*v = verdict{path: "public", decision: policy.Decision{Code: identity.CodeInternal}, reference: identity.NewReference()}
		g.Logger.Error("a request was refused because the gate failed", "panic", what, "reference", v.reference, "stack", string(debug.Stack()))
	}
}

// earlyData reports whether a request arrived as TLS early data, before the handshake was done: it may be a replay
// (RFC 8470, CVE-2024-39321). Caddy accepts early data on HTTP/3.
func earlyData(r *http.Request) bool {
	return r.TLS != nil && !r.TLS.HandshakeComplete
}

// crossSiteSocket reports whether another site's page opens a WebSocket with the visitor's cookie (SE-18): the browser's
// same-origin policy does not hold for WebSockets.
func (g *Gate) crossSiteSocket(r *http.Request, p *identity.Principal) bool {
	if p == nil || p.Credential != identity.CredentialCookie || !IsWebSocket(r) || g.Origins.FromHere(r) {
		return false
	}
	return len(r.Header["Origin"]) != 1 || !g.CORS.Allows(first(r.Header, "Origin"))
}

// isPassive reports whether a request that was judged leaves the session's idle time alone.
func (s *Site) isPassive(r policy.Request) bool {
	return s.passive != nil && s.passive.Decide(r, nil).Public
}

// underLimit applies the site's own rate limit: per signed-in user or per address.
func (g *Gate) underLimit(w http.ResponseWriter, r *http.Request, s *Site, c Client, v verdict) bool {
	key := ratelimit.AddressKey(c.Address())
	if p := v.principal(); p != nil && s.cfg.RateLimit.PerUser {
		key = ratelimit.UserKey(p.UserID)
	}
	state, ok := g.Limits.Allow(s.limit, ratelimit.Rate{Events: s.cfg.RateLimit.Events, Window: s.cfg.RateLimit.Window}, key, g.Now())
	if ok {
		return true
	}
	g.Metrics.RateLimited("site")
	v.decision = policy.Decision{Code: identity.CodeRateLimited}
	g.answer(w, r, identity.CodeRateLimited, state.RetryAfter, g.remembered(r, c, &v))
	return false
}

// ServeUnavailable stands in for the gate until the engine runs: public paths are served without an identity,
// everything else is 503 (R1). Requests that the directive's matcher does not cover are not judged.
func ServeUnavailable(w http.ResponseWriter, r *http.Request, s *Site, c Client, covers Covers, next Next) error {
	s.clean(r)
	stripCookies(r.Header)
	t := &trail{Stream: revocation.Stream{Context: r.Context()}}
	w, r = t.answers(w, nil), r.WithContext(t)
	covered, err := covers(w, r)
	if err != nil {
		return err
	}
	request, code, _ := requestOf(r)
	request.Addr, request.Now = s.visitorAddress(r, c), time.Now()
	if code == "" && len(r.Header["Authorization"]) == 0 && (!covered || s.rules.Set().Decide(request, nil).Public) {
		t.answer.harden, t.answer.https = s.cfg.SecurityHeaders && covered, sendsHSTS(r, c)
		defer t.answer.settle()
		return next.ServeHTTP(w, r)
	}
	OwnAnswer(r)
	WriteUnavailable(w)
	return nil
}

// cleanConnection keeps a client from naming our headers hop-by-hop (HD-02).
func cleanConnection(h http.Header) { identityheader.SanitizeConnection(h) }

// readyWait is how long clients should wait when the state is unreadable.
const readyWait = 2 * time.Second
