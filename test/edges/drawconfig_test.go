package edges

import "math/rand/v2"

// dice is the source of random choices. Everything comes from one seed, so a difference can be repeated.
type dice struct{ *rand.Rand }

func newDice(seed, index uint64) dice { return dice{rand.New(rand.NewPCG(seed, index))} }

// oneIn reports true once in n times.
func (d dice) oneIn(n int) bool { return d.IntN(n) == 0 }

func pick[T any](d dice, from ...T) T { return from[d.IntN(len(from))] }

// some returns up to n different words.
func some(d dice, n int, from ...string) []string {
	var out []string
	for _, i := range d.Perm(len(from))[:d.IntN(n+1)] {
		out = append(out, from[i])
	}
	return out
}

// pathPatterns are the path matchers of drawn configurations, longest first, as Caddy sorts handle blocks.
var pathPatterns = []string{"/static/*", "/admin/*", "/pub/*", "/a/*"}

func drawConfig(d dice) *config {
	c := &config{portal: d.oneIn(2), trusted: !d.oneIn(4)}
	left := 1 + d.IntN(6) // truxe directives
	type place struct{ host, port string }
	places := []place{{"one.test", "https"}, {"two.test", "https"}, {"*.wild.test", "https"}, {"", "https"},
		{"one.test", "second"}}
	if c.trusted {
		places = append(places, place{"one.test", "plain"}, place{"*.wild.test", "plain"}, place{"", "plain"})
		if d.oneIn(3) {
			g := drawGate(d)
			g.from = pick(d, "", "", "", "nginx", "nginx", "traefik", "caddy", "haproxy", "envoy")
			c.sites = append(c.sites, &site{port: "https", forward: g})
			left--
		}
	}
	order := d.Perm(len(places))
	for _, n := range order[:1+d.IntN(min(3, len(places)))] {
		s := &site{host: places[n].host, port: places[n].port}
		if s.host == "" && d.oneIn(2) {
			continue // fewer catch-all sites: they hide what happens to unknown hosts
		}
		gates := 1 + d.IntN(max(1, min(3, left)))
		left -= gates
		s.body = drawBody(d, gates)
		if (s.host == "one.test" || s.host == "two.test") && d.oneIn(4) {
			s.public = "8443"
		}
		c.sites = append(c.sites, s)
	}
	return c
}

// drawBody returns one of the common forms of a site's body.
func drawBody(d dice, gates int) []item {
	var body []item
	switch d.IntN(4) {
	case 0, 1: // at the top of the site
		for n := range gates {
			body = append(body, item{gate: drawMatched(d, n)})
		}
		return append(body, item{app: 1 + d.IntN(2)})
	case 2: // in handle blocks, perhaps with one more above them
		if gates > 1 && d.oneIn(2) {
			body = append(body, item{gate: drawMatched(d, 1)})
			gates--
		}
		for _, pattern := range pathPatterns {
			if gates > 1 && d.oneIn(2) {
				body = append(body, item{block: &block{"handle", pattern, drawInner(d, 1)}})
				gates--
			}
		}
		return append(body, item{block: &block{"handle", "", drawInner(d, gates)}})
	}
	// in a route block, where everything runs as it is written
	r := &block{kind: "route"}
	if d.oneIn(2) {
		r.path = pick(d, pathPatterns...)
		body = append(body, item{pages: true})
	}
	for n := range gates {
		r.items = append(r.items, item{gate: drawMatched(d, n)})
	}
	if d.oneIn(2) {
		r.items = append(r.items, item{block: &block{"handle", pick(d, pathPatterns...), drawInner(d, 1)}})
	}
	r.items = append(r.items, item{app: 1})
	return append(body, item{block: r}, item{app: 2})
}

func drawInner(d dice, gates int) []item {
	var items []item
	for n := range gates {
		items = append(items, item{gate: drawMatched(d, n)})
	}
	return append(items, item{app: 1 + d.IntN(2)})
}

func drawMatched(d dice, n int) *gate {
	g := drawGate(d)
	if n > 0 && d.oneIn(4) || n == 0 && d.oneIn(2) {
		return g
	}
	m := &matcher{}
	switch d.IntN(6) {
	case 0:
		m.notPaths = some(d, 1, pathPatterns...)
		m.method = pick(d, "", "POST")
	case 1:
		m.method = pick(d, "GET", "POST")
	case 2:
		m.header = field{"X-Zone", "inner"}
	default:
		m.paths = append(some(d, 1, pathPatterns[:2]...), pick(d, pathPatterns[2:]...))
	}
	if len(m.paths)+len(m.notPaths) == 0 && m.method == "" && m.header.name == "" {
		m.paths = []string{"/admin/*"}
	}
	g.match = m
	return g
}

func drawGate(d dice) *gate {
	g := &gate{public: some(d, 2, "/pub/*", "/static/*", "/x", "/admin/open")}
	if d.oneIn(2) {
		g.public = nil
	}
	switch d.IntN(5) {
	case 0:
		g.roles = []string{"staff"}
	case 1:
		g.users = []string{"bob"}
	}
	switch d.IntN(4) {
	case 0:
		g.headers = pick(d, "grafana", "gitea", "jenkins", "paperless", "none")
	case 1:
		g.custom = []field{pick(d, field{"X-App-User", "{http.auth.user.name}"},
			field{"X-App-Roles", "{http.auth.user.roles}"},
			field{"X-App-Mail", "{http.auth.user.email}"})}
	}
	return g
}
