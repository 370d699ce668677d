package caddymodule

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/truxeio/caddy-truxe/internal/gate"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/origin"
	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/rules"
)

// stage is one server's routes with nothing left on them but what decides which of our gates judges a request, and with
// which path: matchers, groups, rewrites and the gates. A question runs over it as a request runs over the real routes,
// so handle, handle_path, matchers and rewrites mean the same, and nothing that acts is there to be run.
type stage struct {
	server *caddyhttp.Server
	names  *origin.Book // what its own sites are called outside
	routes caddyhttp.RouteList
	hosts  []map[string]bool // by route: the host names it is for; nil: it may be for any
}

// add keeps a route. That of a plain host name is left out of questions about others, so that one question costs the
// same at a gateway of a thousand sites.
func (st *stage) add(r caddyhttp.Route) {
	st.routes = append(st.routes, r)
	var names map[string]bool
	if len(r.MatcherSets) == 1 {
		for _, m := range r.MatcherSets[0] {
			if hosts, ok := m.(*caddyhttp.MatchHost); ok {
				names = map[string]bool{}
				for _, h := range *hosts {
					if strings.ContainsAny(h, "*{") {
						names = nil
						break
					}
					names[strings.ToLower(h)] = true
				}
			}
		}
	}
	st.hosts = append(st.hosts, names)
}

// at are the routes that may be for a folded host, in their order.
func (st *stage) at(host string) caddyhttp.RouteList {
	var routes caddyhttp.RouteList
	for i, names := range st.hosts {
		if names == nil || names[host] {
			routes = append(routes, st.routes[i])
		}
	}
	return routes
}

// routing are the handlers that decide where a request goes and touch nothing else.
var routing = []string{"subroute", "rewrite", "vars", "map", "truxe_gate"}

// stages copies the routes that hold our gates. It is called where findSites is: matchers of whole routes are decoded
// by then, and handlers are still JSON.
func stages(ctx caddy.Context, app *caddyhttp.App, sites []foundSite) ([]stage, error) {
	var all []stage
	for _, name := range serverNames(app) {
		server := app.Servers[name]
		st := stage{server: server, names: namesOn(name, sites)}
		for _, r := range server.Routes {
			handlers, ours := prune(r.HandlersRaw)
			if !ours {
				continue
			}
			copied := caddyhttp.Route{Group: r.Group, MatcherSets: r.MatcherSets, HandlersRaw: handlers, Terminal: r.Terminal}
			if err := copied.ProvisionHandlers(ctx, nil); err != nil {
				return nil, err
			}
			st.add(copied)
		}
		if len(st.routes) > 0 {
			all = append(all, st)
		}
	}
	return all, nil
}

// prune keeps the handlers that a rehearsal needs, and reports whether one of our gates is among them.
func prune(raws []json.RawMessage) (out []json.RawMessage, ours bool) {
	for _, raw := range raws {
		var h map[string]json.RawMessage
		var name string
		if json.Unmarshal(raw, &h) != nil || json.Unmarshal(h["handler"], &name) != nil || !slices.Contains(routing, name) {
			continue
		}
		if name == "subroute" {
			var routes []map[string]json.RawMessage
			if json.Unmarshal(h["routes"], &routes) != nil {
				continue
			}
			for _, r := range routes {
				var inner []json.RawMessage
				_ = json.Unmarshal(r["handle"], &inner) // not a list of handlers: skip
				left, found := prune(inner)
				ours = ours || found
				r["handle"] = marshal(left)
			}
			raw = marshal(map[string]any{"handler": "subroute", "routes": routes})
		}
		ours = ours || name == "truxe_gate"
		out = append(out, raw)
	}
	return out, ours
}

func marshal(v any) json.RawMessage {
	raw, _ := json.Marshal(v) // it was decoded from JSON
	return raw
}

// rehearsal is one question on its way over a stage.
type rehearsal struct {
	gate      *gate.Gate
	principal *identity.Principal
	client    gate.Client

	met       bool // one of our gates is on the way
	judgement gate.Judgement
}

type rehearsalKey struct{}

func rehearsalOf(r *http.Request) *rehearsal {
	re, _ := r.Context().Value(rehearsalKey{}).(*rehearsal)
	return re
}

// judge asks one gate, and goes on to the next one if that lets the request through, as the real request would.
func (re *rehearsal) judge(w http.ResponseWriter, r *http.Request, s *gate.Site, next caddyhttp.Handler) error {
	re.met = true
	if re.judgement = re.gate.Check(r, s, re.principal, re.client); !re.judgement.Allow {
		return nil
	}
	return next.ServeHTTP(w, r)
}

// passed notes a request outside the directive's matcher: it is not judged.
func (re *rehearsal) passed() {
	if !re.met {
		re.met, re.judgement.Decision = true, policy.Decision{Allow: true, Public: true}
	}
}

// Check implements rules.Checker.
func (a *App) Check(q rules.Question) policy.Decision { return a.rehearse(q).Decision }

// Explain implements rules.Checker.
func (a *App) Explain(q rules.Question) (policy.Trace, bool) {
	j := a.rehearse(q)
	return j.Trace()
}

// rehearse asks the gates on a request's way. What none of them would judge is refused: the answer is unknown (R1,
// AZ-05).
func (a *App) rehearse(q rules.Question) gate.Judgement {
	gw := a.gateway()
	if gw == nil {
		return gate.Judgement{Decision: policy.Decision{Code: identity.CodeStateUnavailable}}
	}
	if gate.IsOwnPath(a.config.Base(), q.Request.URL.Path) {
		return gate.Judgement{Decision: policy.Decision{Code: identity.CodeNoRule,
			Reason: "The gateway's own pages are not judged by rules."}}
	}
	for _, st := range a.stagesFor(q, gw.Origins()) {
		re := &rehearsal{gate: gw.Gate(), principal: q.Principal, client: q.Client}
		if st.run(re, q.Host, q.Request); re.met {
			return re.judgement
		}
	}
	for _, f := range a.forwards {
		if f.site.Forwards(q.Host) {
			return gw.Gate().Check(q.Request, f.site, q.Principal, q.Client)
		}
	}
	return gate.Judgement{Decision: policy.Decision{Code: identity.CodeNoRule,
		Reason: "No site of this gateway would judge this request."}}
}

// namesOn is the book of the sites of one server.
func namesOn(server string, sites []foundSite) *origin.Book {
	var list []origin.Site
	for _, s := range sites {
		if s.server != server {
			continue
		}
		for _, info := range s.infos() {
			for _, o := range info.Origins {
				list = append(list, origin.Site{Host: info.Host, Public: o})
			}
		}
	}
	return origin.NewBook(list)
}

// stagesFor puts the stages in the order in which they are asked. Two ports of one name are two sites: a question about
// the asker's own address goes to the listener that it came to, any other to the listener whose site has the origin
// that is meant, then to one that has the host at all.
func (a *App) stagesFor(q rules.Question, book *origin.Book) []stage {
	if len(a.stages) < 2 {
		return a.stages
	}
	meant, named := book.Named(q.Request.Host)
	came, _ := q.Asker.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	rank := func(st stage) int {
		switch has := st.names.All(q.Host); {
		case st.server == came && q.Asker.Host == q.Request.Host:
			return 0
		case named && slices.Contains(has, meant):
			return 1
		case len(has) > 0:
			return 2
		}
		return 3
	}
	return slices.SortedStableFunc(slices.Values(a.stages), func(x, y stage) int { return rank(x) - rank(y) })
}

// run sends a copy of a request for a folded host over the stage. A matcher that fails leaves the question unanswered.
func (st stage) run(re *rehearsal, host string, r *http.Request) {
	r = r.Clone(context.WithValue(r.Context(), rehearsalKey{}, re))
	w := discardWriter{http.Header{}}
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, st.server)
	caddyhttp.SetVar(r.Context(), caddyhttp.ClientIPVarKey, re.client.Addr)
	caddyhttp.SetVar(r.Context(), caddyhttp.TrustedProxyVarKey, re.client.TrustedPeer)
	end := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })
	if st.at(host).Compile(end).ServeHTTP(w, r) != nil {
		re.met = false
	}
}

// discardWriter discards the answer of a rehearsal.
type discardWriter struct{ header http.Header }

func (w discardWriter) Header() http.Header         { return w.header }
func (w discardWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w discardWriter) WriteHeader(int)             {}

var _ rules.Checker = (*App)(nil)
