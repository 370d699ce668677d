package edges

import "slices"

// shrink reduces a configuration and a request as long as they show the same kind of difference, and returns the
// difference that the smallest ones show.
func (w *world) shrink(c *config, r *request, why string) (*config, *request, string) {
	kind := kindOf(why, r)
	shows := func(c *config, r *request) bool {
		smaller, _ := w.try(c, r)
		if smaller == "" || kindOf(smaller, r) != kind {
			return false
		}
		why = smaller
		return true
	}
	for again := true; again; {
		again = false
		for _, smaller := range smallerRequests(r) {
			if shows(c, smaller) {
				r, again = smaller, true
				break
			}
		}
	}
	tries := 0
	for again := true; again && tries < 80; {
		again = false
		for _, smaller := range smallerConfigs(c) {
			if tries++; len(smaller.gates()) > 0 && w.load(smaller) == nil && shows(smaller, r) {
				c, again = smaller, true
				break
			}
		}
	}
	if err := w.load(c); err != nil {
		w.t.Fatalf("load a configuration again: %v", err)
	}
	return c, r, why
}

// smallerRequests are copies of a request with one part less.
func smallerRequests(r *request) []*request {
	var out []*request
	without := func(change func(*request)) {
		smaller := *r
		smaller.forged = slices.Clone(r.forged)
		change(&smaller)
		out = append(out, &smaller)
	}
	for i := range r.forged {
		without(func(s *request) { s.forged = slices.Delete(s.forged, i, i+1) })
	}
	if r.trailer.name != "" {
		without(func(s *request) { s.trailer = field{} })
	}
	if r.auth.kind != "none" {
		without(func(s *request) { s.auth = credential{kind: "none"} })
	}
	if r.cookie.kind != "none" {
		without(func(s *request) { s.cookie = credential{kind: "none"} })
	}
	if r.query != "" {
		without(func(s *request) { s.query = "" })
	}
	if r.method != "GET" {
		without(func(s *request) { s.method = "GET" })
	}
	if r.kind != "curl" {
		without(func(s *request) { s.kind = "curl" })
	}
	if r.origin != "" {
		without(func(s *request) { s.origin = "" })
	}
	if r.zone {
		without(func(s *request) { s.zone = false })
	}
	if r.trusted {
		without(func(s *request) { s.trusted = false })
	}
	if len(r.proto) > 0 {
		without(func(s *request) { s.proto = nil })
	}
	if r.path != "/x" {
		without(func(s *request) { s.path, s.spelled = "/x", "" })
	}
	return out
}

// smallerConfigs are copies of a configuration with one part less.
func smallerConfigs(c *config) []*config {
	var out []*config
	if c.portal {
		out = append(out, &config{false, c.trusted, c.sites})
	}
	for i, s := range c.sites {
		if len(c.sites) > 1 {
			out = append(out, &config{c.portal, c.trusted, slices.Delete(slices.Clone(c.sites), i, i+1)})
		}
		replace := func(smaller site) {
			sites := slices.Clone(c.sites)
			sites[i] = &smaller
			out = append(out, &config{c.portal, c.trusted, sites})
		}
		for _, body := range smallerItems(s.body) {
			replace(site{s.host, s.port, s.public, nil, body})
		}
		if s.forward != nil {
			for _, g := range smallerGates(s.forward) {
				replace(site{s.host, s.port, s.public, g, nil})
			}
		}
	}
	return out
}

func smallerItems(items []item) [][]item {
	var out [][]item
	for i, it := range items {
		if it.app != 0 || it.pages {
			continue
		}
		out = append(out, slices.Delete(slices.Clone(items), i, i+1))
		replace := func(other item) {
			list := slices.Clone(items)
			list[i] = other
			out = append(out, list)
		}
		if it.gate != nil {
			for _, g := range smallerGates(it.gate) {
				replace(item{gate: g})
			}
			continue
		}
		for _, inner := range smallerItems(it.block.items) {
			replace(item{block: &block{it.block.kind, it.block.path, inner}})
		}
	}
	return out
}

func smallerGates(g *gate) []*gate {
	var out []*gate
	without := func(change func(*gate)) {
		smaller := *g
		change(&smaller)
		out = append(out, &smaller)
	}
	if g.match != nil {
		without(func(s *gate) { s.match = nil })
	}
	if len(g.public) > 0 {
		without(func(s *gate) { s.public = s.public[1:] })
	}
	if len(g.roles)+len(g.users) > 0 {
		without(func(s *gate) { s.roles, s.users = nil, nil })
	}
	if g.headers != "" {
		without(func(s *gate) { s.headers = "" })
	}
	if g.from != "" {
		without(func(s *gate) { s.from = "" })
	}
	if len(g.custom) > 0 {
		without(func(s *gate) { s.custom = nil })
	}
	return out
}
