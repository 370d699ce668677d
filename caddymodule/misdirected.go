package caddymodule

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/truxeio/caddy-truxe/internal/gate"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/problem"
)

// entrance takes the place of a server's routes, and runs them. Caddy answers what none of them answers with an empty
// 200, which a proxy that asks for permission reads as "allow": it reaches the gateway with a Host of its own, and
// every visitor gets in (FIELD-CASES 1). So a request for a host that no route has is answered 421 (RFC 9110 15.5.20),
// and below the gateway's path every request that is left over.
type entrance struct {
	routes  caddyhttp.RouteList
	hosts   caddyhttp.MatchHost // of the routes; nil: one of them takes any host
	app     *App
	compile sync.Once
	chain   caddyhttp.Handler
}

// enclose puts an entrance before the routes of the server whose handlers are being provisioned. Caddy compiles a
// server's routes once all of them are provisioned, from the field that is replaced here; the list that it is going
// through goes on to be provisioned, and is what the entrance runs.
func (a *App) enclose(ctx caddy.Context) error {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok || len(server.Routes) == 0 {
		return nil
	}
	for _, r := range server.Routes {
		for _, h := range r.Handlers {
			if _, done := h.(*entrance); done {
				return nil
			}
		}
	}
	hosts, err := hostsOf(ctx, server.Routes)
	if err != nil {
		return err
	}
	only := caddyhttp.Route{Handlers: []caddyhttp.MiddlewareHandler{&entrance{routes: server.Routes, hosts: hosts,
		app: a}}}
	if err := only.ProvisionHandlers(ctx, nil); err != nil {
		return err
	}
	server.Routes = caddyhttp.RouteList{only}
	return nil
}

// hostsOf matches the hosts that routes are for; nil when one of them takes any. Such a route is also what automatic
// HTTPS adds to a server on the HTTP port: it sends unknown hosts to https.
func hostsOf(ctx caddy.Context, routes caddyhttp.RouteList) (caddyhttp.MatchHost, error) {
	hosts := caddyhttp.MatchHost{}
	for _, r := range routes {
		sets := setsOf(r)
		if len(sets) == 0 || slices.ContainsFunc(sets, func(set matcherSet) bool { return len(set.Host) == 0 }) {
			return nil, nil
		}
		for _, set := range sets {
			for _, host := range set.Host {
				if host = strings.ToLower(host); !slices.Contains(hosts, host) {
					hosts = append(hosts, host)
				}
			}
		}
	}
	return hosts, hosts.Provision(ctx)
}

// CaddyModule names the handler in traces. It is not registered: no configuration can name it.
func (*entrance) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.truxe_entrance", New: func() caddy.Module { return new(entrance) }}
}

// ServeHTTP runs the server's routes. What it looks at afterwards costs a request that is answered nothing.
func (e *entrance) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	// what comes after a server's routes is always the same
	e.compile.Do(func() { e.chain = e.routes.Compile(next) })
	host, own := r.Host, gate.IsOwnPath(e.app.config.Base(), r.URL.Path) // handlers may change both
	// of the gateway's own pages alone: other requests are to cost nothing here
	var noted *notedWriter
	if own {
		noted = &notedWriter{ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w}}
		w = noted
	}
	if err := e.chain.ServeHTTP(w, r); err != nil {
		return err
	}
	left, _ := caddyhttp.GetVar(r.Context(), "unhandled").(bool)
	if left && (noted == nil || !noted.answered) && (own || !e.serves(r, host)) {
		misdirected(w)
	}
	return nil
}

// notedWriter notes whether there was an answer: a handler may give one and go on to the end of the routes.
type notedWriter struct {
	*caddyhttp.ResponseWriterWrapper
	answered bool
}

// WriteHeader notes an answer that is not informational.
func (n *notedWriter) WriteHeader(status int) {
	n.answered = n.answered || status >= 200 || status == http.StatusSwitchingProtocols
	n.ResponseWriterWrapper.WriteHeader(status)
}

// Write notes an answer.
func (n *notedWriter) Write(b []byte) (int, error) {
	n.answered = true
	return n.ResponseWriterWrapper.Write(b)
}

// ReadFrom notes an answer.
func (n *notedWriter) ReadFrom(from io.Reader) (int64, error) {
	n.answered = true
	return n.ResponseWriterWrapper.ReadFrom(from)
}

// serves reports whether one of the routes is for a host, as Caddy matches it.
func (e *entrance) serves(r *http.Request, host string) bool {
	if e.hosts == nil {
		return true
	}
	asked := *r
	asked.Host = host
	return e.hosts.Match(&asked)
}

func misdirected(w http.ResponseWriter) {
	problem.Write(w, problem.Problem{Code: identity.CodeMisdirected})
}

var _ caddyhttp.MiddlewareHandler = (*entrance)(nil)
