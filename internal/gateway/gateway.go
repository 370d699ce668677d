package gateway

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/truxeio/caddy-truxe/internal/account"
	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/cors"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/gate"
	"github.com/truxeio/caddy-truxe/internal/origin"
	"github.com/truxeio/caddy-truxe/internal/portal"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/ratelimit"
	"github.com/truxeio/caddy-truxe/internal/regular"
	"github.com/truxeio/caddy-truxe/internal/token"
)

// Gateway is one configuration in front of an engine.
type Gateway struct {
	cfg      Config
	engine   *Engine
	accounts *account.Accounts
	gate     *gate.Gate
	portal   *portal.Portal
	mailer   *mailer // nil without a mail server
	policies policyWatch
	roles    roleModel
	origins  *origin.Book

	stop context.CancelFunc // ends what runs for this configuration
	done sync.WaitGroup
}

// New puts a configuration in front of an engine and does what a start is due: the first administrator, the users file,
// the setup link.
func New(ctx context.Context, e *Engine, cfg Config) (*Gateway, error) {
	cfg = cfg.withDefaults()
	g := &Gateway{cfg: cfg, engine: e, stop: func() {}}
	g.roles.set(cfg.Rules.RoleModel())
	if err := g.build(); err != nil {
		return nil, err
	}
	if err := g.firstStart(ctx); err != nil {
		return nil, err
	}
	if !cfg.Offline {
		for _, w := range cfg.looseFiles() {
			cfg.Logger.Warn(w)
		}
		run, stop := context.WithCancel(context.WithoutCancel(ctx))
		g.stop = stop
		g.watchUsersFile(run)
		g.watchPolicies(run)
		if g.mailer != nil {
			g.done.Go(func() { g.mailer.run(run) })
		}
	}
	return g, nil
}

func (g *Gateway) build() error {
	cfg, e := g.cfg, g.engine
	g.origins = cfg.origins()
	trust, err := trusted(cfg)
	if err != nil {
		return err
	}
	verifier, err := token.NewVerifier(token.VerifierConfig{Ring: e.ring, Issuers: cfg.issuers(), Audience: cfg.JWT.Audience, Trust: trust, Now: cfg.Now})
	if err != nil {
		return err
	}
	breached, err := openBreached(cfg)
	if err != nil {
		return err
	}
	guard, err := ratelimit.New(e.cluster, ratelimit.Limits{Person: ratelimit.Rate(cfg.RateLimits.Login), Address: ratelimit.Rate(cfg.RateLimits.Address)},
		e.box.Derive("rate limit keys", 32))
	if err != nil {
		return err
	}
	g.accounts = &account.Accounts{
		Store: e.store, Cluster: e.cluster, Sessions: e.sessions, Revoked: e.revoked, Hasher: e.hasher, Guard: guard, Audit: e.audit, Ring: e.ring,
		Passwords: credential.Policy{MinLength: cfg.Password.MinLength, MinLengthWithMFA: cfg.Password.MinLengthWithMFA, Breached: breached, Names: cfg.names()},
		Issuer: token.NewIssuer(e.ring, token.IssuerConfig{Issuer: g.issuerOf, Audience: cfg.JWT.Audience, Access: cfg.JWT.Access,
			Permissions: g.roles.claim, Now: cfg.Now}),
		Verifier: verifier, Refresher: token.NewRefresher(token.RefreshConfig{Life: cfg.JWT.Refresh, Audience: cfg.JWT.Audience, Now: cfg.Now}),
		Metrics: cfg.Metrics, Logger: cfg.Logger, Now: cfg.Now,
		Roles: g.Roles, MFA: account.MFARule(cfg.MFA), Box: e.box, Keyed: e.codeKey, Brand: cfg.Brand.Name, Origins: g.originsOf,
		AccessLifetime: cfg.JWT.Access, RefreshLifetime: cfg.JWT.Refresh, LongestSession: max(cfg.Session.Max, cfg.Session.Remember),
	}
	if g.mailer, err = newMailer(e, cfg, g.origins); err != nil {
		return err
	}
	if g.mailer != nil {
		g.accounts.MailWaits = g.mailer.waits
	}
	origins, err := cors.New(cfg.CORS)
	if err != nil {
		return err
	}
	brand, err := cfg.viewBrand()
	if err != nil {
		return err
	}
	pages, err := view.New(brand, cfg.Path)
	if err != nil {
		return err
	}
	flows := &portal.Flows{
		Base:         cfg.Path,
		Origins:      g.origins,
		PortalHost:   cfg.Portal,
		PortalOrigin: cfg.portalOrigin(),
		Sealer:       e.box.Sealer("way back"),
		Overflow:     portal.Overflow{Cluster: e.cluster},
		Now:          cfg.Now,
	}
	auth := &authn.Verifier{
		Sessions:    &cookieSessions{table: e.sessions, renewals: e.renewals},
		Tokens:      &bearerTokens{verifier: verifier, cache: e.cache, standings: e.standing, sessions: e.sessions, now: cfg.Now},
		Revocations: e.revoked,
		Renewer:     &renewer{accounts: g.accounts, now: cfg.Now},
		OnRefused:   (&refusedTokens{log: cfg.Logger, now: cfg.Now}).note,
	}
	g.gate = &gate.Gate{
		Verifier: auth,
		Origins:  g.origins,
		Pages:    portal.GatePages{View: pages, Base: cfg.Path},
		WayBack:  flows,
		Audit:    e.audit,
		Metrics:  cfg.Metrics,
		CORS:     origins,
		Signer: &token.Asserter{Ring: e.ring, Issuer: g.issuerOf, Permissions: g.roles.claim, Roles: g.roles.number,
			Now: cfg.Now},
		Streams: e.revoked,
		Limits:  &e.limits,
		AppDown: cfg.AppDown,
		Now:     cfg.Now,
		Logger:  cfg.Logger,
		Memory:  gate.Memory{Refusals: &e.refusals, Records: e.records},
	}
	g.portal, err = portal.New(&portal.Portal{
		Base:         cfg.Path,
		Origins:      g.origins,
		PortalHost:   cfg.Portal,
		PortalOrigin: cfg.portalOrigin(),
		Sites:        cfg.portalSites(),
		Accounts:     g.accounts,
		Verifier:     auth,
		CORS:         origins,
		View:         pages,
		Flows:        flows,
		Checker:      cfg.Checker,
		Policies:     policyBook{g},
		Limits:       &e.limits,
		Remember:     cfg.Session.Remember,
		JWKS:         e.ring.JWKS,
		Health:       func() portal.Health { return e.health() },
		Now:          cfg.Now,
	})
	return err
}

func openBreached(cfg Config) (*credential.BreachedFile, error) {
	if cfg.Password.BreachedFile == "" {
		return nil, nil //nolint:nilnil // no file is configured
	}
	return credential.OpenBreached(cfg.Password.BreachedFile)
}

// names are the words a password must not be made of (PW-08).
func (c Config) names() []string {
	names := []string{c.Brand.Name}
	for _, s := range c.Sites {
		if s.Host != "" {
			names = append(names, s.Host)
		}
	}
	return names
}

func (c Config) viewBrand() (view.Brand, error) {
	b := view.Brand{Name: c.Brand.Name, Accent: c.Brand.Accent, Support: c.Brand.Support}
	if c.Brand.Logo == "" {
		return b, nil
	}
	raw, err := regular.Read(c.Brand.Logo, maxLogo)
	if err != nil {
		return b, fmt.Errorf("brand logo: %w", err)
	}
	b.Logo = raw
	return b, nil
}

// maxLogo bounds the logo's file in bytes; it is part of the login page.
const maxLogo = 32 << 10

// Origins are what the hosts of this configuration are called outside.
func (g *Gateway) Origins() *origin.Book { return g.origins }

// Gate judges requests.
func (g *Gateway) Gate() *gate.Gate { return g.gate }

// ServePortal answers the gateway's own URLs.
func (g *Gateway) ServePortal(w http.ResponseWriter, r *http.Request, client authn.Client, only bool) {
	g.portal.Serve(w, r, client, only)
}

// Config is the configuration, with defaults.
func (g *Gateway) Config() Config { return g.cfg }

func (g *Gateway) now() time.Time { return g.cfg.Now() }

// Close ends what belongs to this configuration; the engine goes on.
func (g *Gateway) Close() {
	g.stop()
	g.done.Wait()
}

// firstStart creates the first administrator from the environment, or logs the setup link.
func (g *Gateway) firstStart(ctx context.Context) error {
	if g.cfg.UsersFile != "" {
		if err := g.applyUsersFile(ctx); err != nil {
			return err
		}
	}
	needed, err := g.accounts.NeedsSetup(ctx)
	if err != nil || !needed {
		return err
	}
	if a := g.cfg.Admin; a.Username != "" && a.Password != "" && !g.cfg.Offline {
		_, err := g.accounts.CreateFirstAdmin(ctx, account.By{Via: "environment"}, account.NewUser{Username: a.Username, Email: a.Email, Password: a.Password})
		if errors.Is(err, account.ErrSetUp) {
			return nil // another node was faster
		}
		if err != nil {
			return fmt.Errorf("create the first administrator from TRUXE_ADMIN_*: %w", err)
		}
		g.cfg.Logger.Info("created the first administrator from the environment", "username", a.Username)
		return nil
	}
	if !g.cfg.Offline {
		url, _, err := g.setupLink(ctx, account.By{Via: "setup"})
		switch {
		case errors.Is(err, account.ErrSetUp):
		case err != nil:
			g.cfg.Logger.Warn("no users yet, and no setup link could be made; run: caddy truxe setup", "error", err)
		default:
			g.cfg.Logger.Warn("no users yet: create the first admin at " + url + "  (once, within 1 h), or run: caddy truxe setup")
		}
	}
	return nil
}

// setupLink makes a new one-time link. The code is in the fragment, which browsers send to nobody and no log keeps.
func (g *Gateway) setupLink(ctx context.Context, by account.By) (string, time.Time, error) {
	code, err := g.accounts.NewSetupCode(ctx, by)
	if err != nil {
		return "", time.Time{}, err
	}
	at := g.cfg.mainOrigin()
	if at == "" {
		at = fallbackIssuer
	}
	return at + g.cfg.Path + "/setup#t=" + code, g.now().Add(account.SetupLife), nil
}

func (g *Gateway) applyUsersFile(ctx context.Context) error {
	file, err := account.ReadUsersFile(g.cfg.UsersFile)
	if err != nil {
		return err
	}
	created, changed, err := g.accounts.ApplyUsersFile(ctx, file)
	if err != nil {
		return fmt.Errorf("users_file: %w", err)
	}
	if created+changed > 0 {
		g.cfg.Logger.Info("applied the users file", "created", created, "changed", changed)
	}
	return nil
}

// watchUsersFile applies the file again when its content changes: Caddy does not reload a configuration that is equal
// to the byte (CADDY-FACTS section 1). A file that cannot be read keeps what was applied before.
func (g *Gateway) watchUsersFile(run context.Context) {
	if g.cfg.UsersFile == "" {
		return
	}
	last := fileSum(g.cfg.UsersFile)
	g.done.Add(1)
	go func() {
		defer g.done.Done()
		tick := time.NewTicker(2 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-run.Done():
				return
			case <-tick.C:
			}
			sum := fileSum(g.cfg.UsersFile)
			if sum == last {
				continue
			}
			last = sum
			if err := g.applyUsersFile(run); err != nil {
				g.cfg.Logger.Error("the users file was not applied", "error", err)
			}
		}
	}()
}

// fileSum identifies what a look has found, failures included.
func fileSum(path string) [32]byte {
	raw, err := regular.Read(path, account.MaxUsersFile)
	if err != nil {
		raw = []byte("error " + err.Error())
	}
	return sha256.Sum256(raw)
}
