package edges

import (
	"strings"
)

// drawRequest returns a random request that is related to a configuration.
func drawRequest(d dice, c *config, people []*person) *request {
	s := c.sites[d.IntN(len(c.sites))]
	r := &request{port: s.port, method: pick(d, "GET", "GET", "GET", "POST", "DELETE", "HEAD"),
		kind: pick(d, "navigate", "frame", "fetch", "curl", "legacy", "socket", "fetch"),
		zone: d.oneIn(6), query: pick(d, "", "", "q=1&x=%2fadmin", "next=/pub/x")}
	if r.kind == "socket" {
		r.method = "GET"
		r.origin = pick(d, "", "same", "same", "same", "http", "port", "foreign", "null")
	} else if d.oneIn(4) {
		r.origin = pick(d, "same", "foreign")
	}
	drawHost(d, r, s)
	if s.port == "plain" {
		r.trusted = !d.oneIn(5)
		r.proto = [][]string{{"https"}, {"https"}, {"https"}, {"http"}, nil, {"wss"}, {"https", "http"}}[d.IntN(7)]
	} else {
		r.trusted = d.oneIn(4)
		if d.oneIn(6) {
			r.proto = []string{pick(d, "http", "https", "wss")}
		}
	}
	drawPath(d, r)
	r.cookie = credential{kind: pick(d, "none", "none", "valid", "valid", "valid", "valid", "other host", "revoked",
		"duplicate", "quoted", "garbage"), who: pick(d, people...)}
	r.auth = credential{kind: "none", who: pick(d, people...)}
	if d.oneIn(3) {
		r.auth.kind = pick(d, "bearer", "lower case", "basic", "revoked", "garbage", "twice", "odd tab", "odd spaces",
			"odd token", "odd bare",
			"odd basic user", "app basic", "app jwt", "app bearer")
	}
	if r.cookie.kind == "none" || r.cookie.kind == "garbage" {
		r.cookie.who = nil
	}
	if r.auth.kind == "none" || r.auth.kind == "garbage" || strings.HasPrefix(r.auth.kind, "app") {
		r.auth.who = nil
	}
	drawForged(d, r, c)
	if s.forward != nil && d.IntN(5) > 0 {
		r.forward = &forwarded{kind: pick(d, "forwarded", "forwarded", "original", "original", "both", "both", "envoy"),
			scheme: pick(d, "https", "https", "https", "wss", "http"),
			host:   pick(d, forwardHost, forwardHost, forwardHost, "two.test", "evil.example")}
		r.host, r.odd, r.trusted = verifyHost, false, !d.oneIn(6)
		r.forward.twice = r.forward.kind != "both" && d.oneIn(12)
		if r.forward.kind == "envoy" {
			r.host = r.forward.host
		}
		if s.forward.from == "nginx" {
			r.forward.truth = "original"
		}
		r.proto, r.trailer = nil, field{}
		r.forged = nil
		if d.oneIn(3) { // what Caddy's and Traefik's own blocks pass along
			r.forged = append(r.forged, pick(d, field{"X-Forwarded-Prefix", "/pub"}, field{"X-Real-Ip", "127.0.0.1"},
				field{"Remote-User", "forged"}))
		}
	}
	return r
}

// drawHost returns a random Host of a site, or of no site.
func drawHost(d dice, r *request, s *site) {
	name := s.host
	switch {
	case s.forward != nil:
		name = pick(d, verifyHost, forwardHost)
	case s.host == "":
		name = pick(d, "other.test", "other.test", "evil.example")
	case strings.HasPrefix(s.host, "*"):
		name = pick(d, "x", "y") + s.host[1:]
	}
	r.host = name
	if s.port == "second" {
		r.host = name + `:{{port "second"}}`
	}
	if s.public != "" {
		r.host = name + ":" + s.public
	}
	switch d.IntN(16) {
	case 0:
		r.host, r.odd = name+":9999", true
	case 1:
		r.host, r.odd = strings.ToUpper(r.host[:1])+r.host[1:], true
	case 2:
		r.host, r.odd = name+".", true
	case 3:
		r.host, r.odd = pick(d, "nobody.test", "a.b.wild.test", "wild.test", "one.test.evil.example"), true
	}
}

// drawPath returns a random path and a spelling of it.
func drawPath(d dice, r *request) {
	r.path = pick(d, "/", "/x", "/a/x", "/admin/secret", "/admin/secret", "/admin/open", "/admin", "/pub/x", "/pub/x",
		"/static/app.css", "/free/y")
	if d.oneIn(25) {
		r.path = pick(d, "/.truxe/login", "/.truxe/api/v1/session", "/.truxe/forward-auth", "/.truxe/nothing",
			"/.truxe/jwks.json")
		return
	}
	if r.path == "/" || d.oneIn(2) {
		return
	}
	first, rest, _ := strings.Cut(r.path[1:], "/")
	tail := ""
	if rest != "" {
		tail = "/" + rest
	}
	letter := "/%" + hexOf(first[0]) + first[1:]
	type spelling struct{ kind, path string }
	s := pick(d,
		spelling{"encoded", letter + tail},
		spelling{"encoded", r.path + "%20z"},
		spelling{"mild", "/" + strings.ToUpper(first) + tail},
		spelling{"mild", "/" + first + ";v=1" + tail},
		spelling{"mild", "/" + r.path},
		spelling{"mild", "/" + first + "/." + tail},
		spelling{"mild", "/zz/.." + r.path},
		spelling{"mild", "/pub/.." + r.path},
		spelling{"mild", r.path + "/"},
		spelling{"odd", "/pub/..;" + r.path},
		spelling{"odd", "/x/..;/" + first + tail},
		spelling{"odd", "/pub/..%2f" + r.path[1:]},
		spelling{"odd", "/" + first + "%2f" + rest},
		spelling{"odd", "/" + first + "%5c" + rest},
		spelling{"odd", "/" + first + `\` + rest},
		spelling{"odd", "/pub/%2e%2e" + r.path},
		spelling{"odd", "/" + first + "%00" + tail},
		spelling{"odd", "/" + first + "%252f" + rest},
		spelling{"odd", "/%25" + hexOf(first[0]) + first[1:] + tail},
		spelling{"odd", "/" + first + "." + tail},
		spelling{"odd", "/" + first + "%20" + tail},
		spelling{"odd", "/" + first + "%3fz" + tail},
		spelling{"odd", "/" + first + "%23" + tail},
		spelling{"odd", "/" + first + "%c0%af" + rest},
		spelling{"odd", "/free/..%5c" + r.path[1:]},
		spelling{"odd", "//free" + r.path},
		spelling{"odd", "/%2f" + first + tail},
		spelling{"odd", "/;/" + first + tail},
		spelling{"odd", "/.;" + r.path},
		spelling{"odd", r.path + "%0a"},
	)
	r.spelled, r.path = s.kind, s.path
}

func hexOf(c byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[c>>4], digits[c&15]})
}

// drawForged adds identity headers as a client would forge them, of names that are set anywhere in the configuration.
func drawForged(d dice, r *request, c *config) {
	var names []string
	for _, g := range c.gates() {
		for _, f := range g.fields() {
			names = append(names, f.name)
		}
	}
	names = append(names, "X-Truxe-Anything", "Remote-User", "Remote-Groups")
	for range d.IntN(3) {
		name := pick(d, names...)
		switch d.IntN(9) {
		case 0:
			name = strings.ToLower(name)
		case 1:
			name = strings.ToUpper(name)
		case 2:
			name = strings.ReplaceAll(name, "-", "_")
		case 3:
			name = strings.ReplaceAll(name, "-", ".")
		case 4:
			name = strings.Replace(name, "-", "+", 1)
		case 5:
			r.forged = append(r.forged, field{name, "forged"})
		case 6:
			if r.kind != "socket" {
				r.forged = append(r.forged, field{"Connection", "keep-alive, " + name})
				continue
			}
		case 7:
			if r.method == "POST" {
				r.trailer = field{name, "forged"}
				continue
			}
		}
		r.forged = append(r.forged, field{name, "forged"})
	}
	if d.oneIn(8) {
		r.forged = append(r.forged, pick(d, field{"X-Original-URL", "https://one.test/pub/x"},
			field{"X-Forwarded-Uri", "/pub/x"}, field{"X-Forwarded-Host", "evil.example"},
			field{"X-Original-Method", "OPTIONS"}, field{"X-Rewrite-URL", "/pub/x"}, field{"X-Forwarded-Method", "POST"}))
	}
}
