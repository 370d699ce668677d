package caddymodule

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/truxeio/caddy-truxe/internal/gateway"
	"github.com/truxeio/caddy-truxe/internal/loopback"
	"github.com/truxeio/caddy-truxe/internal/origin"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// checkSites finds the mistakes that would leave users without a login page or send their cookie over plain http.
func checkSites(sites []foundSite, cfg gateway.Config) error {
	for _, s := range sites {
		if err := s.checkScheme(); err != nil {
			return err
		}
	}
	for _, s := range sites {
		reached := slices.ContainsFunc(sites,
			func(p foundSite) bool { return p.server == s.server && p.pages && origin.Covers(p.host, s.host) })
		if !reached && (len(s.gates) > 0 || slices.Contains(s.handlers, "truxe_gate")) {
			return s.unreachable(cfg.Base())
		}
	}
	portal := cfg.Portal
	if portal == "" || slices.ContainsFunc(sites,
		func(s foundSite) bool { return s.pages && origin.Covers(s.host, portal) }) {
		return nil
	}
	return fmt.Errorf("portal host %s has no site block; add: %s { truxe portal }", portal, portal)
}

func (s foundSite) checkScheme() error {
	if s.tls || s.behind || loopback.Host(s.host) && s.host != "" {
		return nil
	}
	const proxy = "behind a proxy that speaks https, name that proxy: servers { trusted_proxies static <its address> }, " +
		"or trusted_proxies_unix for one that comes over a unix socket"
	if s.host == "" {
		return fmt.Errorf("a site on port %d uses truxe over plain http; give it a host name so that it gets https, or, %s",
			s.port, proxy)
	}
	return fmt.Errorf("site http://%s uses truxe over plain http, where anyone on the way can take over a session; write %s without http://, "+
		"on a local network with `tls internal` in the site; or, %s", s.host, s.host, proxy)
}

// unreachable is the error of a site whose gate sends visitors to pages that no route serves.
func (s foundSite) unreachable(base string) error {
	host := s.host
	if host == "" {
		host = fmt.Sprintf("the site on port %d", s.port)
	}
	if s.within == "" {
		return fmt.Errorf("%s uses truxe, and no route there serves %s/, so users could not sign in; in JSON, put the handler truxe_portal before truxe_gate; "+
			"in a Caddyfile, add: handle %s/* { truxe portal }", host, base, base)
	}
	inside := strings.TrimRight(s.within, "*")
	inside = strings.TrimRight(inside, "/") + gateway.Config{}.Base()
	return fmt.Errorf("%s uses truxe for %s alone, and no route there serves %s/, so users could not sign in; write the site's address without a path and give "+
		"the path to the directive: %s { truxe %s { … } }; or inside of handle or route, add beside it: handle %s/* { truxe portal }; or move the "+
		"gateway's pages below that path, with the global option: truxe { path %s }", host, s.within, base, host, s.within,
		base, inside)
}

// publicOrigins reads the `origin` lines of a handler. Each names a host that the handler serves, or one of
// forward_auth.
func publicOrigins(texts, hosts, forwards []string) ([]origin.Origin, error) {
	var list []origin.Origin
	for _, text := range texts {
		o, err := origin.ParsePublic(text)
		if err != nil {
			return nil, fmt.Errorf("origin %s: %w", text, err)
		}
		forward := slices.ContainsFunc(forwards, func(h string) bool {
			folded, err := policy.FoldHost(h)
			return err == nil && folded == o.Host
		})
		if !forward && !slices.ContainsFunc(hosts, func(h string) bool { return origin.Covers(h, o.Host) }) {
			return nil,
				fmt.Errorf("origin %s: the site is %s, and sees only requests whose Host is that; write its own name with the public port, and have "+
					"the proxy in front pass Host on (nginx: proxy_set_header Host $http_host)", text, strings.Join(hosts, ", "))
		}
		list = append(list, o)
	}
	return list, nil
}

// pathMatches reports whether Caddy's path matcher lets a path through.
func pathMatches(patterns []string, path string) bool {
	m := caddyhttp.MatchPath(slices.Clone(patterns))
	if m.Provision(caddy.Context{}) != nil {
		return true
	}
	r := (&http.Request{Method: http.MethodGet, URL: &url.URL{Path: path}}).WithContext(context.Background())
	match, err := m.MatchWithError(caddyhttp.PrepareRequest(r, caddy.NewEmptyReplacer(), nil, nil))
	return err != nil || match
}
