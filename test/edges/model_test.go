package edges

import (
	"slices"
	"strings"
)

// outcome is what may come of a request under a configuration.
type outcome struct {
	seen     bool // a gate or the gateway's own pages see the request; otherwise the configuration leaves it alone
	pass     pass
	as       []*person // identities that the app may see when it passes; nil is anonymous
	judges   []*gate   // the gates that announce them
	could    []*gate   // and those that may as well: their matcher holds for another reading of the path
	app      int       // the upstream
	statuses map[int]bool
	no2xx    bool // any answer but 2xx and 5xx, when statuses is empty
}

type pass int

const (
	never pass = iota
	may
	must
)

// caller is one way to read a request's credentials.
type caller struct {
	who     *person // nil: anonymous
	invalid bool    // a token of ours that is not good
	cookie  bool    // proven by the cookie, which browsers attach for any page
}

// callers are all ways in which the contract lets a gateway read the credentials. Usually that is one.
func (r *request) callers() []caller {
	var byCookie []caller
	switch r.cookie.kind {
	case "valid":
		byCookie = []caller{{who: r.cookie.who, cookie: true}}
		if strings.HasSuffix(r.host, ".") {
			byCookie = append(byCookie, caller{})
		}
		if r.cookie.who.sessions[r.cookieHost()] == "" {
			byCookie = []caller{{}}
		}
	case "quoted":
		byCookie = []caller{{}, {who: r.cookie.who, cookie: true}}
	default:
		byCookie = []caller{{}}
	}
	switch kind := r.auth.kind; {
	case kind == "none" || strings.HasPrefix(kind, "app"):
		return byCookie
	case kind == "revoked" || kind == "garbage":
		return []caller{{invalid: true}}
	case kind == "twice":
		return append(byCookie, caller{invalid: true})
	case strings.HasPrefix(kind, "odd"):
		return append(byCookie, caller{who: r.auth.who}, caller{invalid: true})
	}
	return []caller{{who: r.auth.who}}
}

// find is the site that Caddy picks on a listener: an exact name, then a wildcard of one label, then a catch-all.
func (c *config) find(port, host string) *site {
	host, _, _ = strings.Cut(strings.ToLower(host), ":")
	var wild, all *site
	for _, s := range c.sites {
		_, parent, _ := strings.Cut(host, ".")
		switch {
		case s.port != port:
		case s.forward != nil && (host == verifyHost || host == forwardHost), s.forward == nil && s.host == host:
			return s
		case s.forward == nil && s.host == "":
			all = s
		case s.forward == nil && s.host == "*."+parent:
			wild = s
		}
	}
	if wild != nil {
		return wild
	}
	return all
}

// way is where Caddy leads a request: the gates that see it, in order, and the upstream at the end.
type way struct {
	gates []*gate
	app   int
	pages bool // the gateway's pages answer, without a gate
}

func (w *way) follow(items []item, path string) {
	handled := false
	for _, i := range items {
		if w.app != 0 || w.pages {
			return
		}
		switch {
		case i.gate != nil:
			w.gates = append(w.gates, i.gate)
		case i.block != nil:
			if i.block.path != "" && !pathMatches(i.block.path, path) || i.block.kind == "handle" && handled {
				continue
			}
			handled = i.block.kind == "handle"
			w.follow(i.block.items, path)
		case i.pages:
			w.pages = pathMatches("/.truxe/*", path)
		default:
			w.app = i.app
		}
	}
}

// holds reports whether a matcher holds for a request when its path is read in one way.
func (m *matcher) holds(r *request, read string) bool {
	if m == nil {
		return true
	}
	matches := func(p string) bool { return pathMatches(p, read) }
	switch {
	case len(m.paths) > 0 && !slices.ContainsFunc(m.paths, matches):
		return false
	case slices.ContainsFunc(m.notPaths, matches):
		return false
	case m.method != "" && m.method != r.method:
		return false
	case m.header.name != "" && !r.zone:
		return false
	}
	return true
}

// secure reports whether the visitor's connection is https; unsure is a header that can be read in two ways.
func (c *config) secure(r *request) (is, unsure bool) {
	if r.forward != nil {
		return r.forward.scheme == "https" || r.forward.scheme == "wss", false
	}
	if r.port != "plain" {
		return true, false
	}
	if !r.trusted || !c.trusted {
		return false, false
	}
	return len(r.proto) == 1 && r.proto[0] == "https", len(r.proto) == 2 || len(r.proto) == 1 && r.proto[0] == "wss"
}

// foreign reports whether a WebSocket comes from a page of another origin.
func (r *request) foreign() (is, unsure bool) {
	if r.kind != "socket" && (r.forward == nil || r.forward.scheme != "wss") {
		return false, false
	}
	switch r.kind { // Sec-Fetch-Site, which only a browser writes, counts before Origin
	case "fetch": // same-origin
		return false, false
	case "navigate", "frame": // none, cross-site
		return true, false
	}
	return r.origin != "same", r.origin == "same" && r.odd
}

// refused are the statuses with which a gate may refuse a caller for one reading of the path; none: the caller may
// pass. open reports that the path is public in this reading.
func (g *gate) refused(c *config, r *request, by caller, read string) (statuses []int, open bool) {
	if slices.ContainsFunc(g.public, func(p string) bool { return isPublic(p, read) }) {
		return nil, true
	}
	if secure, unsure := c.secure(r); !secure && !unsure {
		return []int{400, 401, 403, 302}, false
	}
	switch {
	case by.invalid:
		return []int{401}, false
	case by.who == nil:
		get := r.method == "GET" || r.method == "HEAD"
		if get && (r.kind == "navigate" || r.kind == "legacy") && (r.forward == nil || r.forward.scheme != "wss") {
			return []int{302}, false
		}
		return []int{401}, false
	}
	if len(g.roles)+len(g.users) > 0 && !slices.Contains(g.users, by.who.name) &&
		!slices.ContainsFunc(g.roles, func(role string) bool { return slices.Contains(by.who.roles, role) }) {
		return []int{403}, false
	}
	if foreign, _ := r.foreign(); foreign && by.cookie {
		return []int{403}, false
	}
	return nil, false
}

// model says what may come of a request: slowly, one reading, one caller and one gate after the other.
func model(c *config, r *request) outcome {
	o := outcome{statuses: map[int]bool{}}
	s := c.find(r.port, r.host)
	own := r.forward != nil || strings.HasPrefix(r.path, "/.truxe/")
	if s == nil {
		o.seen, o.no2xx = true, own
		return o
	}
	if (s.forward != nil) != (r.forward != nil) {
		o.seen = own && r.forward == nil // a site with forward_auth has the gateway's pages and nothing else
		return o
	}
	w := way{gates: []*gate{s.forward}}
	if r.forward == nil {
		w.gates = nil
		w.follow(s.body, percentDecode(r.path))
	}
	o.seen, o.app = len(w.gates) > 0 || w.pages, w.app
	if !o.seen || w.pages || r.forward == nil && own {
		return o // below /.truxe/ the gateway's own pages answer wherever a gate is
	}
	if r.forward != nil && !o.askedWell(c, r, s.forward) {
		return o
	}
	o.judge(c, r, w.gates)
	return o
}

// believed is the kind of description that is the proxy's; "" is a question that must be refused.
func (r *request) believed(from string) string {
	f := r.forward
	has := map[string]bool{f.kind: true}
	if f.kind == "both" {
		has = map[string]bool{"forwarded": true, "original": true}
	}
	want := map[string]string{"nginx": "original", "traefik": "forwarded", "caddy": "forwarded", "haproxy": "forwarded",
		"envoy": f.kind}[from]
	if from == "" && f.kind != "both" && f.kind != "envoy" { // Envoy's way must be named
		want = f.kind
	}
	if from == "envoy" && f.kind == "both" {
		want = "forwarded"
	}
	if !has[want] || f.twice || from == "envoy" && f.kind == "original" {
		return ""
	}
	return want
}

// askedWell reports whether a question of another proxy is one that is answered at all.
func (o *outcome) askedWell(c *config, r *request, g *gate) bool {
	f := r.forward
	host, _, _ := strings.Cut(f.host, ":")
	if !r.trusted || !c.trusted || host != forwardHost || f.scheme == "http" || r.believed(g.from) == "" {
		o.no2xx = true
		return false
	}
	return true
}

// judge asks every gate for every reading of the path and every caller.
func (o *outcome) judge(c *config, r *request, gates []*gate) {
	all := readings(r.path)
	decoded := percentDecode(r.path)
	for _, g := range gates {
		if g.match.holds(r, decoded) {
			o.judges = append(o.judges, g)
		} else if slices.ContainsFunc(all, func(read string) bool { return g.match.holds(r, read) }) {
			o.could = append(o.could, g)
		}
	}
	passing, refusing := 0, 0
	certain := r.spelled == "" || r.spelled == "encoded" || r.spelled == "mild" && len(o.judges) == len(gates)
	if len(all) > 2 && r.spelled == "mild" && len(o.judges) != len(gates) || refusable(r.path, all) {
		certain = false
	}
	if !certain {
		o.statuses[400] = true
	}
	foreign, unsureOrigin := r.foreign()
	secure, unsureScheme := c.secure(r)
	for _, by := range r.callers() {
		stopped, open := false, len(o.judges)+len(o.could) > 0
		for _, g := range slices.Concat(o.judges, o.could) {
			judged := slices.Contains(o.judges, g)
			for _, read := range append([]string{decoded, resolve(decoded)}, all...) {
				statuses, public := g.refused(c, r, by, read)
				for _, status := range statuses {
					o.statuses[status] = true
				}
				if len(statuses) > 0 && (!judged || read != resolve(decoded)) {
					o.statuses[400] = true
				}
				if judged || g.match.holds(r, read) { // otherwise the gate may look at this reading, but need not
					open = open && public
					stopped = stopped || len(statuses) > 0
				}
			}
		}
		if stopped {
			refusing++
			continue
		}
		passing++
		if foreign && by.cookie && open { // public for strangers: the page of another site is one
			o.as = append(o.as, nil)
			o.statuses[403] = true
			refusing++
			continue
		}
		o.as = append(o.as, by.who)
		switch {
		case open && by.invalid: // whether a bad token spoils a public page is not said
			o.statuses[401] = true
			refusing++
		case open && !secure: // no cookie should have come that way
			o.as = append(o.as, nil)
		}
	}
	if unsureOrigin || unsureScheme {
		refusing++
		o.statuses[403], o.statuses[400], o.statuses[401] = true, true, true
	}
	switch {
	case passing == 0:
		o.pass = never
	case refusing > 0 || !certain:
		o.pass = may
	default:
		o.pass = must
	}
}
