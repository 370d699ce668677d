package caddymodule

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/truxeio/caddy-truxe/internal/gateway"
	"github.com/truxeio/caddy-truxe/internal/origin"
	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/rules"
)

// foundSite is a host of one server at which one of our handlers is. Two ports of one host name are two of them.
type foundSite struct {
	listener
	host       string          // folded; a pattern; "" for a site without a host name
	public     []origin.Origin // of `origin`: those of this host, or of hosts that it covers
	handlers   []string        // names of our handlers there
	pages      bool            // requests for the gateway's pages reach a portal handler
	within     string          // a path that keeps them from it
	app        *AppLabel
	allowRoles []string
	hosts      []string // of forward_auth
	gates      []foundGate
}

// foundGate is what one of our gates says; forwards are the hosts of forward_auth.
type foundGate struct {
	site     Site
	forwards []string
}

// findSites walks the HTTP app, in a fixed order. In a running app that is being provisioned, matchers of whole routes
// are decoded (phase 1 of automatic HTTPS needs them), the handlers of the route that is being loaded and of those
// after it are still JSON, and no route before the first of ours has one of ours: so the first of our handlers to be
// provisioned sees them all. An app that is read for the command line is JSON throughout.
func findSites(app *caddyhttp.App, base string) ([]foundSite, error) {
	var found []foundSite
	for _, name := range serverNames(app) {
		l, ok := listenerOf(app, name)
		if !ok {
			continue
		}
		server := app.Servers[name]
		w := siteWalk{listener: l, login: base + "/login"}
		for _, r := range server.Routes {
			w.route(setsOf(r), r.HandlersRaw, place{open: true})
		}
		if server.Errors != nil {
			for _, r := range server.Errors.Routes {
				w.route(setsOf(r), r.HandlersRaw, place{})
			}
		}
		for name, r := range server.NamedRoutes {
			if holdsOurs(r.HandlersRaw) {
				return nil,
					fmt.Errorf("named route %s uses truxe: Caddy sets named routes up after its sites, so the sites would not be known; "+
						"write a snippet instead, (%s) { … }, and import %s", name, name, name)
			}
		}
		if w.err != nil {
			return nil, w.err
		}
		found = append(found, w.found...)
	}
	return found, nil
}

// matcherSet is what a set of matchers says of hosts and paths; other matchers may let any request through.
type matcherSet struct {
	Host []string `json:"host"`
	Path []string `json:"path"`
}

// setsOf reads the matcher sets of a route, decoded or JSON.
func setsOf(r caddyhttp.Route) []matcherSet {
	var sets []matcherSet
	for _, set := range r.MatcherSets {
		var s matcherSet
		for _, m := range set {
			switch m := m.(type) {
			case *caddyhttp.MatchHost:
				s.Host = append(s.Host, *m...)
			case *caddyhttp.MatchPath:
				s.Path = append(s.Path, *m...)
			}
		}
		sets = append(sets, s)
	}
	for _, raw := range r.MatcherSetsRaw {
		var s matcherSet
		_ = json.Unmarshal(raw["host"], &s.Host)
		_ = json.Unmarshal(raw["path"], &s.Path)
		sets = append(sets, s)
	}
	return sets
}

// place is where the walk is: the hosts whose requests come here, nil for any, and whether requests for the gateway's
// pages do.
type place struct {
	hosts  []string
	open   bool
	within string // the path that keeps them away
}

// siteWalk reads the routes of one server.
type siteWalk struct {
	listener
	login string // the path of the login page
	found []foundSite
	err   error
}

func (w *siteWalk) route(sets []matcherSet, handlers []json.RawMessage, at place) {
	if !at.narrow(sets) {
		return
	}
	open, within := len(sets) == 0, ""
	for _, set := range sets {
		if len(set.Path) == 0 || pathMatches(set.Path, w.login) {
			open = true
		} else {
			within = set.Path[0]
		}
	}
	if !open {
		at.open, at.within = false, within
	}
	w.handlers(handlers, at)
}

// narrow leaves the hosts whose requests pass matcher sets, and returns false when no request does.
func (p *place) narrow(sets []matcherSet) bool {
	anyHost, hosts := len(sets) == 0, []string(nil)
	for _, set := range sets {
		anyHost = anyHost || len(set.Host) == 0
		hosts = append(hosts, set.Host...)
	}
	if anyHost {
		return true
	}
	p.hosts = narrow(p.hosts, hosts)
	return len(p.hosts) > 0
}

// narrow returns the hosts that pass both of two host matchers, one inside the other. nil outside is every host.
func narrow(outer, inner []string) []string {
	var both []string
	for _, in := range inner {
		in = strings.ToLower(caddy.NewReplacer().ReplaceKnown(in, ""))
		if outer == nil || strings.Contains(in, "{") || slices.ContainsFunc(outer,
			func(out string) bool { return origin.Covers(out, in) }) {
			both = append(both, in)
			continue
		}
		for _, out := range outer {
			if origin.Covers(in, out) {
				both = append(both, out)
			}
		}
	}
	return both
}

func (w *siteWalk) handlers(raws []json.RawMessage, at place) {
	for _, raw := range raws {
		var h struct {
			Handler    string       `json:"handler"`
			Routes     []jsonRoute  `json:"routes"`
			Match      []matcherSet `json:"match"`
			Hosts      []string     `json:"hosts"`
			Origins    []string     `json:"origin"`
			App        *AppLabel    `json:"app"`
			AllowRoles []string     `json:"allow_roles"`
		}
		if json.Unmarshal(raw, &h) != nil {
			continue
		}
		for _, r := range h.Routes {
			w.route(r.Match, r.Handle, at)
		}
		if w.err == nil {
			w.err = refuseHidden(raw)
		}
		if !strings.HasPrefix(h.Handler, "truxe_") {
			continue
		}
		here := at
		if !here.narrow(h.Match) { // the directive's own matcher
			continue
		}
		hosts := here.hosts
		if len(hosts) == 0 {
			hosts = []string{""}
		}
		public, err := publicOrigins(h.Origins, hosts, h.Hosts)
		if err != nil && w.err == nil {
			w.err = err
		}
		for _, host := range hosts {
			s := foundSite{listener: w.listener, host: host, public: public, handlers: []string{h.Handler},
				app: h.App, allowRoles: h.AllowRoles, hosts: h.Hosts,
				pages: at.open && h.Handler == "truxe_portal", within: at.within}
			var site Site
			if h.Handler != "truxe_portal" && json.Unmarshal(raw, &site) == nil {
				s.gates = []foundGate{{site, h.Hosts}}
			}
			w.add(s)
		}
	}
}

type jsonRoute struct {
	Match  []matcherSet      `json:"match"`
	Handle []json.RawMessage `json:"handle"`
}

// holdsOurs reports whether one of our handlers is among these or inside of them.
func holdsOurs(raws []json.RawMessage) bool {
	w := siteWalk{}
	w.handlers(raws, place{})
	return len(w.found) > 0 || w.err != nil
}

func (w *siteWalk) add(s foundSite) {
	for i := range w.found {
		old := &w.found[i]
		if old.host != s.host {
			continue
		}
		old.handlers = append(old.handlers, s.handlers...)
		old.gates = append(old.gates, s.gates...)
		old.hosts = append(old.hosts, s.hosts...)
		for _, o := range s.public {
			if !slices.Contains(old.public, o) {
				old.public = append(old.public, o)
			}
		}
		old.pages = old.pages || s.pages
		if old.within == "" {
			old.within = s.within
		}
		if s.app != nil {
			old.app = s.app
		}
		old.allowRoles = append(old.allowRoles, s.allowRoles...)
		return
	}
	w.found = append(w.found, s)
}

// registerSites registers with the rules at which hosts each site is. A host on several ports is known by each of them,
// too.
func registerSites(book *rules.Book, sites []foundSite) error {
	ports := map[string]int{}
	for _, s := range sites {
		ports[s.host]++
	}
	for _, s := range sites {
		for _, g := range s.gates {
			lines, err := g.site.lines()
			if err != nil {
				return err
			}
			hosts := []string{s.host}
			if ports[s.host] > 1 && s.host != "" {
				hosts = append([]string{s.infos()[0].Origins[0].Authority()}, hosts...)
			}
			if len(g.forwards) > 0 {
				hosts = nil
				for _, h := range g.forwards {
					folded, err := policy.FoldHost(h)
					if err != nil {
						return fmt.Errorf("hosts: %q: %w", h, err)
					}
					hosts = append(hosts, folded)
				}
			}
			if err := book.RegisterHosts(lines, hosts...); err != nil {
				return err
			}
		}
	}
	return nil
}

// infos returns what the gateway is to know of a site: the site itself, and each host that an `origin` names beyond it.
func (s foundSite) infos() []gateway.SiteInfo {
	info := gateway.SiteInfo{Host: s.host, ForwardHosts: s.hosts, Roles: s.allowRoles, Handlers: s.handlers}
	if s.app != nil {
		info.App = gateway.AppLabel(*s.app)
	}
	own := s.listener.origins(s.host)
	if slices.ContainsFunc(s.public, func(o origin.Origin) bool { return o.Host == s.host }) {
		own = nil
	}
	all := []gateway.SiteInfo{info}
	for _, o := range s.public {
		switch {
		case o.Host == s.host:
			own = append(own, o)
		case slices.Contains(s.hosts, o.Host):
			all[0].ForwardOrigins = append(all[0].ForwardOrigins, o)
		case origin.Covers(s.host, o.Host):
			beyond := info
			beyond.Host, beyond.Origins, beyond.ForwardHosts = o.Host, []origin.Origin{o}, nil
			all = append(all, beyond)
		}
	}
	if s.host != "" {
		all[0].Origins = own
	}
	return all
}
