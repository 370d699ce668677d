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
	"github.com/truxeio/caddy-truxe/internal/portal"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// Explanation tells how a decision came about: of a request that was answered, or of one that might be sent.
type Explanation struct {
	Reference string            `json:"reference,omitempty"`
	Time      string            `json:"time,omitempty"`
	Event     string            `json:"event,omitempty"` // of the audit log, when the reference is not of a decision
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Path      string            `json:"path"` // the reading of the path that decided
	User      string            `json:"user"` // "" is an anonymous visitor
	Roles     []string          `json:"roles"`
	AMR       []string          `json:"amr"`
	IP        string            `json:"ip"`
	Decision  string            `json:"decision"` // allow, deny, login, step_up; "" when nothing was decided
	Code      identity.Code     `json:"code"`
	Rule      string            `json:"rule"`
	Reason    string            `json:"reason"`
	Steps     []ExplainedRule   `json:"steps"`
	Omitted   int               `json:"omitted"` // rules beyond those
	Remedy    string            `json:"remedy"`
	Details   map[string]string `json:"details,omitempty"`
}

// ExplainedRule is one rule that was looked at.
type ExplainedRule struct {
	Effect  string `json:"effect"`
	Rule    string `json:"rule"`
	Mode    string `json:"mode"`
	Outcome string `json:"outcome"` // yes, no, UNMET
	Why     string `json:"why"`
	Place   string `json:"place"`
}

// take fills in what a trace knows.
func (e *Explanation) take(t policy.Trace) {
	e.Path, e.Decision, e.Code, e.Rule, e.Reason = t.Path, t.Decision.Verdict(), t.Decision.Code, t.Decision.Rule, t.Decision.Reason
	e.Omitted, e.Remedy, e.Steps = t.Omitted, t.Remedy, []ExplainedRule{}
	for _, s := range t.Steps {
		mode := "enforce"
		if s.Report {
			mode = "report"
		}
		place := s.At.String()
		if strings.HasPrefix(s.Rule, "caddyfile:") {
			place = "Caddyfile"
		}
		e.Steps = append(e.Steps, ExplainedRule{s.Effect.String(), s.Rule, mode, s.Outcome.String(), s.Why, place})
	}
}

func (e *Explanation) about(p *identity.Principal) {
	e.Roles, e.AMR = []string{}, []string{}
	if p == nil {
		return
	}
	e.User, e.Roles, e.AMR = policy.LocalName(p), append(e.Roles, p.Roles...), append(e.AMR, p.AMR...)
}

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
		e := Explanation{Reference: reference, Time: stamp(r.At), Method: r.Method, URL: "https://" + r.Host + r.Path, IP: r.Address}
		e.about(r.Principal())
		t, _ := r.Trace()
		t.Decision, t.Path = r.Decision, r.Path
		e.take(t)
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
func explainLine(raw []byte) (Explanation, error) {
	var line struct {
		Time, Event, Outcome, IP, Host, Method, Path, Reason, Reference string
		Actor                                                           audit.Actor
		Details                                                         map[string]string
	}
	if err := json.Unmarshal(raw, &line); err != nil {
		return Explanation{}, err
	}
	e := Explanation{Reference: line.Reference, Time: line.Time, Method: line.Method, URL: "https://" + line.Host + line.Path, Path: line.Path, User: line.Actor.Name,
		Roles: []string{}, AMR: []string{}, IP: line.IP, Code: identity.Code(line.Reason), Steps: []ExplainedRule{}}
	if t, err := policy.ParseTrace(audit.Unpack(line.Details[audit.PackedDetail])); err == nil {
		e.take(t)
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

// adminPolicyExplain tells what would be decided about a request.
func adminPolicyExplain(ctx context.Context, g *Gateway, raw json.RawMessage) (any, error) {
	var in struct {
		User    string `json:"user"` // "": an anonymous visitor
		Method  string `json:"method"`
		URL     string `json:"url"`
		IP      string `json:"ip"`
		MFA     bool   `json:"mfa"`
		Passkey bool   `json:"passkey"`
	}
	if err := read(raw, &in); err != nil {
		return nil, err
	}
	r, host, err := requestFor(ctx, in.Method, in.URL)
	if err != nil {
		return nil, err
	}
	if in.IP != "" {
		if _, err := netip.ParseAddr(in.IP); err != nil {
			return nil, &identity.Error{Code: identity.CodeInvalidRequest, Detail: in.IP + " is not an address"}
		}
	}
	var p *identity.Principal
	if in.User != "" {
		u, err := named(ctx, g, in.User)
		if err != nil {
			return nil, err
		}
		p = principalOf(u, g.now(), in.MFA, in.Passkey)
	}
	e := Explanation{Method: r.Method, URL: in.URL, IP: in.IP}
	e.about(p)
	e.take(g.explain(r, host, p, in.IP))
	return e, nil
}

// explain asks the sites that run, or, while Caddy is stopped, the rules as the configuration has them.
func (g *Gateway) explain(r *http.Request, host string, p *identity.Principal, ip string) policy.Trace {
	if g.cfg.Checker != nil {
		t, _ := g.cfg.Checker.Explain(portal.Question{Asker: r, Principal: p, Client: authn.Client{Addr: ip}, Host: host, Request: r})
		if t.Path == "" {
			t.Path = r.URL.Path
		}
		return t
	}
	set, ok := g.cfg.Rules.At(host, "")
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
