package edges

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// request is a drawn request.
type request struct {
	port    string // the listener: "https", "second" or "plain"
	trusted bool   // it comes from 127.0.0.2, the proxy that may be trusted
	host    string // the Host header as it is sent; a port is a placeholder of the rig
	odd     bool   // the host is not spelled as browsers do for this site
	method  string
	path    string // as it is sent
	spelled string // what was done to the path: "", "encoded", "mild" or "odd"
	query   string
	kind    string // "navigate", "frame", "fetch", "curl", "legacy" or "socket"
	origin  string // "", "same", "http", "port", "foreign" or "null"
	cookie  credential
	auth    credential
	proto   []string // X-Forwarded-Proto
	zone    bool     // X-Zone: inner
	forged  []field
	trailer field
	forward *forwarded // a question of another proxy
}

// credential is a way to say who one is.
type credential struct {
	kind string
	who  *person
}

// forwarded is what another proxy says about the request it asks about.
type forwarded struct {
	kind   string // "forwarded", "original", "both" or "envoy"
	truth  string // both: "original" or "forwarded", which the proxy wrote; the other kind is the visitor's
	twice  bool   // one of the names is there twice
	scheme string
	host   string
}

// cookieHost is the host that a cookie has to be made for: without port, in lower case.
func (r *request) cookieHost() string {
	host := r.host
	if r.forward != nil {
		host = r.forward.host
	}
	host, _, _ = strings.Cut(host, ":")
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

func (r *request) target() string {
	if r.query == "" {
		return r.path
	}
	return r.path + "?" + r.query
}

// cookies are the cookies in order, as "name=value".
func (r *request) cookies() []string {
	app := []string{"app=1", "theme=dark"}
	own := func(value string) []string { return []string{app[0], "__Host-truxe=" + value, app[1]} }
	host := r.cookieHost()
	switch r.cookie.kind {
	case "none":
		return app
	case "valid":
		return own(r.cookie.who.sessions[host])
	case "other host":
		for _, h := range hosts {
			if h != host {
				return own(r.cookie.who.sessions[h])
			}
		}
	case "revoked":
		return own(r.cookie.who.revoked["one.test"])
	case "duplicate":
		return append(own(r.cookie.who.sessions[host]), "__Host-truxe="+r.cookie.who.sessions[host])
	case "quoted":
		return own(`"` + r.cookie.who.sessions[host] + `"`)
	}
	return own("garbage")
}

// authorizations are the Authorization lines. The kinds that begin with "app" are the app's own.
func (r *request) authorizations() []string {
	basic := func(user, pass string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+pass))
	}
	who := r.auth.who
	switch r.auth.kind {
	case "none":
		return nil
	case "bearer":
		return []string{"Bearer " + who.token}
	case "lower case":
		return []string{"bearer " + who.token}
	case "basic":
		return []string{basic(who.name, who.token)}
	case "revoked":
		return []string{"Bearer " + who.revokedToken}
	case "garbage":
		return []string{"Bearer trx_pat_0000000000000000000000000000000000000000000000"}
	case "twice":
		return []string{"Bearer " + who.token, "Bearer app-token"}
	case "odd tab":
		return []string{"Bearer\t" + who.token}
	case "odd spaces":
		return []string{"Bearer   " + who.token}
	case "odd token":
		return []string{"Token " + who.token}
	case "odd bare":
		return []string{who.token}
	case "odd basic user":
		return []string{basic(who.token, "x-oauth-basic")}
	case "app basic":
		return []string{basic("editor", "of the app")}
	case "app jwt":
		return []string{"Bearer eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJodHRwczovL2FwcC50ZXN0In0.c2lnbmF0dXJlLW9mLXRoZS1hcHA"}
	}
	return []string{"Bearer app-token"}
}

// appHeaders must arrive as they are.
var appHeaders = []field{{"User-Agent", "edges"}, {"X-App-Note", "kept; as=it is"}, {"Accept-Language", "de,en;q=0.5"},
	{"Remote-Users", "of the app"}}

// header lists all lines in order.
func (r *request) header(ports func(string) string) []field {
	host := ports(r.host)
	out := []field{{"Host", host}}
	out = append(out, appHeaders...)
	switch r.kind {
	case "navigate":
		out = append(out, field{"Sec-Fetch-Mode", "navigate"}, field{"Sec-Fetch-Dest", "document"},
			field{"Sec-Fetch-Site", "none"}, field{"Accept", "text/html"})
	case "frame":
		out = append(out, field{"Sec-Fetch-Mode", "navigate"}, field{"Sec-Fetch-Dest", "iframe"},
			field{"Sec-Fetch-Site", "cross-site"}, field{"Accept", "text/html"})
	case "fetch":
		out = append(out, field{"Sec-Fetch-Mode", "cors"}, field{"Sec-Fetch-Dest", "empty"},
			field{"Sec-Fetch-Site", "same-origin"}, field{"Accept", "*/*"})
	case "legacy":
		out = append(out, field{"Accept", "text/html,application/xhtml+xml"})
	case "socket":
		out = append(out, field{"Upgrade", "websocket"}, field{"Connection", "Upgrade"}, field{"Sec-WebSocket-Version", "13"},
			field{"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="})
	}
	asked := host
	if r.forward != nil {
		asked = r.forward.host
	}
	switch r.origin {
	case "same":
		out = append(out, field{"Origin", "https://" + asked})
	case "http":
		out = append(out, field{"Origin", "http://" + asked})
	case "port":
		name, _, _ := strings.Cut(asked, ":")
		out = append(out, field{"Origin", "https://" + name + ":1"})
	case "foreign":
		out = append(out, field{"Origin", "https://evil.example"})
	case "null":
		out = append(out, field{"Origin", "null"})
	}
	out = append(out, field{"Cookie", strings.Join(r.cookies(), "; ")})
	for _, line := range r.authorizations() {
		out = append(out, field{"Authorization", line})
	}
	for _, p := range r.proto {
		out = append(out, field{"X-Forwarded-Proto", p})
	}
	if r.zone {
		out = append(out, field{"X-Zone", "inner"})
	}
	out = append(out, r.forged...)
	if r.trailer.name != "" {
		out = append(out, field{"Transfer-Encoding", "chunked"}, field{"Trailer", r.trailer.name})
	} else if r.method == "POST" && r.forward == nil {
		out = append(out, field{"Content-Length", "3"})
	}
	if f := r.forward; f != nil {
		out = append(out, f.lines(r)...)
	}
	return out
}

// lie is what a visitor wants to be judged in place of their request.
const lie = "/pub/x"

func (f *forwarded) lines(r *request) []field {
	var out []field
	target := func(kind string) string {
		if f.kind == "both" && (kind == "original") != (f.truth == "original") {
			return lie
		}
		return r.target()
	}
	switch f.kind {
	case "envoy":
		out = append(out, field{"X-Forwarded-Proto", f.scheme})
	case "both", "forwarded":
		out = append(out, field{"X-Forwarded-Method", r.method}, field{"X-Forwarded-Proto", f.scheme},
			field{"X-Forwarded-Host", f.host}, field{"X-Forwarded-Uri", target("forwarded")})
	}
	if f.kind == "both" || f.kind == "original" {
		out = append(out, field{"X-Original-Method", r.method},
			field{"X-Original-Url", f.scheme + "://" + f.host + target("original")})
	}
	if f.twice {
		out = append(out, out[len(out)-1])
	}
	return out
}

// line is the method and target as they are sent. A question of another proxy is a GET of its own, except Envoy's.
func (r *request) line() (method, target string) {
	switch {
	case r.forward == nil:
		return r.method, r.target()
	case r.forward.kind == "envoy":
		return r.method, "/.truxe/ext-authz" + r.target()
	}
	return "GET", "/.truxe/forward-auth"
}

// raw is the request as bytes.
func (r *request) raw(ports func(string) string) string {
	var w strings.Builder
	method, target := r.line()
	fmt.Fprintf(&w, "%s %s HTTP/1.1\r\n", method, target)
	for _, f := range r.header(ports) {
		fmt.Fprintf(&w, "%s: %s\r\n", f.name, f.value)
	}
	w.WriteString("\r\n")
	switch {
	case r.trailer.name != "":
		fmt.Fprintf(&w, "3\r\na=1\r\n0\r\n%s: %s\r\n\r\n", r.trailer.name, r.trailer.value)
	case r.method == "POST" && r.forward == nil:
		w.WriteString("a=1")
	}
	return w.String()
}

// secrets are what must never arrive at an upstream.
func (r *request) secrets() []string {
	var all []string
	for _, c := range []credential{r.cookie, r.auth} {
		if c.who == nil {
			continue
		}
		all = append(all, c.who.token, c.who.revokedToken)
		for _, s := range c.who.sessions {
			all = append(all, s)
		}
		for _, s := range c.who.revoked {
			all = append(all, s)
		}
	}
	return all
}
