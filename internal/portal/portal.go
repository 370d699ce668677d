// Package portal serves the gateway's own URLs below its base path: pages for people, a JSON API for programs, keys
// and health. Handlers are thin: they read, call account, and write; every error goes through one table.
package portal

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/cors"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/origin"
	"github.com/truxeio/caddy-truxe/internal/people"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/ratelimit"
	"github.com/truxeio/caddy-truxe/internal/rules"
	"github.com/truxeio/caddy-truxe/internal/signin"
)

// Health says what of the gateway can be relied on, by component.
type Health map[string]bool

// Site is an app that users may open from the page of apps.
type Site struct {
	Host                    string        // folded; "*.example.com"; "" for a site without a host name
	Origin                  origin.Origin // what browsers call it
	Name, Icon, Description string
	Start                   string // the path that opens the app
	PortalOnly              bool
}

// Portal serves the gateway's own URLs for one configuration.
type Portal struct {
	Base       string // "/.truxe"
	PortalHost string // "" when every host is its own portal
	// PortalOrigin is "https://auth.example.com", with a port where it is not 443.
	PortalOrigin string
	Origins      *origin.Book // what the hosts are called outside
	Sites        []Site
	Changes      *change.Changes
	People       *people.Directory
	SignIn       *signin.Parts
	Verifier     *authn.Verifier
	CORS         *cors.Origins
	View         *view.Renderer
	Flows        *Flows
	Remember     time.Duration
	JWKS         func() (body []byte, etag string)
	Health       func() Health
	// Checker reports what a site would decide; nil when no site is known.
	Checker  rules.Checker
	Policies Policies
	Limits   *ratelimit.Sites // of the questions to Checker
	Now      func() time.Time

	ticketTrouble atomic.Int64 // when a ticket that could not be used up was logged last, Unix ms
	routes        map[string]route
	protection    *http.CrossOriginProtection
}

// Client is who sent the request, as Caddy found it.
type Client = authn.Client

// call is one request to the portal with what was found out about it.
type call struct {
	*Portal
	w          http.ResponseWriter
	r          *http.Request
	path       string // below the base, without a slash at either end
	id         string // the {id} of the route
	role       string // its {role}
	client     Client
	host       string // folded
	api        bool
	credential authn.Credential
	entry      *authn.Entry
	reference  string // of the audit record of a refusal
	redeemed   bool   // the ticket of a callback was tried, or comes once more
	// passedOver is why a bearer token was taken as not sent, for calls that turn out to need its user.
	passedOver error
}

type handler func(c *call) error

// route maps methods to handlers. needs says who may call.
type route struct {
	methods map[string]handler
	signed  bool // needs a signed-in caller
	open    bool // asks nothing of the caller and works while the state is unreadable
	portal  bool // a page that lives on the single sign-on host, where there is one
	caller  bool // says who the caller is, if anyone: a credential that does not verify is refused
	passive bool // reads what a page may ask for by itself: no use of the session (SE-10)
}

// New prepares the routes.
func New(p *Portal) (*Portal, error) {
	p.protection = http.NewCrossOriginProtection()
	for _, origin := range p.CORS.List() {
		if err := p.protection.AddTrustedOrigin(origin); err != nil {
			return nil, err
		}
	}
	p.routes = routes()
	return p, nil
}

// Every request body of pages and API is bounded in size, and in the time from the end of its headers (HD-11).
const (
	maxBody  = 1 << 20
	bodyTime = 10 * time.Second
)

// Serve answers one request. only says that nothing but the portal lives on this host.
func (p *Portal) Serve(w http.ResponseWriter, r *http.Request, client Client, only bool) {
	path, ok := strings.CutPrefix(r.URL.Path, p.Base)
	c := &call{Portal: p, w: w, r: r, client: client, path: strings.Trim(path, "/"), host: foldHost(r.Host)}
	defer c.caught()
	c.api = strings.HasPrefix(c.path, "api/") || strings.HasSuffix(c.path, ".json") || strings.HasPrefix(c.path, "health/")
	if !ok || path != "" && path[0] != '/' {
		c.outside(only)
		return
	}
	c.credential = p.Verifier.Take(r)
	if c.path == "callback" {
		defer c.useUpTicket()
	}
	c.boundBody()
	if err := c.serve(); err != nil {
		c.fail(err)
	}
}

// boundBody bounds what is read of a request in size and in time, however slowly it comes (HD-11). A writer that knows no
// deadlines is one of a test.
func (c *call) boundBody() {
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, maxBody)
	if c.r.ContentLength != 0 {
		_ = http.NewResponseController(c.w).SetReadDeadline(time.Now().Add(bodyTime))
	}
}

// caught makes a panic a failed request with a log line (AP-05, R1). What is half written stays so.
func (c *call) caught() {
	what := recover()
	switch what {
	case nil:
		return
	case http.ErrAbortHandler:
		panic(what)
	}
	c.credential = authn.Credential{} // whatever could not be judged is not judged again
	c.fail(fmt.Errorf("panic: %v\n%s", what, debug.Stack()))
}

// outside answers URLs that are not below the base path.
func (c *call) outside(only bool) {
	switch path := c.r.URL.Path; {
	case path == "/.well-known/change-password":
		c.redirect(http.StatusFound, c.home("/account/password"))
	case path == "/.well-known/passkey-endpoints":
		c.api = true
		if err := servePasskeyEndpoints(c); err != nil {
			c.fail(err)
		}
	case !only:
		c.fail(notFound())
	case path == "/.well-known/jwks.json":
		c.api = true
		if err := serveJWKS(c); err != nil {
			c.fail(err)
		}
	case path == "/":
		c.redirect(http.StatusFound, c.Base+"/")
	default:
		c.fail(notFound())
	}
}

func (c *call) serve() error {
	if strings.HasPrefix(c.path, "assets/") {
		c.View.Assets().ServeHTTP(c.w, c.r)
		return nil
	}
	if c.r.URL.RawPath != "" || strings.Contains(c.r.URL.Path, "//") || strings.Contains(c.r.URL.Path, "/../") {
		return notFound() // our own URLs have one spelling
	}
	rt, ok := c.routes[c.path]
	if !ok {
		if rt, ok = c.placeholders(); !ok {
			return notFound()
		}
	}
	if c.api && c.r.Method == http.MethodOptions && c.CORS.Preflight(c.w, c.r) {
		return nil
	}
	if c.api {
		c.CORS.Allow(c.w.Header(), c.r)
	}
	h, ok := rt.methods[c.r.Method]
	if !ok && c.r.Method == http.MethodHead {
		h, ok = rt.methods[http.MethodGet]
	}
	if !ok {
		c.w.Header().Set("Allow", allowed(rt))
		return &identity.Error{Code: identity.CodeMethodNotAllowed}
	}
	if rt.open {
		return h(c)
	}
	if err := c.guard(); err != nil {
		return err
	}
	if err := c.identify(rt.signed || rt.caller); err != nil {
		return err
	}
	if c.entry != nil && c.entry.Renew && c.navigation() && c.Verifier.Renewed(c.w, c.r, c.entry, c.client) {
		c.redeemed = true // the browser comes back with it at once
		return nil
	}
	if c.entry != nil && !rt.passive {
		c.Verifier.Used(c.entry)
	}
	if rt.portal && c.elsewhere() {
		return c.toPortal()
	}
	if rt.signed && c.entry == nil {
		if !c.api && (c.r.Method == http.MethodGet || c.r.Method == http.MethodHead) {
			c.redirect(http.StatusFound, c.Flows.LoginURL(c.w, c.r, c.credential, c.r.URL.RequestURI()))
			return nil
		}
		return &identity.Error{Code: identity.CodeLoginRequired}
	}
	return h(c)
}

// placeholders finds a route with one value at its end, or two with a word between, and takes the values.
func (c *call) placeholders() (route, bool) {
	dir, last, ok := cutLast(c.path)
	if !ok {
		return route{}, false
	}
	if rt, ok := c.routes[dir+"/{id}"]; ok {
		c.id = last
		return rt, true
	}
	if rt, ok := c.routes[dir+"/{role}"]; ok {
		c.role = last
		return rt, true
	}
	dir, word, _ := cutLast(dir)
	dir, id, ok := cutLast(dir)
	if !ok {
		return route{}, false
	}
	rt, ok := c.routes[dir+"/{id}/"+word+"/{role}"]
	c.id, c.role = id, last
	return rt, ok
}

// navigation reports whether the request opens a page, as opposed to a script's request or a form.
func (c *call) navigation() bool {
	mode := c.r.Header.Get("Sec-Fetch-Mode")
	return !c.api && (c.r.Method == http.MethodGet || c.r.Method == http.MethodHead) && (mode == "" || mode == "navigate")
}

// guard refuses what another site's page makes a browser do (CS-01, CS-13) and requests that could be replays (HD-10).
func (c *call) guard() error {
	if !c.client.Secure(c.r) {
		return &identity.Error{Code: identity.CodeHTTPSRequired}
	}
	if c.r.TLS != nil && !c.r.TLS.HandshakeComplete {
		return &identity.Error{Code: identity.CodeTooEarly}
	}
	if err := c.foreign(); err != nil {
		return &identity.Error{Code: identity.CodeCrossOrigin, Err: err}
	}
	h := c.r.Header
	switch h.Get("Sec-Fetch-Dest") {
	case "iframe", "frame", "embed", "object", "fencedframe":
		return &identity.Error{Code: identity.CodeCrossOrigin, Detail: "This page cannot be shown inside another page."}
	}
	if c.api && h.Get("Sec-Fetch-Site") == "cross-site" && h.Get("Sec-Fetch-Mode") != "navigate" && !c.CORS.Allows(h.Get("Origin")) {
		return &identity.Error{Code: identity.CodeCrossOrigin}
	}
	return nil
}

var errForeignOrigin = errors.New("the Origin header is not that of this host")

// foreign refuses changes that another site's page makes a browser do. Of browsers without Fetch Metadata, Go's own check
// compares the Origin's host with Host; scheme and port belong to it too.
func (c *call) foreign() error {
	switch c.r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return nil
	}
	h := c.r.Header
	if h.Get("Sec-Fetch-Site") != "" || len(h["Origin"]) == 0 {
		return c.protection.Check(c.r)
	}
	if len(h["Origin"]) != 1 || !c.Origins.FromHere(c.r) && !c.CORS.Allows(h.Get("Origin")) {
		return errForeignOrigin
	}
	return nil
}

// identify finds the caller: the cookie on the host it was made for, or a bearer token on every host. A token that does
// not verify is refused where the caller matters. Elsewhere it is as if it had not been sent, so that a client which sends
// its old token along can still refresh it or sign in. So is one that cannot be checked now, as while a trusted issuer is down.
func (c *call) identify(matters bool) error {
	if !c.Verifier.Revocations.Ready() {
		return &identity.Error{Code: identity.CodeStateUnavailable, RetryAfter: 2 * time.Second}
	}
	found, err := c.Verifier.Verify(c.r.Context(), c.credential, c.host)
	if code := identity.CodeOf(err); !matters && c.credential.Bearer != "" && (code == identity.CodeInvalidToken || code == identity.CodeStateUnavailable) {
		c.passedOver, c.credential.Bearer = err, ""
		found, err = c.Verifier.Verify(c.r.Context(), c.credential, c.host)
	}
	if err != nil {
		return err
	}
	if c.credential.Cookies > 1 {
		c.clearCookie(authn.SessionCookie)
	}
	c.entry = found.Entry
	return nil
}

// by returns the caller, for the audit log.
func (c *call) by() change.By {
	b := change.By{IP: c.client.Addr, UserAgent: c.r.UserAgent(), Host: c.host}
	if c.entry != nil {
		b.Principal = c.entry.Principal
	}
	return b
}

func (c *call) address() netip.Addr {
	addr, err := netip.ParseAddr(c.client.Addr)
	if err != nil {
		return netip.Addr{}
	}
	return addr
}

func (c *call) ctx() context.Context { return c.r.Context() }

// elsewhere reports whether sign-in and account live on another host, the single sign-on host.
func (c *call) elsewhere() bool { return c.Flows.elsewhere(c.r.Host) }

// home is the URL of one of the pages that live on the single sign-on host.
func (c *call) home(path string) string {
	if c.elsewhere() {
		return c.PortalOrigin + c.Base + path
	}
	return c.Base + path
}

// toPortal redirects to the same page on the single sign-on host. It is a GET there whatever was sent here: the fields of a
// form never leave its host.
func (c *call) toPortal() error {
	to := c.home("/" + c.path)
	if c.r.URL.RawQuery != "" {
		to += "?" + c.r.URL.RawQuery
	}
	c.redirect(http.StatusSeeOther, to)
	return nil
}

func (c *call) redirect(status int, location string) {
	h := c.w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Location", location)
	c.w.WriteHeader(status)
}

func notFound() error { return &identity.Error{Code: identity.CodeNotFound} }

func cutLast(path string) (dir, last string, ok bool) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", "", false
	}
	return path[:i], path[i+1:], true
}
