package caddymodule

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/truxeio/caddy-truxe/internal/gate"
	"github.com/truxeio/caddy-truxe/internal/gateway"
	"github.com/truxeio/caddy-truxe/internal/rules"
	"github.com/truxeio/caddy-truxe/internal/token"
)

func init() {
	caddy.RegisterModule(new(App))
}

// App is the authentication gateway: users, sessions, tokens and their settings, shared by all sites.
// A site is protected by the `truxe_gate` handler; without any configuration here, sensible defaults hold.
type App struct {
	// The single sign-on host, such as `auth.example.com`, or how browsers reach it, `https://auth.example.com:8443`.
	// Default: every host is its own portal.
	Portal string `json:"portal,omitempty"`
	// What all URLs of the gateway begin with. Default: `/.truxe`
	Path string `json:"path,omitempty"`
	// Where durable state lives. Default: SQLite in Caddy's data directory.
	Storage *Storage `json:"storage,omitempty"`
	// What several gateways share. Default: nothing, one gateway.
	Redis *Redis `json:"redis,omitempty"`
	// Keys of 32 bytes, base64 or hex, that encrypt secrets at rest; the first encrypts, all decrypt. Default: one
	// is generated in the data directory. Required with PostgreSQL. Accepts `{env.*}` and `{file.*}`.
	EncryptionKeys []string `json:"encryption_keys,omitempty"`
	// Access and refresh tokens.
	JWT *JWT `json:"jwt,omitempty"`
	// Lifetimes of sign-ins.
	Session *Session `json:"session,omitempty"`
	// How passwords are judged and stored.
	Password *Password `json:"password,omitempty"`
	// Who must have a second factor. Default: no user.
	MFA *MFA `json:"mfa,omitempty"`
	// Bounds of failed sign-ins.
	RateLimits *RateLimits `json:"rate_limits,omitempty"`
	// A directory of policy files (`*.yaml`): roles, networks and rules, read at start, at reload and when they change.
	Policies string `json:"policies,omitempty"`
	// A YAML file of users, applied at start, at reload and when it changes.
	UsersFile string `json:"users_file,omitempty"`
	// The mail server that takes security notices. Default: none, and no notices.
	SMTP *SMTP `json:"smtp,omitempty"`
	// Where the audit log goes beside the database.
	Audit *Audit `json:"audit,omitempty"`
	// Origins of other sites whose pages may call the API with the user's cookie.
	CORS []string `json:"cors,omitempty"`
	// How the pages look.
	Brand *Brand `json:"brand,omitempty"`

	appState
}

// appState is what an App makes of its configuration.
type appState struct {
	config   gateway.Config
	ctx      caddy.Context
	rules    *rules.Book
	compiled *gate.Sites
	sites    []foundSite
	stages   []stage        // for rehearsals
	forwards []*ForwardAuth // the same
	scanning bool
	scanned  bool
	live     atomic.Pointer[gateway.Gateway]
	judge    atomic.Pointer[gate.Gate] // the gate of live, without a call on the way of every request
	opened   bool
}

// CaddyModule names the app.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "truxe", New: func() caddy.Module { return new(App) }}
}

// Provision reads the configuration and the files it names, and does no other I/O (R11): `caddy validate` and every
// rejected reload run it too.
func (a *App) Provision(ctx caddy.Context) error {
	a.ctx = ctx
	if err := a.plainSecrets(); err != nil {
		return err
	}
	cfg, err := a.resolve()
	if err != nil {
		return err
	}
	cfg.Logger = ctx.Slogger()
	cfg.Metrics = collectors
	cfg.Checker = a
	cfg.AppDown = appDown
	if err := collectors.register(ctx.GetMetricsRegistry()); err != nil {
		return err
	}
	if a.rules, err = rules.Open(cfg.Policies); err != nil {
		return err
	}
	a.compiled = gate.NewSites(a.rules)
	cfg.Rules = a.rules
	a.config = cfg
	return gateway.Check(cfg)
}

// scan looks at all sites once, called by the first of our handlers to be provisioned, and then lets each server answer
// for unknown hosts. The copies of handlers that it makes for rehearsals come here, too, while the routes are being
// read.
func (a *App) scan(ctx caddy.Context) error {
	if a.scanning {
		return nil
	}
	if !a.scanned {
		a.scanning = true
		err := a.readSites(ctx)
		a.scanning, a.scanned = false, true
		if err != nil {
			return err
		}
	}
	return a.enclose(ctx)
}

func (a *App) readSites(ctx caddy.Context) error {
	for _, m := range ctx.Modules() {
		if http, ok := m.(*caddyhttp.App); ok {
			var err error
			if a.sites, err = findSites(http, a.config.Base()); err != nil {
				return err
			}
			if a.stages, err = stages(ctx, http, a.sites); err != nil {
				return err
			}
		}
	}
	if err := checkSites(a.sites, a.config); err != nil {
		return err
	}
	if err := registerSites(a.rules, a.sites); err != nil {
		return err
	}
	for _, s := range a.sites {
		a.config.Sites = append(a.config.Sites, s.infos()...)
	}
	return gateway.CheckSites(a.config)
}

// Start opens the engine, or takes the one that runs already: sessions, counters, queues and streams outlive a reload.
func (a *App) Start() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	g, err := openGateway(ctx, a.config)
	if err != nil {
		return fmt.Errorf("truxe: %w", err)
	}
	a.opened = true
	a.live.Store(g)
	a.judge.Store(g.Gate())
	a.warnOfCatchAll()
	return nil
}

// warnOfCatchAll says what a site without a host name cannot have: a host that only a client names gets no ticket,
// issuer or passkey (R13).
func (a *App) warnOfCatchAll() {
	for _, s := range a.sites {
		if infos := s.infos(); s.host == "" && len(infos) == 1 {
			a.ctx.Slogger().Warn("a site has no host name: each host that it serves is its own portal, without single sign-on, passkeys and an issuer "+
				"of its own; where its address is known, say so in the site: truxe { origin https://app.example.com }", "server",
				s.server, "port", s.port)
		}
	}
}

// Stop does nothing: requests of the old configuration may still run. Cleanup releases.
func (a *App) Stop() error { return nil }

// Cleanup releases the engine. It also runs when Start failed, and after a failed Provision.
func (a *App) Cleanup() error {
	if !a.opened {
		return nil
	}
	a.opened = false
	return closeGateway(a.live.Load())
}

// resolve fills in secrets and turns the JSON settings into the engine's.
func (a *App) resolve() (gateway.Config, error) {
	var c gateway.Config
	r := resolver{replacer: caddy.NewReplacer()}
	var err error
	if c.Portal, c.PortalOrigin, err = parsePortal(a.Portal); err != nil {
		return c, err
	}
	c.Path = a.Path
	c.DataDir = filepath.Join(caddy.AppDataDir(), "truxe")
	if a.Storage != nil {
		c.Storage.Driver = a.Storage.Driver
		if c.Storage.DSN = strings.ReplaceAll(a.Storage.DSN, "{data_dir}",
			caddy.AppDataDir()); c.Storage.Driver == "postgres" {
			c.Storage.DSN = r.secret("storage", c.Storage.DSN)
		} else {
			c.Storage.DSN = r.path("storage", c.Storage.DSN)
		}
	}
	if a.Redis != nil {
		c.Redis = gateway.Redis{URL: r.secret("redis", a.Redis.URL), Prefix: a.Redis.Prefix, Deny: a.Redis.OnLoss == "deny",
			Stale: time.Duration(a.Redis.OnLossMaxAge)}
	}
	for _, key := range a.EncryptionKeys {
		c.EncryptionKeys = append(c.EncryptionKeys, r.secret("encryption_key", key))
	}
	if j := a.JWT; j != nil {
		c.JWT = gateway.JWT{Issuer: j.Issuer, Audience: j.Audience, Access: time.Duration(j.Access),
			Refresh: time.Duration(j.Refresh),
			Rotate:  time.Duration(j.Rotate), Bits: j.Bits, PrivateKey: r.secret("private_key", j.PrivateKey)}
		for _, t := range j.Trust {
			c.JWT.Trust = append(c.JWT.Trust, t.config())
		}
	}
	if s := a.Session; s != nil {
		c.Session = gateway.Session{Idle: time.Duration(s.Idle), Max: time.Duration(s.Max),
			Remember: time.Duration(s.Remember), Limit: s.Limit}
	}
	if p := a.Password; p != nil {
		c.Password = gateway.Password{MinLength: p.MinLength, MinLengthWithMFA: p.MinLengthWithMFA, Algorithm: p.Hash,
			Cost: p.Cost, BreachedFile: p.Breached}
	}
	if m := a.MFA; m != nil {
		c.MFA = gateway.MFA(*m)
	}
	if l := a.RateLimits; l != nil {
		c.RateLimits = gateway.RateLimits{Login: l.Login.rate(), Address: l.Address.rate()}
	}
	c.Policies = a.Policies
	c.UsersFile = a.UsersFile
	if a.SMTP != nil {
		c.SMTP = gateway.SMTP{URL: r.secret("smtp", a.SMTP.URL), From: a.SMTP.From}
	}
	if a.Audit != nil {
		c.Audit = gateway.Audit{File: a.Audit.File, Continue: a.Audit.OnFailure == "continue"}
	}
	c.CORS = a.CORS
	if a.Brand != nil {
		c.Brand = gateway.Brand(*a.Brand)
	}
	c.Admin = gateway.FirstAdmin{Username: os.Getenv("TRUXE_ADMIN_USERNAME"), Email: os.Getenv("TRUXE_ADMIN_EMAIL"),
		Password: os.Getenv("TRUXE_ADMIN_PASSWORD")}
	if file := os.Getenv("TRUXE_ADMIN_PASSWORD_FILE"); file != "" {
		c.Admin.Password = r.secret("TRUXE_ADMIN_PASSWORD_FILE", "{file."+file+"}")
	}
	return c, r.err
}

func (t Trust) config() gateway.Trust {
	c := gateway.Trust{Issuer: t.Issuer, JWKS: t.JWKS, Audience: t.Audience, SubjectClaim: t.SubjectClaim,
		RolesClaim:     t.RolesClaim,
		UsernamePrefix: t.UsernamePrefix, Types: t.Typ, Algorithms: t.Alg}
	for _, r := range t.Roles {
		c.Roles = append(c.Roles, token.RoleMap(r))
	}
	return c
}

func (r *Rate) rate() gateway.Rate {
	if r == nil {
		return gateway.Rate{}
	}
	return gateway.Rate{Events: r.Events, Window: time.Duration(r.Window)}
}

// gateway returns the running engine, nil until Start is done: apps start in map order, so http may serve before us.
func (a *App) gateway() *gateway.Gateway { return a.live.Load() }

var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
