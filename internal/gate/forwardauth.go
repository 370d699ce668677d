package gate

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/problem"
)

// forwarded is the original request as the other proxy describes it.
type forwarded struct {
	request *http.Request
	origin  string // scheme and host, for absolute redirects: some proxies resolve relative ones against our own address
	nginx   bool   // X-Original-*: wants 401 with Location instead of 302
}

// ServeForwardAuth answers the sub-request of another proxy (CONTRACT section 7). What it says is believed only when
// Caddy's trusted_proxies names it, and only for the hosts of this site; anything missing or malformed is 4xx (HD-05).
func (g *Gate) ServeForwardAuth(w http.ResponseWriter, r *http.Request, s *Site, c Client) {
	w.Header().Set("Cache-Control", "no-store")
	if !c.TrustedPeer {
		problem.Write(w, problem.Problem{Code: identity.CodeForbidden, Detail: "forward-auth answers only proxies named in trusted_proxies."})
		return
	}
	f, err := readForwarded(r, s)
	if err != nil {
		problem.Write(w, problem.Problem{Code: identity.CodeInvalidRequest, Detail: err.Error()})
		return
	}
	s.clean(f.request)
	v := g.judge(f.request, s, g.Verifier.Take(f.request), nil, c)
	if v.twice {
		clearCookie(w.Header(), authn.SessionCookie)
	}
	g.record(f.request, s, &v, c)
	if v.decision.Report != nil {
		g.report(f.request, s, c, &v)
	}
	if v.decision.Allow {
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
			if v.entry.Principal.Credential == identity.CredentialCookie && !s.isPassive(f.request) {
				g.Verifier.Sessions.Used(v.entry)
			}
		}
		w.WriteHeader(http.StatusOK)
		return
	}
	g.refuse(&forwardWriter{ResponseWriter: w, f: f}, f.request, s, c, &v)
}

// forwardWriter makes redirects absolute and turns them into 401 for nginx, whose auth_request knows no 302.
type forwardWriter struct {
	http.ResponseWriter
	f forwarded
}

// WriteHeader sends the status that the other proxy understands.
func (w *forwardWriter) WriteHeader(status int) {
	if location := w.Header().Get("Location"); strings.HasPrefix(location, "/") {
		w.Header().Set("Location", w.f.origin+location)
	}
	if w.f.nginx {
		switch {
		case status == http.StatusFound:
			status = http.StatusUnauthorized
		case status >= 400 && status != http.StatusUnauthorized && status < 500:
			status = http.StatusForbidden
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

var (
	errForwardedMissing = errors.New("the proxy must send X-Forwarded-Method, -Proto, -Host and -Uri, or X-Original-Method and X-Original-URL, once each")
	errForwardedHost    = errors.New("this host is not in the `hosts` of truxe forward_auth")
	errForwardedBad     = errors.New("the forwarded method, scheme, host or URI is malformed")
	errForwardedPlain   = errors.New("the visitor's connection to the proxy must be https")
)

// readForwarded builds the request that the visitor sent. Only the names of the contract are read; X-Forwarded-Prefix,
// -Port and the like change nothing (CVE-2026-35051).
func readForwarded(r *http.Request, s *Site) (forwarded, error) {
	var f forwarded
	var method, scheme, host, uri string
	if original, ok := once(r.Header, "X-Original-Url"); ok && original != "" {
		f.nginx = true
		u, err := url.Parse(original)
		if err != nil || u.Host == "" || u.User != nil {
			return f, errForwardedBad
		}
		scheme, host = u.Scheme, u.Host
		uri = strings.TrimPrefix(original, scheme+"://"+host)
		if method, ok = once(r.Header, "X-Original-Method"); !ok || method == "" {
			return f, errForwardedMissing
		}
	} else {
		for _, h := range []struct {
			name string
			into *string
		}{{"X-Forwarded-Method", &method}, {"X-Forwarded-Proto", &scheme}, {"X-Forwarded-Host", &host}, {"X-Forwarded-Uri", &uri}} {
			value, ok := once(r.Header, h.name)
			if !ok || value == "" {
				return f, errForwardedMissing
			}
			*h.into = value
		}
	}
	scheme = strings.ToLower(scheme)
	socket := scheme == "wss" || scheme == "ws" // Traefik's word for an upgrade
	if socket {
		scheme = strings.Replace(scheme, "ws", "http", 1)
	}
	folded, err := policy.FoldHost(host)
	if err != nil || !isToken(method) || !strings.HasPrefix(uri, "/") || scheme != "https" && scheme != "http" {
		return f, errForwardedBad
	}
	if !s.forwards[folded] {
		return f, errForwardedHost
	}
	if scheme == "http" && folded != "localhost" && !strings.HasSuffix(folded, ".localhost") {
		return f, errForwardedPlain
	}
	u, err := url.ParseRequestURI(uri)
	if err != nil || strings.Contains(uri, "#") {
		return f, errForwardedBad
	}
	inner := r.Clone(r.Context())
	inner.Method, inner.URL, inner.RequestURI, inner.Host = method, u, uri, host
	inner.Header["X-Forwarded-Proto"] = []string{scheme}
	if socket {
		inner.Header["Upgrade"] = []string{"websocket"}
	}
	inner.TLS, inner.Body, inner.ContentLength = nil, http.NoBody, 0
	f.request, f.origin = inner, scheme+"://"+host
	return f, nil
}

// once reads a header that may stand there only once: with two, no telling which one the other proxy meant.
func once(h http.Header, canonical string) (string, bool) {
	switch v := h[canonical]; len(v) {
	case 0:
		return "", true
	case 1:
		return v[0], true
	}
	return "", false
}

// isToken tells an RFC 9110 method name.
func isToken(s string) bool {
	if s == "" || len(s) > 32 {
		return false
	}
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return true
}
