package caddymodule

import (
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/truxeio/caddy-truxe/internal/gate"
	"github.com/truxeio/caddy-truxe/internal/identityheader"
	"github.com/truxeio/caddy-truxe/internal/rules"
)

func init() {
	caddy.RegisterModule(new(Gate))
}

// Gate lets a request through to the handlers after it, with its identity, or answers it itself: with a way to the
// login page, with 401 or with 403. The request that it judges is the one that is proxied.
type Gate struct {
	Site
	// Which requests are judged. Default: all. From the others only what claims to be an identity is removed. A request is
	// judged if its path, in any way that servers are known to read it, matches; one whose path is ambiguous is refused.
	MatcherSetsRaw caddyhttp.RawMatcherSets `json:"match,omitempty" caddy:"namespace=http.matchers"`

	app      *App
	site     *gate.Site
	matchers caddyhttp.MatcherSets
}

// CaddyModule names the handler.
func (*Gate) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.truxe_gate", New: func() caddy.Module { return new(Gate) }}
}

// Provision compiles the site's rules.
func (g *Gate) Provision(ctx caddy.Context) error {
	var err error
	if g.app, err = appOf(ctx); err != nil {
		return err
	}
	cfg, err := g.Site.config()
	if err != nil {
		return err
	}
	if g.site, err = g.app.compiled.Compile(cfg); err != nil {
		return err
	}
	if !g.app.scanning { // copies for rehearsals serve no requests
		g.site.CountRequests(listensOn(ctx))
	}
	if len(g.MatcherSetsRaw) == 0 {
		return nil
	}
	sets, err := ctx.LoadModule(g, "MatcherSetsRaw")
	if err != nil {
		return err
	}
	return g.matchers.FromInterface(sets)
}

// ServeHTTP judges one request.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if re := rehearsalOf(r); re != nil {
		covered, err := g.covers(w, r)
		if err != nil {
			return err
		}
		if !covered {
			re.passed()
			return next.ServeHTTP(w, r)
		}
		return re.judge(w, r, g.site, next)
	}
	judge := g.app.judge.Load()
	if judge == nil { // http may start before us, or our Start is still waiting for the database
		return gate.ServeUnavailable(w, r, g.site, clientOf(r), g.covers, next)
	}
	if len(g.matchers) == 0 {
		return judge.Serve(w, r, g.site, clientOf(r), next, announce)
	}
	// matchers see what the app would: a token of ours is no Authorization header of the app's
	return judge.Strip(w, r, g.site, caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		covered, err := g.covers(w, r)
		switch {
		case err != nil:
			return err
		case covered:
			return judge.Serve(w, r, g.site, clientOf(r), next, announce)
		}
		return next.ServeHTTP(w, r)
	}))
}

// clientOf is the address that Caddy's trusted_proxies logic found (R3), and whether the peer may speak for others.
func clientOf(r *http.Request) gate.Client {
	addr, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	return gate.Client{Addr: addr, TrustedPeer: trusted}
}

// appOf finds the app; a bare `truxe` directive without global options creates it.
func appOf(ctx caddy.Context) (*App, error) {
	mod, err := ctx.App("truxe")
	if err != nil {
		return nil, err
	}
	app := mod.(*App)
	return app, app.scan(ctx)
}

func (s *Site) config() (gate.SiteConfig, error) {
	lines, err := s.lines()
	if err != nil {
		return gate.SiteConfig{}, err
	}
	c := gate.SiteConfig{
		Rules: lines,
		Headers: identityheader.Config{None: s.Headers == "none", Assertion: s.Assertion,
			UTF8: s.HeaderEncoding == "utf8"},
		Passive:         s.Passive,
		PassPreflight:   s.Preflight == "pass",
		SecurityHeaders: s.SecurityHeaders,
	}
	if s.Headers != "default" && s.Headers != "none" {
		c.Headers.Preset = s.Headers
	}
	for _, h := range s.Header {
		c.Headers.Custom = append(c.Headers.Custom, identityheader.Custom{Name: h.Name, Template: h.Value})
	}
	if s.RateLimit != nil {
		c.RateLimit = &gate.RateLimit{Events: s.RateLimit.Events, Window: timeDuration(s.RateLimit.Window),
			PerUser: s.RateLimit.Per == "user"}
	}
	if s.App != nil {
		c.AppName = s.App.Name
	}
	return c, nil
}

// lines are what the directive says of rules.
func (s *Site) lines() (rules.Lines, error) {
	l := rules.Lines{
		Public:           s.Public,
		AllowRoles:       slices.Clone(s.AllowRoles),
		AllowUsers:       slices.Clone(s.AllowUsers),
		AllowPermissions: s.AllowPermissions,
		Files:            s.Policies,
		Report:           s.Mode == "report",
	}
	for _, r := range s.Require {
		compiled, err := r.compile()
		if err != nil {
			return l, err
		}
		l.Require = append(l.Require, compiled)
	}
	return l, nil
}

var (
	_ caddyhttp.MiddlewareHandler = (*Gate)(nil)
	_ caddy.Provisioner           = (*Gate)(nil)
)
