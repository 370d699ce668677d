package caddymodule

import (
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// announcement is what the placeholders of CONTRACT section 2 say about a request. There is one for each request: a
// replacer asks its providers in the order in which they came, so a second one would never be heard, and a 403 would
// say "allow".
type announcement struct {
	principal *identity.Principal
	decision  policy.Decision
}

// announcementKey is its place among the request's variables.
const announcementKey = "truxe_announcement"

// announce fills the placeholders. The last judgement of a request counts. {http.auth.user.id} also becomes user_id of
// the access log.
func announce(r *http.Request, p *identity.Principal, d policy.Decision) {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return
	}
	a, ok := caddyhttp.GetVar(r.Context(), announcementKey).(*announcement)
	if !ok {
		a = &announcement{}
		caddyhttp.SetVar(r.Context(), announcementKey, a)
		repl.Map(a.value)
	}
	a.principal, a.decision = p, d
}

// String keeps the announcement out of templates that print every variable.
func (*announcement) String() string { return "" }

// value answers for one placeholder. Those of the user are empty for anonymous requests: an unknown placeholder would
// reach the app as it is written.
func (a *announcement) value(key string) (any, bool) {
	switch key {
	case "http.truxe.decision":
		if a.decision.Allow {
			return "allow", true
		}
		return "deny", true
	case "http.truxe.rule":
		return a.decision.Rule, true
	}
	p := a.principal
	if p == nil {
		p = policy.Anonymous
	}
	switch key {
	case "http.auth.user.id":
		return p.UserID, true
	case "http.auth.user.name":
		return p.Username, true
	case "http.auth.user.email":
		return p.Email, true
	case "http.auth.user.display_name":
		return p.Name, true
	case "http.auth.user.roles":
		return strings.Join(p.Roles, ","), true
	case "http.truxe.session":
		return p.SessionID, true
	}
	return nil, false
}
