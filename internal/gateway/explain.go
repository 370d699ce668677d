package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// adminExplain tells what happened under a reference: an answer of this node that is still remembered, or a line of the
// audit log.
func adminExplain(ctx context.Context, g *Gateway, raw json.RawMessage) (any, error) {
	var in struct {
		Reference string `json:"reference"`
	}
	if err := read(raw, &in); err != nil {
		return nil, err
	}
	reference := strings.ToUpper(strings.TrimSpace(in.Reference))
	if r, ok := g.engine.refusals.Find(reference); ok {
		e := policy.Explanation{Reference: reference, Time: stamp(r.At), Method: r.Method, URL: "https://" + r.Host + r.Path, IP: r.Address}
		e.About(r.Principal())
		t, _ := r.Trace()
		t.Decision, t.Path = r.Decision, r.Path
		e.Take(t)
		return e, nil
	}
	rows, err := g.engine.store.ListAudit(ctx, store.AuditFilter{Reference: reference, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, &identity.Error{Code: identity.CodeNotFound, Detail: "nothing is known of the reference " + reference +
			"; sign-in redirects and step-ups are remembered by the node that answered, the last 2,048 of them, until it restarts"}
	}
	return explainLine(rows[0].Line)
}

// explainLine reads an event of the audit log.
func explainLine(raw []byte) (policy.Explanation, error) {
	var line struct {
		Time, Event, Outcome, IP, Host, Method, Path, Reason, Reference string
		Actor                                                           audit.Actor
		Details                                                         map[string]string
	}
	if err := json.Unmarshal(raw, &line); err != nil {
		return policy.Explanation{}, err
	}
	e := policy.Explanation{Reference: line.Reference, Time: line.Time, Method: line.Method, URL: "https://" + line.Host + line.Path, Path: line.Path, User: line.Actor.Name,
		Roles: []string{}, AMR: []string{}, IP: line.IP, Code: identity.Code(line.Reason), Steps: []policy.ExplainedRule{}}
	if t, err := policy.ParseTrace(audit.Unpack(line.Details[audit.PackedDetail])); err == nil {
		e.Take(t)
		e.Roles, e.AMR = words(line.Details["roles"]), words(line.Details["amr"])
		if line.Outcome == "report" {
			e.Remedy = strings.TrimSpace("Nothing was refused: the mode is report. " + e.Remedy)
		}
		return e, nil
	}
	e.Event, e.Decision, e.Rule, e.Details = line.Event, line.Outcome, line.Details["rule"], line.Details
	if line.Host == "" {
		e.URL = ""
	}
	return e, nil
}

func words(list string) []string {
	if list == "" {
		return []string{}
	}
	return strings.Split(list, ",")
}

func adminPolicyExplain(ctx context.Context, g *Gateway, raw json.RawMessage) (any, error) {
	var q policy.Inquiry
	if err := read(raw, &q); err != nil {
		return nil, err
	}
	return policyBook{g}.Explain(ctx, q)
}

// policyBook is the rules in force for command line and API; it implements web.Policies.
type policyBook struct{ g *Gateway }

// Explain tells what would be decided about a request.
func (b policyBook) Explain(ctx context.Context, q policy.Inquiry) (policy.Explanation, error) {
	r, host, err := requestFor(ctx, q.Method, q.URL)
	if err != nil {
		return policy.Explanation{}, err
	}
	if q.IP != "" {
		if _, err := netip.ParseAddr(q.IP); err != nil {
			return policy.Explanation{}, &identity.Error{Code: identity.CodeInvalidRequest, Detail: q.IP + " is not an address"}
		}
	}
	var p *identity.Principal
	if q.User != "" {
		u, err := named(ctx, b.g, q.User)
		if err != nil {
			return policy.Explanation{}, err
		}
		p = principalOf(u, b.g.now(), q.MFA, q.Passkey)
	}
	e := policy.Explanation{Method: r.Method, URL: q.URL, IP: q.IP}
	e.About(p)
	e.Take(b.g.explain(r, host, p, q.IP))
	return e, nil
}

// explain asks the sites that run, or, while Caddy is stopped, the rules as the configuration has them.
func (g *Gateway) explain(r *http.Request, host string, p *identity.Principal, ip string) policy.Trace {
	if g.cfg.Checker != nil {
		t, _ := g.cfg.Checker.Explain(web.Question{Asker: r, Principal: p, Client: authn.Client{Addr: ip}, Host: host, Request: r})
		if t.Path == "" {
			t.Path = r.URL.Path
		}
		return t
	}
	at := host
	if o, ok := g.origins.Named(r.Host); ok {
		at = o.Authority()
	}
	set, ok := g.cfg.Rules.At(at, "")
	canonical, err := policy.Canonical(r)
	if !ok || err != nil {
		d := policy.Decision{Code: identity.CodeNoRule, Reason: "No site of this gateway would judge this request."}
		if err != nil {
			d = policy.Decision{Code: identity.CodeAmbiguousPath}
		}
		return policy.Trace{Host: host, Method: r.Method, Path: r.URL.Path, Decision: d}
	}
	request := policy.RequestOf(r, host, canonical)
	request.Now = g.now()
	request.Addr, _ = netip.ParseAddr(ip)
	return set.Explain(request, p)
}

// requestFor reads method and URL of a request that somebody might send.
func requestFor(ctx context.Context, method, text string) (*http.Request, string, error) {
	bad := func(detail string) error { return &identity.Error{Code: identity.CodeInvalidRequest, Detail: detail} }
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return nil, "", bad("the URL is not a whole one, such as https://app.example.com/orders/7")
	}
	host, err := policy.FoldHost(u.Host)
	if err != nil {
		return nil, "", bad("the URL has no valid host name")
	}
	if method == "" {
		method = http.MethodGet
	}
	target := u.RequestURI()
	r, err := http.NewRequestWithContext(ctx, strings.ToUpper(method), text, nil)
	if err != nil {
		return nil, "", bad("the method is not one of HTTP")
	}
	if r.URL, err = url.ParseRequestURI(target); err != nil {
		return nil, "", bad("the URL has no valid path")
	}
	r.RequestURI, r.Host, r.RemoteAddr = target, u.Host, "127.0.0.1:1"
	return r, host, nil
}

// principalOf is how rules would see somebody who has just signed in with a password and, where said, with more.
func principalOf(u identity.User, now time.Time, mfa, passkey bool) *identity.Principal {
	p := &identity.Principal{UserID: u.ID.String(), Username: u.Username, Email: u.Email, Name: u.Name, Roles: u.Roles, SessionID: identity.NewID().String(),
		AMR: []string{identity.AMRPassword}, ACR: identity.ACRPassword, AuthTime: now, Credential: identity.CredentialCookie}
	if mfa || passkey {
		p.MFATime, p.ACR, p.AMR = now, identity.ACRMFA, append(p.AMR, identity.AMROTP, identity.AMRMFA)
	}
	if passkey {
		p.PasskeyTime, p.ACR, p.AMR = now, identity.ACRPasskey, []string{identity.AMRSoftware, identity.AMRUser, identity.AMRMFA}
	}
	return p
}
