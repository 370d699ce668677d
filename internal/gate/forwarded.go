package gate

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/identityheader"
	"github.com/truxeio/caddy-truxe/internal/loopback"
	"github.com/truxeio/caddy-truxe/internal/nearest"
	"github.com/truxeio/caddy-truxe/internal/origin"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// Proxies are the words of `from`: the proxies whose way of describing a request is known.
var Proxies = []string{"nginx", "traefik", "caddy", "haproxy", "envoy"}

// CheckProxy reports an error for a word that `from` does not know. The empty word is any proxy.
func CheckProxy(from string) error {
	for _, known := range append(Proxies, "") {
		if from == known {
			return nil
		}
	}
	return fmt.Errorf("from cannot be %q%s; the proxies are %s", from, nearest.Hint(from, Proxies),
		strings.Join(Proxies, ", "))
}

// Question is what another proxy asks, by the URL that it asks at.
type Question struct {
	// Answer asks for the answer that the visitor is to get, after a refusal: nginx drops the body of a sub-request and
	// knows no redirect.
	Answer bool
	// Target is the original path and query where they are part of the URL, for Envoy; "" where headers describe them.
	Target string
}

// QuestionOf reads the URL of a sub-request, and returns false for any other request. The target of Envoy is taken from
// the request line: no decoding may change a path that is about to be judged.
func QuestionOf(base string, r *http.Request) (Question, bool) {
	switch r.URL.Path {
	case base + "/forward-auth":
		return Question{}, true
	case base + "/forward-auth/answer":
		return Question{Answer: true}, true
	}
	target, ok := strings.CutPrefix(r.RequestURI, base+"/ext-authz")
	return Question{Target: target}, ok && strings.HasPrefix(target, "/")
}

// forwarded is the original request as the other proxy describes it.
type forwarded struct {
	request *http.Request
	host    string // folded
	origin  string // for absolute redirects: some proxies resolve relative ones against our own address
	nginx   bool   // described by X-Original-*: wants 401 with Location instead of 302
}

// description is a request in the words of the other proxy.
type description struct{ method, scheme, host, uri string }

var (
	originalNames  = []string{"X-Original-Method", "X-Original-Url"}
	forwardedNames = []string{"X-Forwarded-Method", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Uri"}
)

var (
	errForwardedMissing = errors.New("the proxy must send X-Forwarded-Method, -Proto, -Host and -Uri, " +
		"or X-Original-Method and X-Original-URL, once each")
	errForwardedBoth = errors.New("the request has both X-Original-* and X-Forwarded-* headers, " +
		"and a visitor may have sent one kind: name the proxy with `from` in truxe forward_auth")
	errForwardedEnvoy = errors.New("only Envoy asks at this URL: if your proxy is Envoy, " +
		"write `from envoy` in truxe forward_auth")
	errForwardedHost  = errors.New("this host is not in the `hosts` of truxe forward_auth")
	errForwardedBad   = errors.New("the forwarded method, scheme, host or URI is malformed")
	errForwardedPlain = errors.New("the visitor's connection to the proxy must be https")
)

// readForwarded builds the request that the visitor sent. Only the names of the contract are read; X-Forwarded-Prefix,
// -Port and the like change nothing (CVE-2026-35051). Proxies pass the visitor's headers on, so what the site does not
// expect from its proxy is a visitor's text: it is ignored where `from` says which kind is the proxy's, and refused
// where it does not.
func readForwarded(r *http.Request, s *Site, q Question, origins *origin.Book) (forwarded, error) {
	var f forwarded
	var d description
	var err error
	switch {
	case q.Target != "":
		if s.from != "envoy" { // pages of the app may ask here, see forApp
			return f, errForwardedEnvoy
		}
		d, err = describedByURL(r, q.Target)
	case s.from == "nginx", s.from == "" && anyOf(r.Header, originalNames):
		if s.from == "" && anyOf(r.Header, forwardedNames) {
			return f, errForwardedBoth
		}
		f.nginx = true
		d, err = describedByOriginal(r.Header)
	default:
		d, err = describedByForwarded(r.Header)
	}
	if err != nil {
		return f, err
	}
	socket := isWebSocket(r)
	if scheme := strings.ToLower(d.scheme); scheme == "wss" || scheme == "ws" { // Traefik's words for a handshake
		socket, d.scheme = true, strings.Replace(scheme, "ws", "http", 1)
	} else {
		d.scheme = scheme
	}
	host, err := policy.FoldHost(d.host)
	if err != nil || !isToken(d.method) || !strings.HasPrefix(d.uri, "/") || d.scheme != "https" && d.scheme != "http" {
		return f, errForwardedBad
	}
	if !s.forwards[host] {
		return f, errForwardedHost
	}
	if d.scheme == "http" && !loopback.Host(host) {
		return f, errForwardedPlain
	}
	u, err := url.ParseRequestURI(d.uri)
	if err != nil || strings.Contains(d.uri, "#") {
		return f, errForwardedBad
	}
	inner := r.Clone(r.Context())
	inner.Method, inner.URL, inner.RequestURI, inner.Host = d.method, u, d.uri, d.host
	inner.Header["X-Forwarded-Proto"] = []string{d.scheme}
	inner.TLS, inner.Body, inner.ContentLength = nil, http.NoBody, 0
	if socket { // Upgrade belongs to one connection, so most proxies did not pass it on
		inner.Header["Upgrade"] = []string{"websocket"}
		if inner.Method == http.MethodConnect { // over HTTP/2 (RFC 8441); the app gets a GET
			inner.Method = http.MethodGet
		}
	}
	f.request, f.host, f.origin = inner, host, d.scheme+"://"+host
	if o, ok := origins.Named(d.host); ok {
		f.origin = o.String()
	}
	return f, nil
}

// describedByOriginal reads the headers of nginx.
func describedByOriginal(h http.Header) (d description, err error) {
	var original string
	if err = readOnce(h, originalNames, &d.method, &original); err != nil {
		return d, err
	}
	u, err := url.Parse(original)
	if err != nil || u.Host == "" || u.User != nil {
		return d, errForwardedBad
	}
	d.scheme, d.host = u.Scheme, u.Host
	rest, ok := strings.CutPrefix(original[len(u.Scheme):], "://"+u.Host)
	if d.uri = rest; !ok {
		return d, errForwardedBad
	}
	return d, nil
}

// describedByForwarded reads the headers of Traefik, Caddy and HAProxy.
func describedByForwarded(h http.Header) (d description, err error) {
	return d, readOnce(h, forwardedNames, &d.method, &d.scheme, &d.host, &d.uri)
}

// describedByURL reads a request of Envoy's ext_authz: the original one, with a prefix before its path.
func describedByURL(r *http.Request, target string) (description, error) {
	d := description{method: r.Method, host: r.Host, uri: target}
	return d, readOnce(r.Header, []string{"X-Forwarded-Proto"}, &d.scheme)
}

// readOnce reads headers that must each be present once and not be empty: with two values there is no telling which one
// is the proxy's.
func readOnce(h http.Header, names []string, into ...*string) error {
	for i, name := range names {
		values := h[name]
		if len(values) != 1 || values[0] == "" {
			return errForwardedMissing
		}
		*into[i] = values[0]
	}
	return nil
}

func anyOf(h http.Header, names []string) bool {
	for _, name := range names {
		if len(h[name]) > 0 {
			return true
		}
	}
	return false
}

// isToken reports whether s is an RFC 9110 method name.
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

// forApp names what is left of the visitor's credentials for the app, once ours are taken off the request: a proxy
// overwrites its request with what a 200 names (ED-13). What is not named, the other proxy deletes; Envoy has to be
// asked to, for a forged assertion too. A sub-request has the gateway's own Host. At the app's host, a script of the
// app's page may be asking through the route for our pages, and would read HttpOnly cookies in the answer. Envoy keeps
// the app's host, so its questions are answered only where the operator has written that Envoy asks, and keeps visitors
// from the URL.
func (s *Site) forApp(answer http.Header, r *http.Request, q Question, left http.Header) {
	if host, err := policy.FoldHost(r.Host); q.Target == "" && (err != nil || s.forwards[host]) {
		return
	}
	var gone []string
	for _, name := range []string{"Authorization", "Cookie"} {
		if values := left[name]; len(values) > 0 {
			answer[name] = values
		} else {
			gone = append(gone, strings.ToLower(name))
		}
	}
	if len(left["Cookie"]) > 1 { // one line each over HTTP/2 (RFC 9113 8.2.3), and proxies take the first
		answer["Cookie"] = []string{strings.Join(left["Cookie"], "; ")}
	}
	if len(answer[identityheader.Assertion]) == 0 {
		gone = append(gone, strings.ToLower(identityheader.Assertion))
	}
	if q.Target != "" && len(gone) > 0 {
		answer.Set("X-Envoy-Auth-Headers-To-Remove", strings.Join(gone, ","))
	}
}
