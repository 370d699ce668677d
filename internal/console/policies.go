package console

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/origin"
	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/rules"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// Policies shows and explains the rules in force.
type Policies struct {
	Book    *rules.Book
	Watcher *rules.Watcher // nil without policy files
	Checker rules.Checker  // nil while Caddy is stopped
	Origins *origin.Book
	Store   *store.Store
	Now     func() time.Time
}

// SiteArg names a site by a host; "" is all of them.
type SiteArg struct {
	Site string `json:"site"`
}

// ShowPolicies lists the rules in force.
func (c *Console) ShowPolicies(_ context.Context, in SiteArg) (policy.Listing, error) {
	return c.Policies.Show(in.Site)
}

// Show lists the rules in force, or those that apply at a host.
func (p *Policies) Show(host string) (policy.Listing, error) {
	source, err := p.Book.SourceRules(host)
	if err != nil {
		return policy.Listing{}, identity.NotFound(err.Error())
	}
	out := policy.Listing{Items: []policy.Row{}, State: p.Watcher.State()}
	for _, r := range source {
		out.Items = append(out.Items, policy.RowOf(r))
	}
	return out, nil
}

// ExplainRequest returns what would be decided about a request, rule by rule.
func (c *Console) ExplainRequest(ctx context.Context, q policy.Inquiry) (policy.Explanation, error) {
	return c.Policies.Explain(ctx, q)
}

// Explain returns what would be decided about a request, rule by rule.
func (p *Policies) Explain(ctx context.Context, q policy.Inquiry) (policy.Explanation, error) {
	r, host, err := requestFor(ctx, q.Method, q.URL)
	if err != nil {
		return policy.Explanation{}, err
	}
	if q.IP != "" {
		if _, err := netip.ParseAddr(q.IP); err != nil {
			return policy.Explanation{}, identity.Invalid(q.IP + " is not an address")
		}
	}
	var who *identity.Principal
	if q.User != "" {
		u, err := findUser(ctx, p.Store, q.User)
		if err != nil {
			return policy.Explanation{}, err
		}
		who = principalOf(u, p.Now(), q.MFA, q.Passkey)
	}
	e := policy.Explanation{ExplainedRequest: policy.ExplainedRequest{Method: r.Method, URL: q.URL, IP: q.IP}}
	e.About(who)
	e.Take(p.trace(r, host, who, q.IP))
	return e, nil
}

// trace asks the sites that run, or, while Caddy is stopped, the rules as the configuration has them.
func (p *Policies) trace(r *http.Request, host string, who *identity.Principal, ip string) policy.Trace {
	if p.Checker != nil {
		t, _ := p.Checker.Explain(rules.Question{Asker: r, Principal: who, Client: authn.Client{Addr: ip}, Host: host,
			Request: r})
		if t.Path == "" {
			t.Path = r.URL.Path
		}
		return t
	}
	at := host
	if o, ok := p.Origins.Named(r.Host); ok {
		at = o.Authority()
	}
	set, ok := p.Book.At(at, "")
	canonical, err := policy.Canonical(r)
	if !ok || err != nil {
		d := policy.Decision{Code: identity.CodeNoRule, Reason: "No site of this gateway would judge this request."}
		if err != nil {
			d = policy.Decision{Code: identity.CodeAmbiguousPath}
		}
		return policy.Trace{Host: host, Method: r.Method, Path: r.URL.Path, Decision: d}
	}
	request := policy.RequestOf(r, host, canonical)
	request.Now = p.Now()
	request.Addr, _ = netip.ParseAddr(ip)
	return set.Explain(request, who)
}

// requestFor reads method and URL of a request that a user might send, and returns its folded host, too.
func requestFor(ctx context.Context, method, text string) (*http.Request, string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return nil, "", identity.Invalid("the URL is not a whole one, such as https://app.example.com/orders/7")
	}
	host, err := policy.FoldHost(u.Host)
	if err != nil {
		return nil, "", identity.Invalid("the URL has no valid host name")
	}
	if method == "" {
		method = http.MethodGet
	}
	target := u.RequestURI()
	r, err := http.NewRequestWithContext(ctx, strings.ToUpper(method), text, nil)
	if err != nil {
		return nil, "", identity.Invalid("the method is not one of HTTP")
	}
	if r.URL, err = url.ParseRequestURI(target); err != nil {
		return nil, "", identity.Invalid("the URL has no valid path")
	}
	r.RequestURI, r.Host, r.RemoteAddr = target, u.Host, "127.0.0.1:1"
	return r, host, nil
}

// principalOf returns a user as rules would see them just after signing in with a password and, where asked for, with
// more.
func principalOf(u identity.User, now time.Time, mfa, passkey bool) *identity.Principal {
	p := &identity.Principal{UserID: u.ID.String(), Username: u.Username, Email: u.Email, Name: u.Name, Roles: u.Roles,
		SessionID:  identity.NewID().String(),
		Proof:      identity.Proof{AMR: []string{identity.AMRPassword}, ACR: identity.ACRPassword, AuthTime: now},
		Credential: identity.CredentialCookie}
	if mfa || passkey {
		p.MFATime, p.ACR, p.AMR = now, identity.ACRMFA, append(p.AMR, identity.AMROTP, identity.AMRMFA)
	}
	if passkey {
		p.PasskeyTime, p.ACR, p.AMR = now, identity.ACRPasskey, []string{identity.AMRSoftware, identity.AMRUser,
			identity.AMRMFA}
	}
	return p
}
