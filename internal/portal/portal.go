// Package portal serves the gateway's own URLs below its base path: pages for users, a JSON API for programs, keys and
// health. It has the table of routes and the handler in front of them; the handlers are in pages and api.
package portal

import (
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/api"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
)

// Portal serves the gateway's own URLs for one configuration.
type Portal struct {
	cfg    *web.Config
	guard  web.Guard
	routes map[string]web.Route
}

// New prepares the routes.
func New(cfg *web.Config) (*Portal, error) {
	guard, err := web.NewGuard(cfg.CORS)
	if err != nil {
		return nil, err
	}
	return &Portal{cfg: cfg, guard: guard, routes: routes()}, nil
}

// Serve answers one request. only says that nothing but the portal lives on this host.
func (p *Portal) Serve(w http.ResponseWriter, r *http.Request, client authn.Client, only bool) {
	path, ok := strings.CutPrefix(r.URL.Path, p.cfg.Base)
	c := web.NewCall(p.cfg, w, r, client, path)
	defer caught(c)
	if !ok || path != "" && path[0] != '/' {
		outside(c, only)
		return
	}
	c.Credential = p.cfg.Verifier.Take(r)
	route, found := p.find(c)
	if route.Finally != nil {
		defer route.Finally(c)
	}
	c.BoundBody()
	if err := p.serve(c, route, found); err != nil {
		c.Fail(err)
	}
}

// caught turns a panic into a failed request with a log line (AP-05, R1). What is half written stays so.
func caught(c *web.Call) {
	what := recover()
	switch what {
	case nil:
		return
	case http.ErrAbortHandler:
		panic(what)
	}
	c.Credential = authn.Credential{} // whatever could not be judged is not judged again
	c.Fail(fmt.Errorf("panic: %v\n%s", what, debug.Stack()))
}

// outside answers URLs that are not below the base path.
func outside(c *web.Call, only bool) {
	var err error
	switch path := c.R.URL.Path; {
	case path == "/.well-known/change-password":
		c.Redirect(http.StatusFound, c.Home("/account/password"))
	case path == "/.well-known/passkey-endpoints":
		c.API = true
		err = api.PasskeyEndpoints(c)
	case only && path == "/.well-known/jwks.json":
		c.API = true
		err = api.JWKS(c)
	case only && path == "/":
		c.Redirect(http.StatusFound, c.Base+"/")
	default:
		err = identity.NotFound("")
	}
	if err != nil {
		c.Fail(err)
	}
}

// serve guards a call and hands it to its handler.
func (p *Portal) serve(c *web.Call, rt web.Route, found bool) error {
	if strings.HasPrefix(c.Path, "assets/") {
		c.View.Assets().ServeHTTP(c.W, c.R)
		return nil
	}
	if c.R.URL.RawPath != "" || strings.Contains(c.R.URL.Path, "//") || strings.Contains(c.R.URL.Path, "/../") {
		return identity.NotFound("") // our own URLs have one spelling
	}
	if !found {
		return identity.NotFound("")
	}
	if c.API && c.R.Method == http.MethodOptions && c.CORS.Preflight(c.W, c.R) {
		return nil
	}
	if c.API {
		c.CORS.Allow(c.W.Header(), c.R)
	}
	h, ok := rt.Handler(c.R.Method)
	if !ok {
		c.W.Header().Set("Allow", rt.Allow())
		return identity.Refuse(identity.CodeMethodNotAllowed, "")
	}
	if rt.Open {
		return h(c)
	}
	if err := p.guard.Check(c); err != nil {
		return err
	}
	if err := c.Identify(rt.Signed || rt.Caller); err != nil {
		return err
	}
	if c.Entry != nil && c.Entry.Renew && c.Navigates() && c.Verifier.Renewed(c.W, c.R, c.Entry, c.Client) {
		c.Redeemed = true // the browser comes back with it at once
		return nil
	}
	if c.Entry != nil && !rt.Passive {
		c.Verifier.Used(c.Entry)
	}
	if rt.Portal && c.Elsewhere() {
		return c.ToPortal()
	}
	if rt.Signed && c.Entry == nil {
		if !c.API && c.Reads() {
			c.Redirect(http.StatusFound, c.Flows.LoginURL(c.W, c.R, c.Credential, c.R.URL.RequestURI()))
			return nil
		}
		return identity.LoginRequired("")
	}
	if rt.Needs != "" {
		if err := c.Require(rt.Needs); err != nil {
			return err
		}
	}
	return h(c)
}

// find returns the route of a call: one of its path, or one with a value at its end, or with two and a word between. It
// takes the values.
func (p *Portal) find(c *web.Call) (web.Route, bool) {
	if rt, ok := p.routes[c.Path]; ok {
		return rt, true
	}
	dir, last, ok := cutLast(c.Path)
	if !ok {
		return web.Route{}, false
	}
	if rt, ok := p.routes[dir+"/{id}"]; ok {
		c.ID = last
		return rt, true
	}
	if rt, ok := p.routes[dir+"/{role}"]; ok {
		c.Role = last
		return rt, true
	}
	dir, word, _ := cutLast(dir)
	dir, id, ok := cutLast(dir)
	if !ok {
		return web.Route{}, false
	}
	rt, ok := p.routes[dir+"/{id}/"+word+"/{role}"]
	c.ID, c.Role = id, last
	return rt, ok
}

func cutLast(path string) (dir, last string, ok bool) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", "", false
	}
	return path[:i], path[i+1:], true
}
