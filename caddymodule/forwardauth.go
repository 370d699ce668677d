package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/truxeio/caddy-truxe/internal/gate"
)

func init() {
	caddy.RegisterModule(new(ForwardAuth))
}

// ForwardAuth answers the sub-requests of nginx, Traefik, HAProxy, Envoy or another Caddy at `/.truxe/forward-auth` and
// `/.truxe/ext-authz/`: 200 with the identity headers, a redirect to the login page, 401 or 403. What those proxies say
// of the original request is believed only from Caddy's `trusted_proxies`, and only for the hosts named here.
type ForwardAuth struct {
	Site
	// The hosts that the other proxy protects.
	Hosts []string `json:"hosts"`
	// The proxy that asks: nginx, traefik, caddy, haproxy or envoy. Only headers that this proxy sets describe the
	// original request; the others are a visitor's text. Default: the one kind of headers that is present; a request with
	// both kinds is refused. Envoy must be named: `/.truxe/ext-authz/` answers only with `from envoy`.
	From string `json:"from,omitempty"`

	app  *App
	site *gate.Site
}

// CaddyModule names the handler.
func (*ForwardAuth) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.truxe_forward_auth", New: func() caddy.Module { return new(ForwardAuth) }}
}

// Provision compiles the rules and the list of hosts.
func (f *ForwardAuth) Provision(ctx caddy.Context) error {
	var err error
	if f.app, err = appOf(ctx); err != nil {
		return err
	}
	cfg, err := f.Site.config()
	if err != nil {
		return err
	}
	cfg.ForwardHosts, cfg.ForwardFrom = f.Hosts, f.From
	f.site, err = f.app.compiled.Compile(cfg)
	f.app.forwards = append(f.app.forwards, f)
	return err
}

// ServeHTTP answers one sub-request.
func (f *ForwardAuth) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	question, ok := gate.QuestionOf(f.app.config.Base(), r)
	if !ok {
		return next.ServeHTTP(w, r)
	}
	gate.OwnAnswer(r)
	gw := f.app.gateway()
	if gw == nil {
		gate.WriteUnavailable(w)
		return nil
	}
	gw.Gate().ServeForwardAuth(w, r, f.site, question, clientOf(r))
	return nil
}

var (
	_ caddyhttp.MiddlewareHandler = (*ForwardAuth)(nil)
	_ caddy.Provisioner           = (*ForwardAuth)(nil)
)
