package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/truxeio/caddy-truxe/internal/gate"
)

func init() {
	caddy.RegisterModule(new(Portal))
}

// Portal serves the gateway's own pages and API below its path, `/.truxe/`, and passes every other request on.
type Portal struct {
	// Whether nothing else is served here: other paths are sent to the list of apps or are not found.
	Only bool `json:"only,omitempty"`

	app *App
}

// CaddyModule names the handler.
func (*Portal) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.truxe_portal", New: func() caddy.Module { return new(Portal) }}
}

// Provision finds the app.
func (p *Portal) Provision(ctx caddy.Context) error {
	var err error
	p.app, err = appOf(ctx)
	return err
}

// ServeHTTP answers the gateway's own URLs.
func (p *Portal) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	base := p.app.config.Base()
	own := gate.IsOwnPath(base, r.URL.Path)
	if !own && !p.Only {
		return next.ServeHTTP(w, r)
	}
	gate.OwnAnswer(r)
	gw := p.app.gateway()
	if gw == nil {
		gate.WriteUnavailable(w)
		return nil
	}
	gw.ServePortal(w, r, clientOf(r), p.Only)
	return nil
}

var (
	_ caddyhttp.MiddlewareHandler = (*Portal)(nil)
	_ caddy.Provisioner           = (*Portal)(nil)
)
