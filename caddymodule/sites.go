package caddymodule

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/truxeio/caddy-truxe/internal/gate"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// foundSite is a host of the HTTP app at which one of our handlers stands.
type foundSite struct {
	host        string // lower case; "" for a site without a host
	port        int
	tls         bool
	handlers    []string // names of our handlers there
	behindProxy bool
	app         *AppLabel
	allowRoles  []string
	hosts       []string // of forward_auth
	gates       []foundGate
}

// foundGate is what one of our gates says; forwards are the hosts of forward_auth.
type foundGate struct {
	site     Site
	forwards []string
}

// origin is the URL of the site without a path.
func (s foundSite) origin() string {
	switch {
	case s.tls && s.port == 443:
		return "https://" + s.host
	case s.tls:
		return "https://" + s.host + ":" + strconv.Itoa(s.port)
	case s.port == 80:
		return "http://" + s.host
	}
	return "http://" + s.host + ":" + strconv.Itoa(s.port)
}

// findSites walks the HTTP app that is being provisioned. Host matchers are decoded by then (phase 1 of automatic
// HTTPS needs them), the handlers of the route that is being loaded and of those after it are still JSON, and no route
// before the first of ours holds one of ours: so the first of our handlers to be provisioned sees them all.
func findSites(http *caddyhttp.App) []foundSite {
	var found []foundSite
	for _, server := range http.Servers {
		port, ok := serverPort(http, server)
		if !ok {
			continue
		}
		tls := len(server.TLSConnPolicies) > 0
		for _, r := range server.Routes {
			hosts := []string{}
			for _, set := range r.MatcherSets {
				for _, m := range set {
					if hm, ok := m.(*caddyhttp.MatchHost); ok {
						hosts = append(hosts, *hm...)
					}
				}
			}
			w := siteWalk{}
			w.handlers(r.HandlersRaw, hosts)
			for _, s := range w.found {
				s.port, s.tls = port, tls
				found = append(found, s)
			}
		}
	}
	return found
}

func serverPort(http *caddyhttp.App, server *caddyhttp.Server) (int, bool) {
	for _, listen := range server.Listen {
		if addr, err := caddy.ParseNetworkAddress(listen); err == nil && !addr.IsUnixNetwork() {
			port := int(addr.StartPort)
			if port != 0 && port == http.HTTPPort {
				return 80, true
			}
			return port, true
		}
	}
	return 0, len(server.Listen) > 0
}

// siteWalk reads routes that are still JSON.
type siteWalk struct{ found []foundSite }

func (w *siteWalk) handlers(raws []json.RawMessage, hosts []string) {
	for _, raw := range raws {
		var h struct {
			Handler     string      `json:"handler"`
			Routes      []jsonRoute `json:"routes"`
			Match       []hostMatch `json:"match"`
			Hosts       []string    `json:"hosts"`
			BehindProxy bool        `json:"behind_proxy"`
			App         *AppLabel   `json:"app"`
			AllowRoles  []string    `json:"allow_roles"`
		}
		if json.Unmarshal(raw, &h) != nil {
			continue
		}
		for _, r := range h.Routes {
			inner := hosts
			if named := hostsOf(r.Match); len(named) > 0 {
				inner = named
			}
			w.handlers(r.Handle, inner)
		}
		if !strings.HasPrefix(h.Handler, "truxe_") {
			continue
		}
		at := hosts
		if named := hostsOf(h.Match); len(named) > 0 { // the directive's own matcher
			at = named
		}
		if len(at) == 0 {
			at = []string{""}
		}
		for _, host := range at {
			var gates []foundGate
			var site Site
			if h.Handler != "truxe_portal" && json.Unmarshal(raw, &site) == nil {
				gates = []foundGate{{site, h.Hosts}}
			}
			w.add(foundSite{gates: gates, host: strings.ToLower(host), handlers: []string{h.Handler}, behindProxy: h.BehindProxy,
				app: h.App, allowRoles: h.AllowRoles, hosts: h.Hosts})
		}
	}
}

type jsonRoute struct {
	Match  []hostMatch       `json:"match"`
	Handle []json.RawMessage `json:"handle"`
}

type hostMatch struct {
	Host []string `json:"host"`
}

func hostsOf(sets []hostMatch) (hosts []string) {
	for _, set := range sets {
		hosts = append(hosts, set.Host...)
	}
	return hosts
}

func (w *siteWalk) add(s foundSite) {
	for i := range w.found {
		old := &w.found[i]
		if old.host != s.host {
			continue
		}
		old.handlers = append(old.handlers, s.handlers...)
		old.gates = append(old.gates, s.gates...)
		old.behindProxy = old.behindProxy || s.behindProxy
		old.hosts = append(old.hosts, s.hosts...)
		if s.app != nil {
			old.app = s.app
		}
		old.allowRoles = append(old.allowRoles, s.allowRoles...)
		return
	}
	w.found = append(w.found, s)
}

// enter tells the rules at which hosts each site stands.
func enter(rules *gate.Rules, sites []foundSite) error {
	for _, s := range sites {
		for _, g := range s.gates {
			c, err := g.site.config()
			if err != nil {
				return err
			}
			hosts := []string{s.host}
			if len(g.forwards) > 0 {
				c.ForwardHosts, hosts = g.forwards, nil
				for _, h := range g.forwards {
					folded, err := policy.FoldHost(h)
					if err != nil {
						return fmt.Errorf("hosts: %q: %w", h, err)
					}
					hosts = append(hosts, folded)
				}
			}
			if err := rules.Stands(c, hosts...); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkSites finds the mistakes that would leave people without a login page or send their cookie over plain http.
func checkSites(sites []foundSite, portal string) error {
	for _, s := range sites {
		if s.tls || isLoopbackName(s.host) || s.behindProxy {
			continue
		}
		if s.host == "" {
			return fmt.Errorf("a site on port %d uses truxe over plain http; give it a host name so that it gets https, or, behind a proxy that "+
				"speaks https, name that proxy: servers { trusted_proxies static <its address> }", s.port)
		}
		return fmt.Errorf("site http://%s uses truxe over plain http; write %s without http://, or, behind a proxy that speaks https, "+
			"name that proxy: servers { trusted_proxies static <its address> }", s.host, s.host)
	}
	if portal == "" {
		return nil
	}
	for _, s := range sites {
		if s.host == portal && slices.Contains(s.handlers, "truxe_portal") {
			return nil
		}
	}
	return fmt.Errorf("portal host %s has no site block; add: %s { truxe portal }", portal, portal)
}

// isLoopbackName tells the names and addresses for which browsers treat plain http as secure.
func isLoopbackName(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
