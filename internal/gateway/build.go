package gateway

import (
	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/console"
	"github.com/truxeio/caddy-truxe/internal/cors"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/gate"
	"github.com/truxeio/caddy-truxe/internal/people"
	"github.com/truxeio/caddy-truxe/internal/portal"
	"github.com/truxeio/caddy-truxe/internal/portal/pages"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
	"github.com/truxeio/caddy-truxe/internal/ratelimit"
	"github.com/truxeio/caddy-truxe/internal/rules"
	"github.com/truxeio/caddy-truxe/internal/signin"
	"github.com/truxeio/caddy-truxe/internal/signin/sessions"
	"github.com/truxeio/caddy-truxe/internal/token"
)

// build creates the parts of one configuration.
func (g *Gateway) build() error {
	g.origins = g.cfg.origins()
	if err := g.buildAccounts(); err != nil {
		return err
	}
	g.buildConsole()
	return g.buildPages()
}

// buildAccounts creates what changes users, sessions and tokens, and the worker that sends their notices.
func (g *Gateway) buildAccounts() error {
	cfg, e := g.cfg, g.engine
	breached, err := openBreached(cfg)
	if err != nil {
		return err
	}
	perUser, perAddress := ratelimit.Rate(cfg.RateLimits.Login), ratelimit.Rate(cfg.RateLimits.Address)
	guard, err := ratelimit.New(e.cluster, ratelimit.Limits{Person: perUser, Address: perAddress},
		e.box.Derive("rate limit keys", 32))
	if err != nil {
		return err
	}
	g.changes = &change.Changes{
		Store:           e.store,
		Audit:           e.audit,
		Feed:            e.feed,
		Metrics:         cfg.Metrics,
		Logger:          cfg.Logger,
		Now:             cfg.Now,
		AccessLifetime:  cfg.JWT.Access,
		RefreshLifetime: cfg.JWT.Refresh,
		LongestSession:  max(cfg.Session.Max, cfg.Session.Remember),
	}
	passwords := credential.Policy{
		MinLength:        cfg.Password.MinLength,
		MinLengthWithMFA: cfg.Password.MinLengthWithMFA,
		Breached:         breached,
		Names:            cfg.names(),
	}
	g.people = &people.Directory{Changes: g.changes, PasswordPolicy: passwords, Hasher: e.hasher,
		Roles: cfg.Rules.RoleModel}
	g.signin = signin.New(signin.Config{
		Changes:        g.changes,
		Cluster:        e.cluster,
		Sessions:       e.sessions,
		Hasher:         e.hasher,
		PasswordPolicy: passwords,
		Guard:          guard,
		Issuer: token.NewIssuer(e.ring, token.IssuerConfig{
			Issuer:      g.issuerOf,
			Audience:    cfg.JWT.Audience,
			Access:      cfg.JWT.Access,
			Permissions: cfg.Rules.PermissionsOf,
			Now:         cfg.Now,
		}),
		Refresher: token.NewRefresher(token.RefreshConfig{Life: cfg.JWT.Refresh, Audience: cfg.JWT.Audience, Now: cfg.Now}),
		Metrics:   cfg.Metrics,
		MFA:       signin.MFARule(cfg.MFA),
		Box:       e.box,
		CodeKey:   e.codeKey,
		Brand:     cfg.Brand.Name,
		Origins:   g.originsOf,
	})
	if g.notices, err = cfg.openNotices(e.store, g.origins); err != nil {
		return err
	}
	if g.notices != nil {
		g.changes.OnMailQueued = g.notices.WakeUp
	}
	return nil
}

// buildConsole creates what operators use, and what keeps the rules at the policy files.
func (g *Gateway) buildConsole() {
	cfg, e := g.cfg, g.engine
	if cfg.Policies != "" && !cfg.Offline {
		g.policies = rules.NewWatcher(rules.WatcherConfig{
			Dir:     cfg.Policies,
			Book:    cfg.Rules,
			Hosts:   cfg.Hosts(),
			Roles:   cfg.RolesNamed(),
			OnState: func(ok bool) { cfg.Metrics.Ready("policies", ok) },
			Logger:  cfg.Logger,
			Now:     cfg.Now,
		})
	}
	g.console = &console.Console{
		Store:    e.store,
		Changes:  g.changes,
		People:   g.people,
		SignIn:   g.signin,
		Ring:     e.ring,
		Refusals: &e.refusals,
		SetupURL: cfg.setupURL(),
		Now:      cfg.Now,
		Policies: &console.Policies{
			Book:    cfg.Rules,
			Watcher: g.policies,
			Checker: cfg.Checker,
			Origins: g.origins,
			Store:   e.store,
			Now:     cfg.Now,
		},
	}
}

// buildPages creates what answers requests: the gate and the portal.
func (g *Gateway) buildPages() error {
	cfg, e := g.cfg, g.engine
	auth, err := g.openVerifier()
	if err != nil {
		return err
	}
	origins, err := cors.New(cfg.CORS)
	if err != nil {
		return err
	}
	brand, err := cfg.viewBrand()
	if err != nil {
		return err
	}
	renderer, err := view.New(brand, cfg.Path)
	if err != nil {
		return err
	}
	flows := &web.Flows{
		Base:         cfg.Path,
		Origins:      g.origins,
		PortalHost:   cfg.Portal,
		PortalOrigin: cfg.portalOrigin(),
		Sealer:       e.box.Sealer("way back"),
		Overflow:     web.Overflow{Cluster: e.cluster},
		Now:          cfg.Now,
	}
	g.gate = &gate.Gate{
		Verifier: auth,
		Origins:  g.origins,
		Pages:    pages.Gate{View: renderer},
		WayBack:  flows,
		Audit:    e.audit,
		Metrics:  cfg.Metrics,
		CORS:     origins,
		Signer: &token.Asserter{
			Ring:        e.ring,
			Issuer:      g.issuerOf,
			Permissions: cfg.Rules.PermissionsOf,
			Roles:       cfg.Rules.Edition,
			Now:         cfg.Now,
		},
		Streams: e.revoked,
		Limits:  &e.limits,
		AppDown: cfg.AppDown,
		Now:     cfg.Now,
		Logger:  cfg.Logger,
		Memory:  gate.Memory{Refusals: &e.refusals, Records: e.records},
	}
	g.portal, err = portal.New(&web.Config{
		Base:         cfg.Path,
		Origins:      g.origins,
		PortalHost:   cfg.Portal,
		PortalOrigin: cfg.portalOrigin(),
		Sites:        cfg.portalSites(),
		Changes:      g.changes,
		People:       g.people,
		SignIn:       g.signin,
		Verifier:     auth,
		CORS:         origins,
		View:         renderer,
		Flows:        flows,
		Checker:      cfg.Checker,
		Policies:     g.console.Policies,
		Limits:       &e.limits,
		Remember:     cfg.Session.Remember,
		JWKS:         e.ring.JWKS,
		Health:       func() web.Health { return e.health() },
		Now:          cfg.Now,
	})
	return err
}

// openVerifier returns what turns credentials into principals.
func (g *Gateway) openVerifier() (*authn.Verifier, error) {
	cfg, e := g.cfg, g.engine
	trust, err := trusted(cfg)
	if err != nil {
		return nil, err
	}
	tokens, err := token.NewVerifier(token.VerifierConfig{
		Ring:     e.ring,
		Issuers:  cfg.issuers(),
		Audience: cfg.JWT.Audience,
		Trust:    trust,
		Now:      cfg.Now,
	})
	if err != nil {
		return nil, err
	}
	return &authn.Verifier{
		Sessions: &authn.CookieSessions{Table: e.sessions, Renewals: e.renewals},
		Tokens: &authn.BearerTokens{Verifier: tokens, Cache: e.tokens, Roles: e.roles, Sessions: e.sessions,
			Now: cfg.Now},
		Revocations: e.revoked,
		Renewer:     sessions.Renewer{Sessions: g.signin.Sessions},
		OnRefused:   authn.NewRefusalLog(cfg.Logger, cfg.Now).Note,
	}, nil
}
