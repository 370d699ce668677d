package gateway

import (
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/people"
	"github.com/truxeio/caddy-truxe/internal/ratelimit"
	"github.com/truxeio/caddy-truxe/internal/signin"
	"github.com/truxeio/caddy-truxe/internal/token"
)

// openUsers opens what changes and signs in users.
func (g *Gateway) openUsers() error {
	cfg, e := g.cfg, g.engine
	breached, err := openBreached(cfg)
	if err != nil {
		return err
	}
	guard, err := ratelimit.New(e.cluster, ratelimit.Limits{Person: ratelimit.Rate(cfg.RateLimits.Login), Address: ratelimit.Rate(cfg.RateLimits.Address)},
		e.box.Derive("rate limit keys", 32))
	if err != nil {
		return err
	}
	g.changes = &change.Changes{
		Store: e.store, Audit: e.audit, Revoked: e.revoked, Sessions: e.sessions, Metrics: cfg.Metrics, Logger: cfg.Logger, Now: cfg.Now,
		AccessLifetime: cfg.JWT.Access, RefreshLifetime: cfg.JWT.Refresh, LongestSession: max(cfg.Session.Max, cfg.Session.Remember),
	}
	if g.notices != nil {
		g.changes.OnMailQueued = g.notices.WakeUp
	}
	passwords := credential.Policy{MinLength: cfg.Password.MinLength, MinLengthWithMFA: cfg.Password.MinLengthWithMFA, Breached: breached, Names: cfg.names()}
	g.people = &people.Directory{Changes: g.changes, PasswordPolicy: passwords, Hasher: e.hasher, Roles: cfg.Rules.RoleModel}
	g.signin = signin.New(signin.Config{
		Changes: g.changes, Cluster: e.cluster, Hasher: e.hasher, PasswordPolicy: passwords, Guard: guard,
		Issuer: token.NewIssuer(e.ring, token.IssuerConfig{Issuer: g.issuerOf, Audience: cfg.JWT.Audience, Access: cfg.JWT.Access,
			Permissions: cfg.Rules.PermissionsOf, Now: cfg.Now}),
		Refresher: token.NewRefresher(token.RefreshConfig{Life: cfg.JWT.Refresh, Audience: cfg.JWT.Audience, Now: cfg.Now}),
		Metrics:   cfg.Metrics, MFA: signin.MFARule(cfg.MFA), Box: e.box, CodeKey: e.codeKey, Brand: cfg.Brand.Name, Origins: g.originsOf,
	})
	return nil
}
